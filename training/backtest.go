package training

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tallyman/features"
	"tallyman/models"
	"tallyman/scoring"
	"tallyman/warehouse"
)

// Plan says what a backtest is to answer.
type Plan struct {
	Target
	TrainUntil time.Time // fitted on what was known by then
	TestUntil  time.Time // judged on what was scored after it, up to here
	Seed       uint64
	Threads    int
}

// Sample counts rows.
type Sample struct {
	Examples  int `json:"examples"`
	Positives int `json:"positives"`
}

// Backtest is how much better counting, or checking loads, would have been.
type Backtest struct {
	Subject    features.Subject   `json:"subject"`
	Outcome    scoring.Outcome    `json:"outcome"`
	Tolerance  string             `json:"tolerance"`
	TrainUntil time.Time          `json:"train_until"`
	TestUntil  time.Time          `json:"test_until"`
	Events     int                `json:"events"`
	Train      Sample             `json:"train"`
	Test       Sample             `json:"test"`
	Metrics    Metrics            `json:"metrics"`
	Baselines  map[string]Metrics `json:"baselines"`

	// ByExpectedLoss ranks by probability × expected size × unit cost.
	ByExpectedLoss *Metrics `json:"by_expected_loss,omitempty"`
	// WithoutNegativeBook leaves out counts of a book below zero, which are
	// always wrong.
	WithoutNegativeBook *Part `json:"without_negative_book,omitempty"`
	// AtReceipt judges load lines again, just before their first receipt.
	AtReceipt *Part `json:"at_receipt,omitempty"`

	Settings    []Choice     `json:"settings"`
	Reliability []Bin        `json:"reliability"`
	Gain        []GainPoint  `json:"gain"`
	Features    []Importance `json:"features"`
}

// Part is the same judgement on some of the rows.
type Part struct {
	Sample
	Metrics
	Baselines map[string]Metrics `json:"baselines"`
}

// Bin is one bin of a reliability table: what was said and what came true.
type Bin struct {
	Predicted float64 `json:"predicted"`
	Observed  float64 `json:"observed"`
	Examples  int     `json:"examples"`
}

// GainPoint is the share of outcomes found by a share of the budget.
type GainPoint struct {
	Share     float64            `json:"share"`
	Model     float64            `json:"model"`
	Baselines map[string]float64 `json:"baselines"`
}

// Importance is what a feature contributes to the margin, on average.
type Importance struct {
	Feature string  `json:"feature"`
	Share   float64 `json:"share"` // of the sum of mean |SHAP|
}

// Run replays the events, fits on what was known by the end of training, and
// judges every later outcome as it would have been scored just before it
// happened.
func (p Plan) Run(ctx context.Context, events []warehouse.Event) (*Backtest, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if !p.TestUntil.After(p.TrainUntil) {
		return nil, fmt.Errorf("the test ends at %s, which is not after the training's end at %s", p.TestUntil.Format(time.DateOnly), p.TrainUntil.Format(time.DateOnly))
	}
	train, test, err := p.tables(ctx, events)
	if err != nil {
		return nil, err
	}
	b := &Backtest{
		Subject: p.Subject, Outcome: p.Outcome, Tolerance: p.Tolerance.String(), TrainUntil: p.TrainUntil, TestUntil: p.TestUntil,
		Events: len(events),
	}
	headline := test
	if p.Subject == features.LoadSubject {
		headline = test.stage(features.AtNotice)
	}
	b.Test = Sample{len(headline.examples), headline.positives()}
	if b.Test.Positives == 0 || b.Test.Positives == b.Test.Examples {
		return nil, p.oneClass(b.Test, events)
	}
	fitted := train
	if p.Outcome == scoring.Late {
		// Once a load is there, whether it is late is no question any more.
		fitted = train.stage(features.AtNotice)
	}
	b.Train = Sample{len(fitted.examples), fitted.positives()}
	model, choices, err := fit(ctx, fitted, p.Outcome, p.Seed, p.Threads)
	if err != nil {
		return nil, fmt.Errorf("training until %s: %w; %s", p.TrainUntil.Format(time.DateOnly), err, p.extent(events))
	}
	b.Settings = choices
	scorer, err := scoring.NewScorer(p.Outcome, train.schema, model)
	if err != nil {
		return nil, err
	}
	p.judge(b, scorer, headline)
	if p.Outcome == scoring.Variance {
		size, err := fitSize(ctx, train, p.Seed, p.Threads)
		if err != nil {
			return nil, err
		}
		b.ByExpectedLoss = p.byLoss(scorer, size, headline)
		b.WithoutNegativeBook = p.part(scorer, headline.where(func(i int) bool { return headline.examples[i].Book >= 0 }))
	}
	if p.Subject == features.LoadSubject {
		b.AtReceipt = p.part(scorer, test.stage(features.AtReceipt))
	}
	return b, nil
}

// oneClass says that a test has nothing to tell apart.
func (p Plan) oneClass(test Sample, events []warehouse.Event) error {
	return fmt.Errorf("of %d outcomes between %s and %s, %d are positive: there is nothing to tell apart; %s",
		test.Examples, p.TrainUntil.Format(time.DateOnly), p.TestUntil.Format(time.DateOnly), test.Positives, p.extent(events))
}

// extent says when there are events that an outcome can come of, so that
// whoever chose dates can choose better ones.
func (p Plan) extent(events []warehouse.Event) string {
	want := warehouse.Count
	if p.Subject == features.LoadSubject {
		want = warehouse.ASN
	}
	n := 0
	var first, last time.Time
	for i := range events {
		e := &events[i]
		if e.Type != want {
			continue
		}
		if n == 0 || e.OccurredAt.Before(first) {
			first = e.OccurredAt
		}
		if n == 0 || e.OccurredAt.After(last) {
			last = e.OccurredAt
		}
		n++
	}
	if n == 0 {
		return fmt.Sprintf("none of the %d events is of type %s", len(events), want)
	}
	advice := "choose dates between them"
	if p.Tolerance > 0 {
		advice += ", or a smaller tolerance"
	}
	return fmt.Sprintf("there are %d events of type %s, from %s to %s: %s", n, want,
		first.UTC().Format(time.DateOnly), last.UTC().Format(time.DateOnly), advice)
}

// tables replays the events and splits the examples.
func (p Plan) tables(ctx context.Context, events []warehouse.Event) (train, test *table, err error) {
	state := features.NewState()
	facts := make([]features.Fact, len(events))
	for i := range events {
		facts[i] = state.Encode(&events[i])
	}
	features.SortFacts(facts)
	known := facts
	if end := slices.IndexFunc(facts, func(f features.Fact) bool { return f.At > p.TrainUntil.UnixMicro() }); end >= 0 {
		known = facts[:end]
	}
	schema := state.WithAttrs(p.Subject, known)
	examples, err := state.Replay(ctx, facts, &schema, p.Threads)
	if err != nil {
		return nil, nil, err
	}
	train, test = split(examples, p.Target, &schema, p.TrainUntil, p.TestUntil)
	return train, test, nil
}

func scores(s *scoring.Scorer, t *table) []float64 {
	out := make([]float64, len(t.examples))
	for i, e := range t.examples {
		out[i] = s.Score(e.Vector)
	}
	return out
}

// judge fills in the headline figures.
func (p Plan) judge(b *Backtest, s *scoring.Scorer, t *table) {
	j, probabilities := newJudge(t), scores(s, t)
	b.Metrics = j.probability(probabilities)
	b.Metrics.Intervals = j.intervals(probabilities, p.Seed)
	b.Baselines = map[string]Metrics{}
	curves := map[string]ranking{}
	for _, base := range baselines(p.Target) {
		x := base.scores(t)
		b.Baselines[base.name] = j.policy(x)
		curves[base.name] = rank(j.periods, x)
	}
	own := rank(j.periods, probabilities)
	for i := range 51 {
		share := float64(i) / 50
		point := GainPoint{Share: share, Model: own.captured(share, j.weights, j.positive), Baselines: map[string]float64{}}
		for name, r := range curves {
			point.Baselines[name] = r.captured(share, j.weights, j.positive)
		}
		b.Gain = append(b.Gain, point)
	}
	b.Reliability = reliability(probabilities, j.positive)
	b.Features = importance(s, t)
}

func (p Plan) part(s *scoring.Scorer, t *table) *Part {
	part := &Part{Sample: Sample{len(t.examples), t.positives()}, Baselines: map[string]Metrics{}}
	if part.Positives == 0 || part.Positives == part.Examples {
		return nil
	}
	j, probabilities := newJudge(t), scores(s, t)
	part.Metrics = j.probability(probabilities)
	part.Intervals = j.intervals(probabilities, p.Seed)
	for _, base := range baselines(p.Target) {
		part.Baselines[base.name] = j.policy(base.scores(t))
	}
	return part
}

func (p Plan) byLoss(s *scoring.Scorer, size *models.Model, t *table) *Metrics {
	loss := scores(s, t)
	cost := t.column("unit_cost", 1)
	for i, e := range t.examples {
		loss[i] *= ExpectedUnits(size.Predict(e.Vector)) * cost[i]
	}
	m := newJudge(t).policy(loss)
	return &m
}

// reliability cuts the rows into bins of equal numbers by probability.
func reliability(p, positive []float64) []Bin {
	order := ascending(p)
	bins := make([]Bin, reliabilityBins)
	for rank, row := range order {
		bin := &bins[rank*reliabilityBins/len(order)]
		bin.Predicted += p[row]
		bin.Observed += positive[row]
		bin.Examples++
	}
	for i := range bins {
		n := float64(max(1, bins[i].Examples))
		bins[i].Predicted /= n
		bins[i].Observed /= n
	}
	return bins
}

// explained is the number of rows that importance is averaged over.
const explained = 500

// importance is the mean |SHAP| over evenly spaced rows.
func importance(s *scoring.Scorer, t *table) []Importance {
	names := s.Schema.Names()
	explainer := models.NewExplainer(s.Model)
	phi, sums := make([]float64, len(names)), make([]float64, len(names))
	step := max(1, len(t.examples)/explained)
	var total float64
	for i := 0; i < len(t.examples); i += step {
		explainer.Explain(t.examples[i].Vector, phi)
		for f, v := range phi {
			sums[f] += max(v, -v)
			total += max(v, -v)
		}
	}
	var list []Importance
	for f, v := range sums {
		if v > 0 {
			list = append(list, Importance{names[f], v / total})
		}
	}
	slices.SortStableFunc(list, func(a, b Importance) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return 0
	})
	return list
}
