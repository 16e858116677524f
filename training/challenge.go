package training

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"tallyman/features"
	"tallyman/models"
	"tallyman/scoring"
)

// An Incumbent is a model in force and the time of its last example.
type Incumbent struct {
	Scorer *scoring.Scorer
	Until  time.Time
}

// A Challenge is how a new model and the one in force did on the same outcomes,
// which neither was fitted to.
type Challenge struct {
	Challenger Trained
	From       time.Time // of the slice
	Until      time.Time
	Slice      Sample
	Champion   Standing
	New        Standing
	Gates      []Gate
}

// Standing is how one model did on the slice. Figures that its outcome does not
// have are absent.
type Standing struct {
	LogLoss  *float64 `json:"log_loss,omitempty"` // mean
	AUC      *float64 `json:"auc,omitempty"`
	Brier    *float64 `json:"brier,omitempty"`
	ECE      *float64 `json:"ece,omitempty"`
	LogError *float64 `json:"log_error,omitempty"` // mean |ln(1+units) − predicted|, of a size
}

// A Gate is a condition without which a challenger is not proposed.
type Gate struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Detail string `json:"detail"`
}

// Passed reports whether the challenger passed every gate.
func (c *Challenge) Passed() bool {
	for _, g := range c.Gates {
		if !g.Passed {
			return false
		}
	}
	return true
}

const (
	longestSlice = 28 * 24 * time.Hour
	minOutcomes  = 20 // of each kind in a slice
)

// Compare fits challengers to what was known before a slice of the facts and
// judges them, and the incumbents, on the slice: the later half of what happened
// since the incumbents' last example, four weeks at most. Neither saw any of it,
// and what was judged is what is proposed, to the byte. A slice with too few
// outcomes is [ErrTooLittle].
func Compare(
	ctx context.Context, state *features.State, facts []features.Fact, target Target, incumbents map[scoring.Outcome]Incumbent, seed uint64, threads int,
) ([]Challenge, error) {
	if err := target.Check(); err != nil {
		return nil, err
	}
	if len(facts) == 0 {
		return nil, fmt.Errorf("no events: %w", ErrTooLittle)
	}
	from, until := sliceOf(incumbents, time.UnixMicro(facts[len(facts)-1].At).UTC())
	known, _ := slices.BinarySearchFunc(facts, from.UnixMicro()+1, func(f features.Fact, at int64) int { return cmp.Compare(f.At, at) })
	schema := state.WithAttrs(target.Subject, facts[:known])
	train, slice, err := sliced(ctx, state, facts, target, &schema, from, until, threads)
	if err != nil {
		return nil, err
	}
	if negatives := len(slice.examples) - slice.positives(); slice.positives() < minOutcomes || negatives < minOutcomes {
		return nil, fmt.Errorf("from %s to %s there are %d outcomes with %d positive, want at least %d of each kind to compare by: %w",
			from.Format(time.DateOnly), until.Format(time.DateOnly), len(slice.examples), slice.positives(), minOutcomes, ErrTooLittle)
	}
	fitted, err := fitAll(ctx, train, target, seed, threads)
	if err != nil {
		return nil, err
	}
	var all []Challenge
	for _, t := range fitted {
		incumbent, there := incumbents[t.Scorer.Outcome]
		if !there {
			continue
		}
		c := Challenge{Challenger: t, From: from, Until: until, Slice: Sample{len(slice.examples), slice.positives()}}
		its := slice
		if incumbent.Scorer.Schema.Hash() != schema.Hash() {
			old := incumbent.Scorer.Schema
			if _, its, err = sliced(ctx, state, facts, target, &old, from, until, threads); err != nil {
				return nil, err
			}
		}
		c.judge(incumbent.Scorer, its, slice)
		all = append(all, c)
	}
	return all, nil
}

// sliceOf returns the time on which models are compared.
func sliceOf(incumbents map[scoring.Outcome]Incumbent, until time.Time) (from, end time.Time) {
	var known time.Time
	for _, i := range incumbents {
		if i.Until.After(known) {
			known = i.Until
		}
	}
	from = until.Add(-min(longestSlice, until.Sub(known)/2))
	return from, until
}

// sliced replays the facts and splits them where the slice begins.
func sliced(
	ctx context.Context, state *features.State, facts []features.Fact, target Target, schema *features.Schema, from, until time.Time, threads int,
) (train, slice *table, err error) {
	examples, err := state.Empty().Replay(ctx, facts, schema, threads)
	if err != nil {
		return nil, nil, err
	}
	train, slice = split(examples, target, schema, from, until)
	if target.Outcome == scoring.Late {
		train = train.stage(features.AtNotice)
	}
	if target.Subject == features.LoadSubject {
		slice = slice.stage(features.AtNotice)
	}
	return train, slice, nil
}

// judge compares two models on the same outcomes, each read by its own schema.
func (c *Challenge) judge(incumbent *scoring.Scorer, its, ours *table) {
	if c.Challenger.Scorer.Outcome == scoring.Size {
		c.Champion, c.New = sizeStanding(incumbent, its), sizeStanding(c.Challenger.Scorer, ours)
		c.Gates = []Gate{noWorse("error", "mean error of ln(1+units)", *c.Champion.LogError, *c.New.LogError, 0)}
		return
	}
	c.Champion, c.New = riskStanding(incumbent, its), riskStanding(c.Challenger.Scorer, ours)
	c.Gates = []Gate{
		noWorse("loss", "log loss", *c.Champion.LogLoss, *c.New.LogLoss, 0),
		noWorse("ranking", "1 − AUC", 1-*c.Champion.AUC, 1-*c.New.AUC, 0.01),
		noWorse("calibration", "expected calibration error", *c.Champion.ECE, *c.New.ECE, 0.01),
	}
}

// noWorse is the gate that a figure, the lower the better, may rise by so much.
func noWorse(name, what string, champion, challenger, by float64) Gate {
	g := Gate{Name: name, Passed: challenger <= champion+by, Detail: fmt.Sprintf("%s %.4f against %.4f", what, challenger, champion)}
	if by > 0 {
		g.Detail += fmt.Sprintf(", at most %g more", by)
	}
	return g
}

func riskStanding(s *scoring.Scorer, t *table) Standing {
	p, y := scores(s, t), make([]float32, len(t.examples))
	var loss float64
	for i := range y {
		chance := min(max(p[i], 1e-9), 1-1e-9)
		if t.labels[i].positive {
			y[i] = 1
		} else {
			chance = 1 - chance
		}
		loss -= math.Log(chance) / float64(len(y))
	}
	auc, brier, ece := models.AUC(p, y, nil), models.Brier(p, y, nil), models.ECE(p, y, nil, reliabilityBins)
	return Standing{LogLoss: &loss, AUC: &auc, Brier: &brier, ECE: &ece}
}

// sizeStanding judges predicted sizes where there was a difference.
func sizeStanding(s *scoring.Scorer, t *table) Standing {
	var sum, n float64
	for i, e := range t.examples {
		if t.labels[i].positive {
			sum += math.Abs(s.Score(e.Vector) - math.Log1p(t.labels[i].size.Units()))
			n++
		}
	}
	mean := sum / n
	return Standing{LogError: &mean}
}
