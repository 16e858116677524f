package models

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/trees"
)

// hits is the share of rows whose label the predictions order rightly around
// the middle of their range.
func hits(d Dataset, predict func([]float32) float64, cut float64) float64 {
	n := 0
	for i, y := range d.Y {
		if (predict(d.X.Row(i)) >= cut) == (y == 1) {
			n++
		}
	}
	return float64(n) / float64(len(d.Y))
}

func TestChallengersLearnTablesWithMissingValues(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	d, truth := logisticRows(r, 600)
	most := hits(d, func(row []float32) float64 { return 0 }, 0.5)
	best := 0.0
	for _, p := range truth {
		best += max(p, 1-p) / float64(len(truth))
	}
	forest, err := FitForest(context.Background(), d, 15, 3, r)
	if err != nil {
		t.Fatal(err)
	}
	bayes, err := FitBayes(d, r)
	if err != nil {
		t.Fatal(err)
	}
	for name, predict := range map[string]func([]float32) float64{"forest": forest.Predict, "bayes": bayes.Predict} {
		if got := hits(d, predict, 0.5); got < max(most, 1-most)+0.02 {
			t.Errorf("%s: %.3f right, one class alone %.3f, the best possible about %.3f", name, got, max(most, 1-most), best)
		}
	}
}

// TestFlattenedID3AgreesWithGolearn compares a flattened tree with golearn's
// own predictions, row by row.
func TestFlattenedID3AgreesWithGolearn(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 4))
	d, _ := logisticRows(r, 200)
	s, err := impute(d, r)
	if err != nil {
		t.Fatal(err)
	}
	attributes := []base.Attribute{base.NewFloatAttribute("f0"), base.NewFloatAttribute("f1"), base.NewFloatAttribute("f2")}
	in := instances(attributes, s.labels, func(row, c int) []byte { return base.PackFloatToBytes(float64(s.rows[row][c])) })
	learner := trees.NewID3DecisionTree(0)
	if err := learner.Fit(in); err != nil {
		t.Fatal(err)
	}
	tree := flattenID3(learner.Root, map[string]int{"f0": 0, "f1": 1, "f2": 2}, s.medians)
	predicted, err := learner.Predict(in)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range s.rows {
		share := tree.leaf(row)
		if share == 0.5 {
			continue // a tie, which golearn breaks by chance
		}
		if got := base.GetClass(predicted, i); (got == "1") != (share > 0.5) {
			t.Errorf("row %d: golearn says %s, the leaf has %v positive", i, got, share)
		}
	}
}

func TestTheForestKeepsToItsTime(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 4))
	d, _ := logisticRows(r, 100)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FitForest(ctx, d, 5, 2, r); err == nil || !strings.Contains(err.Error(), "time ran out") {
		t.Errorf("error is %v", err)
	}
}

func TestChallengersRefuseOneClass(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 4))
	d, _ := logisticRows(r, 50)
	clear(d.Y)
	if _, err := FitForest(context.Background(), d, 5, 2, r); err == nil {
		t.Error("the forest accepts one class")
	}
	if _, err := FitBayes(d, r); err == nil {
		t.Error("naive Bayes accepts one class")
	}
}

func TestTheSampleKeepsTheShareOfPositives(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 4))
	d, _ := logisticRows(r, 3*golearnRows)
	s, err := impute(d, r)
	if err != nil {
		t.Fatal(err)
	}
	share := func(n int, positive func(int) bool) float64 {
		k := 0
		for i := range n {
			if positive(i) {
				k++
			}
		}
		return float64(k) / float64(n)
	}
	want := share(len(d.Y), func(i int) bool { return d.Y[i] == 1 })
	got := share(len(s.labels), func(i int) bool { return s.labels[i] })
	if len(s.rows) > golearnRows || len(s.rows) < golearnRows-2 || math.Abs(got-want) > 1e-3 {
		t.Errorf("%d rows with %v positive, want %d with %v", len(s.rows), got, golearnRows, want)
	}
}

func TestFirstAbove(t *testing.T) {
	for _, v := range []float64{0, 1, -1, 0.1, -0.1, 1e30, math.Nextafter(1, 2), math.Nextafter(1, 0)} {
		f := firstAbove(v)
		if !(float64(f) > v) || float64(math.Nextafter32(f, float32(math.Inf(-1)))) > v {
			t.Errorf("firstAbove(%v) is %v", v, f)
		}
	}
}

func TestConfusionReport(t *testing.T) {
	got, err := ConfusionReport([]float32{0, 0, 1, 1}, []float64{0.1, 0.9, 0.8, 0.2}, 0.5)
	if err != nil || !strings.Contains(got, "Overall accuracy: 0.5") || strings.Index(got, "\n0\t") > strings.Index(got, "\n1\t") {
		t.Errorf("got %v:\n%s", err, got)
	}
	if _, err := ConfusionReport([]float32{2}, []float64{0.1}, 0.5); err == nil {
		t.Error("label 2 is accepted")
	}
}
