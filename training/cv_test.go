package training

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"tallyman/features"
	"tallyman/scoring"
	"tallyman/warehouse"
)

func readAll(t testing.TB, path string) []warehouse.Event {
	f, err := os.Open(path)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	r, err := warehouse.NewReader(f, warehouse.ReadOptions{Source: "x", Now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	var out []warehouse.Event
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
}

// Inner: only the training period.
func TestInner(t *testing.T) {
	all := readAll(t, "../../shared/data/counts-clinics/events.csv.gz")
	end := time.Date(2018, 6, 30, 23, 59, 59, 0, time.UTC)
	var ev []warehouse.Event
	for _, e := range all {
		if !e.OccurredAt.After(end) {
			ev = append(ev, e)
		}
	}
	for _, w := range [][2]string{{"2017-06-30", "2017-12-31"}, {"2017-12-31", "2018-06-30"}, {"2017-03-31", "2018-03-31"}} {
		a, _ := time.Parse("2006-01-02", w[0])
		b, _ := time.Parse("2006-01-02", w[1])
		start := time.Now()
		bt, err := Plan{Target: Target{features.PositionSubject, scoring.Variance, 0}, TrainUntil: a.Add(86399e9), TestUntil: b.Add(86399e9), Threads: 2}.Run(context.Background(), ev)
		if err != nil {
			t.Fatal(err)
		}
		j, _ := json.Marshal(bt.Settings)
		t.Logf("%v %v train %v test %v AUC %.4f lift10 %.3f ece %.4f | noneg AUC %.4f lift %.3f ece %.4f\n%s", w, time.Since(start), bt.Train, bt.Test, bt.Metrics.AUC, bt.Metrics.Lift["0.10"], *bt.Metrics.ECE, bt.WithoutNegativeBook.AUC, bt.WithoutNegativeBook.Lift["0.10"], *bt.WithoutNegativeBook.ECE, j)
		for n, m := range bt.Baselines {
			t.Logf("   %s %.3f %.2f", n, m.AUC, m.Lift["0.10"])
		}
		for _, f := range bt.Features[:10] {
			t.Logf("   %s %.3f", f.Feature, f.Share)
		}
	}
}
