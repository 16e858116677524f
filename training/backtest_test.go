package training

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tallyman/features"
	"tallyman/fixtures"
	"tallyman/scoring"
	"tallyman/warehouse"
)

// realEvents reads reference data, or skips the test where it is not beside
// the checkout.
func realEvents(tb testing.TB, name string) []warehouse.Event {
	tb.Helper()
	dir := os.Getenv("TALLYMAN_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		tb.Skipf("reference data is not here (set TALLYMAN_DATA): %v", err)
	}
	defer f.Close()
	r, err := warehouse.NewReader(f, warehouse.ReadOptions{Source: "test", Now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		tb.Fatal(err)
	}
	var events []warehouse.Event
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			tb.Fatal(err)
		}
		events = append(events, e)
	}
}

func until(day string) time.Time {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err)
	}
	return at.AddDate(0, 0, 1).Add(-time.Microsecond)
}

// A window inside the training period of the published figures: the model
// beats every rule, and its probabilities are true.
func TestRealCounts(t *testing.T) {
	end := until("2018-06-30")
	events := slices.DeleteFunc(realEvents(t, "counts-clinics/events.csv.gz"), func(e warehouse.Event) bool { return e.OccurredAt.After(end) })
	plan := Plan{
		Target:     Target{Subject: features.PositionSubject, Outcome: scoring.Variance},
		TrainUntil: until("2017-12-31"), TestUntil: end, Seed: 1, Threads: 2,
	}
	b, err := plan.Run(context.Background(), events)
	if err != nil {
		t.Fatal(err)
	}
	if b.Test.Examples < 2000 || b.Train.Examples < 9000 {
		t.Errorf("%v trained, %v tested", b.Train, b.Test)
	}
	for name, base := range b.Baselines {
		if base.AUC >= b.Metrics.AUC || base.Lift["0.10"] >= b.Metrics.Lift["0.10"] {
			t.Errorf("%s: AUC %.3f, lift %.2f, the model has %.3f and %.2f", name, base.AUC, base.Lift["0.10"], b.Metrics.AUC, b.Metrics.Lift["0.10"])
		}
	}
	if *b.Metrics.ECE > 0.02 {
		t.Errorf("calibration error %.4f", *b.Metrics.ECE)
	}
	var page strings.Builder
	if err := b.WriteHTML(&page); err != nil || !strings.Contains(page.String(), "erred before") {
		t.Errorf("report: %v", err)
	}
	if _, err := json.Marshal(b); err != nil {
		t.Errorf("json: %v", err)
	}
}

// Loads that come late are told better than by their suppliers' rates alone,
// and probabilities follow a base rate that drifts: in 2010 to where it had
// never been, in 2011 down again.
func TestRealLoads(t *testing.T) {
	for _, year := range []string{"2010", "2011"} {
		end := until(year + "-12-31")
		events := slices.DeleteFunc(realEvents(t, "loads-pharma/events.csv.gz"), func(e warehouse.Event) bool {
			return e.OccurredAt.After(until("2012-12-31")) // a year that is not for tests begins
		})
		plan := Plan{
			Target:     Target{Subject: features.LoadSubject, Outcome: scoring.Late},
			TrainUntil: end.AddDate(-1, 0, 0), TestUntil: end, Seed: 1, Threads: 2,
		}
		b, err := plan.Run(t.Context(), events)
		if err != nil {
			t.Fatal(err)
		}
		announced := 0
		for i := range events {
			if e := &events[i]; e.Type == warehouse.ASN && !e.OccurredAt.After(plan.TrainUntil) {
				announced++
			}
		}
		if b.Train.Examples > announced {
			t.Errorf("%s: learned from %d outcomes of %d lines", year, b.Train.Examples, announced)
		}
		if supplier := b.Baselines["supplier rate"]; supplier.AUC >= b.Metrics.AUC {
			t.Errorf("%s: AUC %.3f, the supplier rate has %.3f", year, b.Metrics.AUC, supplier.AUC)
		}
		if *b.Metrics.ECE > 0.15 {
			t.Errorf("%s: calibration error %.3f", year, *b.Metrics.ECE)
		}
		if all := settings(scoring.Late, b.Train.Examples)[0].params.Trees; len(b.Settings) != 1 || b.Settings[0].Trees != all {
			t.Errorf("%s: slices of a rate that drifts chose among %v", year, b.Settings)
		}
	}
}

// A result that depended on threads could not be compared with another.
func TestThreadsDoNotShow(t *testing.T) {
	end := until("2026-06-30")
	world, err := fixtures.New(fixtures.Config{Sites: 2, SKUs: 30, Days: 120, Seed: 2, End: end, CountEvery: [3]int{7, 14, 28}})
	if err != nil {
		t.Fatal(err)
	}
	events := slices.Collect(world.Events())
	var got []string
	for _, threads := range []int{1, 3} {
		plan := Plan{
			Target:     Target{Subject: features.PositionSubject, Outcome: scoring.Variance},
			TrainUntil: until("2026-05-31"), TestUntil: end, Seed: 1, Threads: threads,
		}
		b, err := plan.Run(t.Context(), events)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	if got[0] != got[1] {
		t.Errorf("three threads give another result than one:\n%s\n%s", got[0], got[1])
	}
}

func TestPlansThatCannotBe(t *testing.T) {
	good := Plan{Target: Target{Subject: features.PositionSubject, Outcome: scoring.Variance}, TrainUntil: until("2018-06-30"), TestUntil: until("2019-06-30"), Threads: 1}
	for name, change := range map[string]func(*Plan){
		"a position is not late":     func(p *Plan) { p.Outcome = scoring.Late },
		"a negative tolerance":       func(p *Plan) { p.Tolerance = -1 },
		"a test before the training": func(p *Plan) { p.TestUntil = until("2018-01-01") },
		"no events at all":           func(*Plan) {},
	} {
		p := good
		change(&p)
		if _, err := p.Run(context.Background(), nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Where nothing can be told apart, the error says what there is, so that other
// dates can be chosen.
func TestAWindowWithoutOutcomesSaysWhatThereIs(t *testing.T) {
	p := Plan{Target: Target{Subject: features.PositionSubject, Outcome: scoring.Variance}, TrainUntil: until("2018-06-30"), TestUntil: until("2019-06-30"), Threads: 1}
	counted := []warehouse.Event{{
		ID: "c", Source: "test", Type: warehouse.Count, Site: "S", SKU: "A", OccurredAt: until("2017-03-04"),
		Qty: warehouse.Some(warehouse.Unit), Book: warehouse.Some(warehouse.Unit),
	}}
	for says, events := range map[string][]warehouse.Event{
		"none of the 0 events is of type count":                 nil,
		"1 events of type count, from 2017-03-04 to 2017-03-04": counted,
	} {
		if _, err := p.Run(t.Context(), events); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s", err, says)
		}
	}
}

// Slices inside the training period may hold one class only; the report and the
// figures then go without their AUC.
func TestSlicesOfOneClassHaveNoAUC(t *testing.T) {
	one := &crossValidation{margins: []float32{1, 2}, y: []float32{0, 0}}
	both := &crossValidation{margins: []float32{1, 2}, y: []float32{0, 1}}
	if one.auc() != nil || both.auc() == nil || *both.auc() != 1 {
		t.Fatalf("AUC %v and %v", one.auc(), both.auc())
	}
	zero := 0.0
	b := &Backtest{Metrics: Metrics{Brier: &zero, ECE: &zero}, Settings: []Choice{{Setting: "core", AUC: one.auc()}}}
	if text, err := json.Marshal(b); err != nil || !strings.Contains(string(text), `"auc":null`) {
		t.Errorf("json: %v %s", err, text)
	}
	if err := b.WriteHTML(io.Discard); err != nil {
		t.Errorf("report: %v", err)
	}
}
