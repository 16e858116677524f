package models

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Oracles: rows drawn from known probabilities, a grid of nearby parameters,
// and all ways to cut a few rows into steps.

// distorted draws margins whose true log-odds are slope*margin + shift.
func distorted(rows int, slope, shift float64) (margins, labels []float32) {
	random := rand.New(rand.NewPCG(21, 22))
	for range rows {
		m := random.NormFloat64() * 2
		y := float32(0)
		if random.Float64() < sigmoid(slope*m+shift) {
			y = 1
		}
		margins, labels = append(margins, float32(m)), append(labels, y)
	}
	return margins, labels
}

func TestCalibratorsFindTheTrueProbability(t *testing.T) {
	margins, labels := distorted(100_000, 0.5, -1)
	beta, err := FitBeta(margins, labels, nil)
	if err != nil {
		t.Fatal(err)
	}
	isotonic, err := FitIsotonic(margins, labels, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Calibrator{beta, isotonic} {
		for _, m := range []float32{-3, -1, 0, 1, 3} {
			if got, want := c.Probability(m), sigmoid(0.5*float64(m)-1); math.Abs(got-want) > 0.03 {
				t.Errorf("%T: probability at %v is %.3f, want %.3f", c, m, got, want)
			}
		}
	}
}

func TestBetaLeavesAGoodModelAlone(t *testing.T) {
	margins, labels := distorted(100_000, 1, 0)
	b, err := FitBeta(margins, labels, nil)
	if err != nil || math.Abs(b.A-1) > 0.05 || math.Abs(b.B-1) > 0.05 || math.Abs(b.C) > 0.05 {
		t.Errorf("fit %v, error %v, want about 1 1 0", b, err)
	}
}

func betaLoss(b Beta, margins, labels, weights []float32) float64 {
	var loss float64
	for i, m := range margins {
		p := b.Probability(m)
		loss -= weightOf(weights, i) * (float64(labels[i])*math.Log(p) + (1-float64(labels[i]))*math.Log(1-p))
	}
	return loss
}

func TestBetaIsTheBestOfItsNeighbours(t *testing.T) {
	for _, slope := range []float64{0.7, -0.8} { // the second puts A and B at their bound
		margins, labels := distorted(2000, slope, 0.5)
		weights := make([]float32, len(labels))
		for i := range weights {
			weights[i] = float32(1 + i%3)
		}
		best, err := FitBeta(margins, labels, weights)
		if err != nil {
			t.Fatal(err)
		}
		at := betaLoss(best, margins, labels, weights)
		for _, a := range []float64{-0.02, 0, 0.02} {
			for _, b := range []float64{-0.02, 0, 0.02} {
				for _, c := range []float64{-0.02, 0, 0.02} {
					near := Beta{best.A + a, best.B + b, best.C + c}
					if near.A >= 0 && near.B >= 0 && betaLoss(near, margins, labels, weights) < at-1e-6 {
						t.Errorf("slope %v: %v is better than %v", slope, near, best)
					}
				}
			}
		}
	}
}

// bestSteps is the least squared error of any non-decreasing sequence of
// steps over rows in order: the rates of all ways to cut them are tried.
func bestSteps(labels []float32) float64 {
	best := math.Inf(1)
	for cuts := range 1 << (len(labels) - 1) {
		var loss, last float64
		rising := true
		for first := 0; first < len(labels) && rising; {
			end := first + 1
			for end < len(labels) && cuts>>(end-1)&1 == 0 {
				end++
			}
			var rate float64
			for _, y := range labels[first:end] {
				rate += float64(y) / float64(end-first)
			}
			for _, y := range labels[first:end] {
				loss += (float64(y) - rate) * (float64(y) - rate)
			}
			rising = rate >= last
			last, first = rate, end
		}
		if rising {
			best = min(best, loss)
		}
	}
	return best
}

func TestIsotonicIsTheBestRisingFit(t *testing.T) {
	random := rand.New(rand.NewPCG(23, 24))
	for range 100 {
		margins, labels := make([]float32, 10), make([]float32, 10)
		for i := range labels {
			margins[i], labels[i] = float32(i), float32(random.IntN(2))
		}
		labels[3], labels[6] = 0, 1
		c, err := FitIsotonic(margins, labels, nil)
		if err != nil {
			t.Fatal(err)
		}
		var loss float64
		for i, y := range labels {
			d := float64(y) - c.Probability(margins[i])
			loss += d * d
		}
		if want := bestSteps(labels); math.Abs(loss-want) > 1e-4 {
			t.Fatalf("labels %v: squared error %v, best is %v", labels, loss, want)
		}
	}
}

func TestIsotonicKeepsTheModelsOrder(t *testing.T) {
	margins, labels := distorted(5000, 1, -2)
	c, err := FitIsotonic(margins, labels, nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(margins)
	for i := 1; i < len(margins); i++ {
		if margins[i] > margins[i-1] && c.Probability(margins[i]) <= c.Probability(margins[i-1]) {
			t.Fatalf("margins %v and %v tie", margins[i-1], margins[i])
		}
	}
}

func TestIsotonicTakesTiesAsOnePoint(t *testing.T) {
	c, err := FitIsotonic([]float32{2, 1, 1, 2}, []float32{1, 1, 0, 1}, []float32{1, 1, 3, 1})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Isotonic{Margins: []float64{1, 2}, Rates: []float64{0.25, 1}}, c); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestCalibratorsComeBackFromText(t *testing.T) {
	for _, c := range []Calibrator{
		Beta{0.1, 1.0 / 3, -1e-9},
		Isotonic{Margins: []float64{-3.5, 1.0 / 7}, Rates: []float64{0, 1}},
	} {
		got, err := ParseCalibrator(c.String())
		if diff := cmp.Diff(c, got); err != nil || diff != "" {
			t.Errorf("%v: error %v (-want +got):\n%s", c, err, diff)
		}
	}
	for _, text := range []string{
		"", "platt 1 2", "beta 1 1", "beta 1 NaN 0", "beta -1 1 0", "isotonic", "isotonic 1",
		"isotonic 1 0.5 0 0.6", "isotonic 0 0.5 1 0.4", "isotonic 0 2", "beta 1 1 Inf", "beta 1 x 0",
	} {
		if c, err := ParseCalibrator(text); err == nil {
			t.Errorf("%q is read as %v", text, c)
		}
	}
}

func FuzzParseCalibrator(f *testing.F) {
	f.Add("beta 1 1 0")
	f.Add("isotonic -1 0.25 2 0.5")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCalibrator(text)
		if err != nil {
			return
		}
		again, err := ParseCalibrator(c.String())
		if diff := cmp.Diff(c, again); err != nil || diff != "" {
			t.Errorf("%q: error %v (-first +again):\n%s", text, err, diff)
		}
		for _, m := range []float32{-100, 0, 100} {
			if p := c.Probability(m); !(p >= 0 && p <= 1) {
				t.Errorf("%q: probability at %v is %v", text, m, p)
			}
		}
	})
}

func TestCalibrationRefuses(t *testing.T) {
	for _, c := range []struct {
		name                     string
		margins, labels, weights []float32
	}{
		{"one class", []float32{1, 2}, []float32{1, 1}, nil},
		{"a label of 2", []float32{1, 2, 3}, []float32{0, 1, 2}, nil},
		{"a NaN margin", []float32{1, float32(math.NaN())}, []float32{0, 1}, nil},
		{"a negative weight", []float32{1, 2}, []float32{0, 1}, []float32{1, -1}},
		{"a class without weight", []float32{1, 2}, []float32{0, 1}, []float32{1, 0}},
		{"too few labels", []float32{1, 2}, []float32{0}, nil},
	} {
		if _, err := FitBeta(c.margins, c.labels, c.weights); err == nil {
			t.Errorf("beta accepts %s", c.name)
		}
		if _, err := FitIsotonic(c.margins, c.labels, c.weights); err == nil {
			t.Errorf("isotonic accepts %s", c.name)
		}
	}
}
