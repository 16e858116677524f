package scoring

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"tallyman/features"
	"tallyman/fixtures"
	"tallyman/models"
	"tallyman/warehouse"
)

var end = time.Date(2026, 5, 31, 0, 0, 0, 0, time.UTC)

// now is the instant at which the tests ask, the morning after the history.
var now = end.AddDate(0, 0, 1).Add(5 * time.Hour)

// simulated is the history of a small warehouse.
var simulated = sync.OnceValues(func() ([]warehouse.Event, error) {
	w, err := fixtures.New(fixtures.Config{Sites: 2, SKUs: 120, Days: 150, Seed: 3, End: end, CountEvery: [3]int{10, 20, 40}})
	if err != nil {
		return nil, err
	}
	return slices.Collect(w.Events()), nil
})

func world(tb testing.TB) []warehouse.Event {
	tb.Helper()
	events, err := simulated()
	if err != nil {
		tb.Fatal(err)
	}
	return slices.Clone(events)
}

// outcomes lists what can be asked; a model's id is its place here, from 1.
var outcomes = []Outcome{Variance, Size, Discrepancy, Late}

// fitted holds models of the whole world, once a test has needed them.
var fitted = map[Outcome]*Scorer{}

// trained returns an engine that knows the world, with a model in force for
// every outcome.
func trained(tb testing.TB, events []warehouse.Event) *Engine {
	tb.Helper()
	e := untrained(tb, events)
	for i, outcome := range outcomes {
		if fitted[outcome] == nil {
			fitted[outcome] = fit(tb, events, outcome)
		}
		e.Adopt(outcome, int64(i+1), fitted[outcome])
	}
	return e
}

func untrained(tb testing.TB, events []warehouse.Event) *Engine {
	tb.Helper()
	e := NewEngine(features.NewState())
	if err := e.Fold(events, int64(len(events)), now); err != nil {
		tb.Fatal(err)
	}
	return e
}

func fit(tb testing.TB, events []warehouse.Event, outcome Outcome) *Scorer {
	tb.Helper()
	state := features.NewState()
	var facts []features.Fact
	for i := range events {
		facts = append(facts, state.Encode(&events[i]))
	}
	features.SortFacts(facts)
	subject := features.PositionSubject
	if outcome == Discrepancy || outcome == Late {
		subject = features.LoadSubject
	}
	schema := state.WithAttrs(subject, facts)
	examples, err := state.Replay(context.Background(), facts, &schema, 1)
	if err != nil {
		tb.Fatal(err)
	}
	d := models.Dataset{Names: schema.Names(), X: models.Matrix{Cols: schema.Width()}}
	for i := range d.Names {
		kind := models.Numeric
		if schema.Categorical(i) {
			kind = models.Categorical
		}
		d.Kinds = append(d.Kinds, kind)
	}
	p := models.DefaultParams()
	p.Trees, p.Depth, p.Threads, p.MinChildWeight = 20, 4, 1, 3 // small, for speed
	for i := range examples {
		x := &examples[i]
		var y bool
		switch outcome {
		case Variance:
			y = x.Variance != 0
		case Discrepancy:
			y = x.Inbound.Short != 0
		case Late:
			y = x.Inbound.Late
		case Size:
			p.Objective = models.SquaredError
		}
		label := float32(0)
		if y {
			label = 1
		}
		if outcome == Size {
			label = float32(math.Log1p(x.Variance.Abs().Units()))
		}
		d.Y = append(d.Y, label)
		d.X.Data = append(d.X.Data, x.Vector...)
		d.X.Rows++
	}
	m, _, err := models.Fit(context.Background(), d, nil, p, nil)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := NewScorer(outcome, &schema, m)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
