package models

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// A Round is the state of a fit after a tree was added.
type Round struct {
	Tree      int     // 1 for the first
	ValidLoss float64 // mean loss on the later slice; NaN without one
}

// A Report says how a fit went.
type Report struct {
	Rounds        []Round
	BestIteration int // trees in the model
}

// Fit grows a model on train. If valid, a slice of later rows, is given, its
// loss is reported, and with early stopping the model ends at the tree where
// that loss was least. progress, if not nil, is called after every tree.
//
// The same data and parameters give the same model, byte for byte, for any
// number of threads. Errors say which row and column cannot be learnt from;
// a cancelled ctx returns its error.
func Fit(ctx context.Context, train Dataset, valid *Dataset, p Params, progress func(Round)) (*Model, Report, error) {
	if err := checkFit(train, valid, p); err != nil {
		return nil, Report{}, fmt.Errorf("fit: %w", err)
	}
	model := newModel(train, p)
	team := newCrew(p.Threads)
	defer team.dismiss()
	b := newBooster(train, p, model, team)
	var later *validation
	if valid != nil {
		later = newValidation(*valid, model)
	}
	var report Report
	for tree := range p.Trees {
		if err := ctx.Err(); err != nil {
			return nil, Report{}, fmt.Errorf("fit: stopped before tree %d: %w", tree+1, err)
		}
		model.Trees = append(model.Trees, b.next(tree))
		round := Round{Tree: tree + 1, ValidLoss: later.after(&model.Trees[tree])}
		report.Rounds = append(report.Rounds, round)
		if progress != nil {
			progress(round)
		}
		if p.EarlyStopping > 0 && later.worseFor(report.Rounds) >= p.EarlyStopping {
			break
		}
	}
	report.BestIteration = len(model.Trees)
	if p.EarlyStopping > 0 && later != nil {
		report.BestIteration -= later.worseFor(report.Rounds)
		model.Trees = slices.Clip(model.Trees[:report.BestIteration])
	}
	return model, report, nil
}

func checkFit(train Dataset, valid *Dataset, p Params) error {
	if err := p.check(train); err != nil {
		return err
	}
	if err := train.check(p.Objective); err != nil {
		return err
	}
	if valid == nil {
		return nil
	}
	if !slices.Equal(valid.Names, train.Names) {
		return fmt.Errorf("later slice has columns %q, want %q", valid.Names, train.Names)
	}
	if err := valid.check(p.Objective); err != nil {
		return fmt.Errorf("later slice: %w", err)
	}
	return nil
}

// newModel returns a model without trees.
func newModel(train Dataset, p Params) *Model {
	m := &Model{
		Objective: p.Objective,
		BaseScore: baseScore(train, p),
		Features:  slices.Clone(train.Names),
		Kinds:     make([]Kind, train.X.Cols),
	}
	copy(m.Kinds, train.Kinds)
	return m
}

// baseScore is where boosting starts. Even odds, the default of XGBoost before
// 2.0, do better than the mean label where positives are rare: Hessians start
// large, so that early trees may isolate small groups.
func baseScore(train Dataset, p Params) float32 {
	switch {
	case p.BaseScore != 0:
		return float32(p.BaseScore)
	case p.Objective == Logistic:
		return 0.5
	case p.Objective == SquaredError:
		return float32(meanLabel(train))
	}
	const least = 1e-6 // where all labels are 0
	return float32(max(meanLabel(train), least))
}

func meanLabel(d Dataset) float64 {
	var total, weight float64
	for r, y := range d.Y {
		w := weightOf(d.Weight, r)
		total += float64(w * float64(y))
		weight += w
	}
	return total / weight
}

// validation follows the loss on the later slice.
type validation struct {
	data      Dataset
	objective Objective
	margins   []float32
}

func newValidation(d Dataset, m *Model) *validation {
	v := &validation{data: d, objective: m.Objective, margins: make([]float32, d.X.Rows)}
	base := m.Objective.Margin(m.BaseScore)
	for r := range v.margins {
		v.margins[r] = base
	}
	return v
}

// after returns the loss once a tree is added; NaN without a later slice.
func (v *validation) after(t *Tree) float64 {
	if v == nil {
		return math.NaN()
	}
	for r := range v.margins {
		v.margins[r] += t.leaf(v.data.X.Row(r))
	}
	return v.objective.loss(v.margins, v.data.Y, v.data.Weight)
}

// worseFor counts the rounds since the least loss; 0 without a later slice.
func (v *validation) worseFor(rounds []Round) int {
	if v == nil {
		return 0
	}
	best := 0
	for i, r := range rounds {
		if r.ValidLoss < rounds[best].ValidLoss {
			best = i
		}
	}
	return len(rounds) - 1 - best
}
