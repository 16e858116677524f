package scoring

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tallyman/features"
	"tallyman/warehouse"
)

// loadOf returns a request for the last load announced in the history.
func loadOf(events []warehouse.Event) Request {
	i := len(events) - 1
	for events[i].Type != warehouse.ASN {
		i--
	}
	a := events[i]
	req := Request{
		Kind: InboundLoad, Site: a.Site, OccurredAt: now, Load: a.Load, Supplier: a.Supplier, Carrier: a.Carrier, ExpectedAt: a.ExpectedAt,
	}
	for _, e := range events {
		if e.Type == warehouse.ASN && e.Load == a.Load && e.Site == a.Site {
			req.Lines = append(req.Lines, LineRequest{Line: e.Line, SKU: e.SKU, Expected: e.Expected, Cost: e.Cost, Pack: e.Pack})
		}
	}
	return req
}

func sound(t *testing.T, e *Evaluation) {
	t.Helper()
	for _, l := range e.Lines {
		for _, s := range l.Signals {
			if !(s.Probability >= 0 && s.Probability <= 1) || s.Level == "" {
				t.Errorf("line %s: signal %+v means nothing", l.Line, s)
			}
		}
		if len(l.Vector) == 0 {
			t.Errorf("line %s has no vector", l.Line)
		}
		for _, r := range l.Reasons {
			if r.Code == "" || r.Text == "" || r.Contribution == 0 || math.IsNaN(r.Contribution) {
				t.Errorf("line %s: reason %+v says nothing", l.Line, r)
			}
		}
	}
	if e.Advice == "" || len(e.Lines) > 0 && len(e.Signals) == 0 {
		t.Errorf("evaluation without advice or signals: %+v", e)
	}
}

func TestEvaluateAnswersWithAndWithoutModels(t *testing.T) {
	events := world(t)
	req := loadOf(events)
	for _, test := range []struct {
		name     string
		engine   *Engine
		degraded bool
	}{
		{"rates answer until models are adopted", untrained(t, events), true},
		{"models answer", trained(t, events), false},
		{"nothing is known yet", NewEngine(features.NewState()), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _ := test.engine.Evaluate(req, now)
			sound(t, &got)
			if got.Degraded != test.degraded {
				t.Errorf("degraded is %v, want %v", got.Degraded, test.degraded)
			}
			if len(got.Lines) != len(req.Lines) {
				t.Errorf("%d lines answered of %d", len(got.Lines), len(req.Lines))
			}
			for o, s := range got.Signals {
				highest := 0.0
				for _, l := range got.Lines {
					highest = max(highest, l.Signals[o].Probability)
				}
				if s.Probability != highest {
					t.Errorf("%s of the load is %v, its highest line has %v", s.Outcome, s.Probability, highest)
				}
			}
			if !got.AsOf.Equal(now) {
				t.Errorf("as of %s, want %s", got.AsOf, now)
			}
		})
	}
}

func TestUnknownNamesAreMissingNotErrors(t *testing.T) {
	e := trained(t, world(t))
	got, _ := e.Evaluate(Request{
		Kind: InboundLoad, Site: "nowhere", Load: "L", Supplier: "nobody", Carrier: "none",
		Lines: []LineRequest{{Line: "1", SKU: "nothing"}},
	}, now)
	sound(t, &got)
	want := []string{features.MissingASN, features.MissingSite, features.MissingSKU, features.MissingSupplier, features.MissingCarrier}
	slices.Sort(want)
	slices.Sort(got.Missing)
	if diff := cmp.Diff(want, got.Missing); diff != "" {
		t.Error(diff)
	}
	if got.Advice == Proceed {
		t.Error("advice is to proceed with a load of which nothing is known")
	}
	got, _ = e.Evaluate(Request{Kind: StockPosition, Site: "nowhere", Lines: []LineRequest{{SKU: "nothing", Location: "A"}}}, now)
	sound(t, &got)
	if len(got.Missing) == 0 {
		t.Error("nothing is missing for a position never heard of")
	}
	got, _ = e.Evaluate(Request{Kind: InboundLoad, Site: "nowhere"}, now)
	sound(t, &got)
}

func TestTheEngineNeverGoesBack(t *testing.T) {
	e := untrained(t, world(t))
	if err := e.Fold(nil, 5, now.AddDate(0, -1, 0)); err != nil {
		t.Fatal(err)
	}
	got, watermark := e.Evaluate(Request{Kind: StockPosition}, now.AddDate(-1, 0, 0))
	if !got.AsOf.Equal(now) || watermark <= 5 {
		t.Errorf("as of %s at %d: the engine went back", got.AsOf, watermark)
	}
}

// What a ranking is made from must be what an evaluation answers.
func TestPositionsAgreeWithEvaluate(t *testing.T) {
	events := world(t)
	for name, e := range map[string]*Engine{"models": trained(t, events), "rates": untrained(t, events)} {
		var candidates []Candidate
		if err := e.Positions(events[0].Site, now, func(c Candidate) bool { candidates = append(candidates, c); return true }); err != nil {
			t.Fatal(err)
		}
		if len(candidates) < 50 {
			t.Fatalf("%s: only %d positions", name, len(candidates))
		}
		req := Request{Kind: StockPosition, Site: events[0].Site}
		for _, c := range candidates {
			req.Lines = append(req.Lines, LineRequest{SKU: c.SKU, Location: c.Location})
		}
		got, _ := e.Evaluate(req, now)
		sound(t, &got)
		for i, c := range candidates {
			if l := got.Lines[i]; l.Signals[0].Probability != c.Probability || l.Units != c.Units {
				t.Fatalf("%s: %v ranked with %v × %v, evaluated as %v × %v",
					name, c.Position, c.Probability, c.Units, l.Signals[0].Probability, l.Units)
			}
		}
	}
}

func TestPositionsStopWhenTold(t *testing.T) {
	events := world(t)
	n := 0
	err := untrained(t, events).Positions(events[0].Site, now, func(Candidate) bool { n++; return n < 3 })
	if err != nil || n != 3 {
		t.Errorf("%d positions and %v after stopping at 3", n, err)
	}
}

// Run with -race: events come in while loads are evaluated and sites ranked.
func TestTheEngineIsSafeForConcurrentUse(t *testing.T) {
	events := world(t)
	half := len(events) / 2
	e := untrained(t, events[:half])
	model := fit(t, events[:half], Variance)
	req := loadOf(events[:half])
	var all sync.WaitGroup
	all.Go(func() {
		for i := half; i < len(events); i += 500 {
			part := events[i:min(i+500, len(events))]
			if err := e.Fold(part, int64(i), now.Add(time.Duration(i)*time.Millisecond)); err != nil {
				t.Error(err)
			}
		}
	})
	for asker := range 3 {
		all.Go(func() {
			for i := range 20 {
				got, _ := e.Evaluate(req, now.Add(time.Duration(asker+i)*time.Minute))
				sound(t, &got)
				e.Adopt(Variance, 9, model)
			}
		})
	}
	all.Go(func() {
		for range 5 {
			if err := e.Positions("", now, func(c Candidate) bool { return c.Probability >= 0 }); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if got := e.Versions(); got[3].Model != 9 {
		t.Errorf("versions are %+v, want variance by model 9", got)
	}
}

// While time brings nothing, requests are answered beside others that read: an
// answer that waited for them would never come here.
func TestRequestsAreAnsweredSideBySide(t *testing.T) {
	events := world(t)
	e := untrained(t, events)
	if err := e.Advance(now.AddDate(1, 0, 0)); err != nil { // by then all is settled
		t.Fatal(err)
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	later := now.AddDate(1, 0, 0).Add(time.Second)
	if got, _ := e.Evaluate(loadOf(events), later); !got.AsOf.Equal(later) || got.Degraded != true {
		t.Errorf("as of %s, degraded %t; asked at %s without a model", got.AsOf, got.Degraded, later)
	}
}

// A model file read back answers and explains alike.
func TestAModelFileGivesTheSameAnswers(t *testing.T) {
	events := world(t)
	written := trained(t, events)
	read := untrained(t, events)
	for i, outcome := range outcomes {
		artifact, err := fitted[outcome].Artifact()
		if err != nil {
			t.Fatal(err)
		}
		s, err := ReadScorer(artifact)
		if err != nil {
			t.Fatal(err)
		}
		read.Adopt(outcome, int64(i+1), s)
	}
	want, _ := written.Evaluate(loadOf(events), now)
	got, _ := read.Evaluate(loadOf(events), now)
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
}

// Two loads that differ in nothing but what they say of themselves must not
// leave a trace: asking changes no later answer.
func TestAskingLeavesNoTrace(t *testing.T) {
	events := world(t)
	e := trained(t, events)
	req := loadOf(events)
	want, _ := e.Evaluate(req, now)
	e.Evaluate(Request{Kind: InboundLoad, Site: "new", Load: "new", Lines: []LineRequest{{SKU: "new"}}}, now)
	e.Evaluate(Request{Kind: StockPosition, Site: events[0].Site, Lines: []LineRequest{{SKU: "new", Location: "new"}}}, now)
	got, _ := e.Evaluate(req, now)
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
}
