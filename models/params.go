package models

import (
	"fmt"
	"math"
	"runtime"
)

// Params are the settings of [Fit]. Start from [DefaultParams]. Names in
// parentheses are XGBoost's.
type Params struct {
	Objective      Objective
	BaseScore      float64 // the prediction boosting starts from (base_score); 0 means even odds for Logistic, else the mean label
	Trees          int     // boosting rounds (num_boost_round)
	Depth          int     // splits from root to leaf, 1 to 16 (max_depth)
	Leaves         int     // above 0: grow leaf by leaf, best gain first, to this many (max_leaves, lossguide)
	Bins           int     // bins per feature besides the one for missing, 2 to 255 (max_bin)
	Eta            float64 // shrinkage of every leaf, above 0 to 1 (eta)
	L1, L2         float64 // penalties on leaf weights (alpha, lambda)
	MinGain        float64 // a split must reduce the loss by more than this (gamma)
	MinChildWeight float64 // a child must hold at least this sum of Hessians (min_child_weight)
	RowSample      float64 // share of rows each tree sees, above 0 to 1 (subsample)
	ColSample      float64 // share of columns each tree sees, above 0 to 1 (colsample_bytree)
	Monotone       []int8  // per column: +1 rising, -1 falling, 0 free; nil means all free (monotone_constraints)
	EarlyStopping  int     // stop when the later slice has not improved for this many rounds; 0 never stops
	Seed           uint64  // of row and column sampling
	Threads        int     // at most; the model is the same for any number
}

// DefaultParams is a sound start for a table of some thousand rows or more.
func DefaultParams() Params {
	return Params{
		Objective:      Logistic,
		Trees:          200,
		Depth:          6,
		Bins:           255,
		Eta:            0.1,
		L2:             1,
		MinChildWeight: 1,
		RowSample:      1,
		ColSample:      1,
		Threads:        runtime.GOMAXPROCS(0),
	}
}

// check refuses settings that mean nothing for a table of this shape.
func (p Params) check(d Dataset) error {
	switch {
	case !p.Objective.Known():
		return fmt.Errorf("objective %q is unknown", p.Objective)
	case !p.startsAt(p.BaseScore):
		return fmt.Errorf("base score is %v, which %s cannot predict", p.BaseScore, p.Objective)
	case p.Trees < 1:
		return fmt.Errorf("trees is %d, want at least 1", p.Trees)
	case p.Depth < 1 || p.Depth > 16:
		return fmt.Errorf("depth is %d, want 1 to 16", p.Depth)
	case p.Leaves < 0 || p.Leaves == 1:
		return fmt.Errorf("leaves is %d, want 0 for growth by level or at least 2", p.Leaves)
	case p.Bins < 2 || p.Bins > maxValueBins:
		return fmt.Errorf("bins is %d, want 2 to %d", p.Bins, maxValueBins)
	case p.EarlyStopping < 0:
		return fmt.Errorf("early stopping is %d rounds, want at least 0", p.EarlyStopping)
	case p.Threads < 1:
		return fmt.Errorf("threads is %d, want at least 1", p.Threads)
	}
	if err := p.checkRanges(); err != nil {
		return err
	}
	return p.checkMonotone(d)
}

// startsAt reports whether the margin of a base score is finite; 0 is none.
func (p Params) startsAt(baseScore float64) bool {
	margin := float64(p.Objective.Margin(float32(baseScore)))
	return baseScore == 0 || (!math.IsNaN(margin) && !math.IsInf(margin, 0))
}

func (p Params) checkRanges() error {
	for _, share := range []struct {
		name  string
		value float64
	}{{"eta", p.Eta}, {"row sample", p.RowSample}, {"column sample", p.ColSample}} {
		if !(share.value > 0 && share.value <= 1) {
			return fmt.Errorf("%s is %v, want above 0 to 1", share.name, share.value)
		}
	}
	for _, penalty := range []struct {
		name  string
		value float64
	}{{"l1", p.L1}, {"l2", p.L2}, {"min gain", p.MinGain}, {"min child weight", p.MinChildWeight}} {
		if !(penalty.value >= 0) || math.IsInf(penalty.value, 0) {
			return fmt.Errorf("%s is %v, want a finite number of at least 0", penalty.name, penalty.value)
		}
	}
	return nil
}

func (p Params) checkMonotone(d Dataset) error {
	if p.Monotone == nil {
		return nil
	}
	if len(p.Monotone) != d.X.Cols {
		return fmt.Errorf("monotone has %d signs for %d columns", len(p.Monotone), d.X.Cols)
	}
	for c, sign := range p.Monotone {
		if sign < -1 || sign > 1 {
			return fmt.Errorf("column %s: monotone is %d, want -1, 0 or 1", d.Names[c], sign)
		}
		if sign != 0 && d.kind(c) == Categorical {
			return fmt.Errorf("column %s: categories have no order, so monotone must be 0", d.Names[c])
		}
	}
	return nil
}
