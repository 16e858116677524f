package models

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Oracle: gradients summed row by row from raw values, feature by feature.

// rootHistogram fits nothing: it returns a booster and the sums of all rows.
func rootHistogram(d Dataset, p Params) (*booster, histogram) {
	team := newCrew(p.Threads)
	defer team.dismiss()
	b := newBooster(d, p, newModel(d, p), team)
	root := b.grower.newRoot()
	b.record(0, root)
	for word := range b.partition.bins.words {
		b.ledger.complete(0, word)
	}
	return b, root.histogram
}

func TestHistogramsHoldTheSumsOfEachBin(t *testing.T) {
	d := synthetic(3000, 4)
	random := rand.New(rand.NewPCG(9, 9))
	d.Weight = make([]float32, d.X.Rows)
	for r := range d.Weight {
		d.Weight[r] = random.Float32()
	}
	for _, o := range []Objective{Logistic, SquaredError} {
		p := quickParams()
		p.Objective = o
		b, h := rootHistogram(d, p)
		base := o.Margin(newModel(d, p).BaseScore)
		s := search{splitter: b.grower.splitter, node: &growNode{histogram: h}, column: -1}
		for f, feature := range b.partition.bins.features {
			want := make([]sums, feature.count())
			lookup := newBinSearch(feature)
			for r, y := range d.Y {
				g, hessian := o.gradient(base, y)
				w := float64(d.Weight[r])
				bin := &want[lookup.numeric(d.X.Row(r)[f])]
				*bin = bin.plus(sums{g * w, hessian * w})
			}
			s.load(f)
			for bin, got := range s.cells[:feature.count()] {
				if math.Abs(got.g-want[bin].g) > 1e-3 || math.Abs(got.h-want[bin].h) > 1e-3 {
					t.Errorf("%s, feature %d, bin %d: sums %v, want %v", o, f, bin, got, want[bin])
				}
			}
		}
	}
}

func TestPackedSumsSurviveAnyOrderAndSubtraction(t *testing.T) {
	d := synthetic(40000, 5)
	p := quickParams()
	b, parent := rootHistogram(d, p)
	_, again := rootHistogram(d, p)
	for i := range parent.packed {
		if parent.packed[i] != again.packed[i] {
			t.Fatalf("cell %d differs between two runs", i)
		}
	}
	for word := range b.partition.bins.words {
		b.ledger.subtract(parent, again, word)
	}
	for i, gh := range parent.packed {
		if gh != 0 {
			t.Fatalf("cell %d is %d after taking everything out", i, gh)
		}
	}
}

func TestScalesFollowTheGradients(t *testing.T) {
	bins := &binned{rows: 4, words: 1, shardRows: 256}
	l := newPackedLedger(bins, newPartition(bins, 1), 4)
	before := l.gScale
	l.prepare()
	if !l.settle([]tally{{g: 1 << 20, h: 1 << 20}}) {
		t.Error("the first pass only measures, so it must be repeated")
	}
	if l.prepare(); l.gScale <= before {
		t.Errorf("scale is %v after small sums, was %v", l.gScale, before)
	}
	if l.settle([]tally{{g: 1 << 30}, {h: 1 << 30}}) {
		t.Error("sums that fit must not be repeated")
	}
	l.prepare()
	before = l.gScale
	if !l.settle([]tally{{g: 1 << 33, h: 1 << 20}}) {
		t.Error("sums that overflow must be repeated")
	}
	if l.prepare(); l.gScale > before/4 {
		t.Errorf("scale is %v after sums four times too large, was %v", l.gScale, before)
	}
}

func TestPackedOnlyWhereFixedPointHolds(t *testing.T) {
	skewed := []float32{1e6, 1, 1, 1}
	for range 4000 {
		skewed = append(skewed, 1)
	}
	for _, c := range []struct {
		name    string
		o       Objective
		weights []float32
		rows    int
		want    bool
	}{
		{"logistic", Logistic, nil, 1000, true},
		{"unbounded gradients", Gamma, nil, 1000, false},
		{"too many rows", Logistic, nil, 1<<24 + 1, false},
		{"one row outweighs the rest", Logistic, skewed, len(skewed), false},
	} {
		if got := packable(c.o, c.weights, c.rows); got != c.want {
			t.Errorf("%s: packable is %v", c.name, got)
		}
	}
}
