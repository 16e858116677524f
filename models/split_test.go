package models

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Oracle: every split that exists, tried on the rows themselves. The first
// tree of a squared-error fit of depth 1 must be the best of them.

// tinyTable has few rows, so that splits can be enumerated.
func tinyTable(random *rand.Rand, kind Kind) Dataset {
	rows := 8 + random.IntN(30)
	d := Dataset{
		X: Matrix{Rows: rows, Cols: 1, Data: make([]float32, rows)}, Y: make([]float32, rows),
		Names: []string{"x"}, Kinds: []Kind{kind},
	}
	for r := range rows {
		d.X.Data[r] = float32(random.IntN(7))
		if random.IntN(5) == 0 {
			d.X.Data[r] = float32(math.NaN())
		}
		d.Y[r] = float32(random.NormFloat64())
	}
	return d
}

// bestByRows returns the largest gain over all sets of values that may go
// right, with missing values on either side.
func bestByRows(d Dataset, p Params, mayGoRight func(set int) bool) float64 {
	base, best := meanLabel(d), 0.0
	pen := penalty{l1: p.L1, l2: p.L2, minChildWeight: p.MinChildWeight}
	for set := range 1 << 8 { // bit v: value v goes right; bit 7: missing does
		if !mayGoRight(set) {
			continue
		}
		var left, right sums
		for r, y := range d.Y {
			bit := 7
			if v := d.X.Data[r]; v == v {
				bit = int(v)
			}
			row := sums{base - float64(y), 1}
			if set>>bit&1 == 1 {
				right = right.plus(row)
			} else {
				left = left.plus(row)
			}
		}
		if pen.allows(left) && pen.allows(right) {
			best = max(best, pen.score(left)+pen.score(right)-pen.score(left.plus(right)))
		}
	}
	return best
}

func stump(t *testing.T, d Dataset, change func(*Params)) (Tree, Params) {
	t.Helper()
	p := DefaultParams()
	p.Objective, p.Trees, p.Depth, p.Eta, p.Threads = SquaredError, 1, 1, 1, 1
	change(&p)
	m, _, err := Fit(t.Context(), d, nil, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.Trees[0], p
}

func TestSplitIsTheBestThereIs(t *testing.T) {
	rising := func(set int) bool { // values from some one on go right
		values := set & 0x7f
		return values == 0 || values|(values&-values-1) == 0x7f
	}
	anySet := func(int) bool { return true }
	for _, c := range []struct {
		name    string
		kind    Kind
		allowed func(int) bool
		change  func(*Params)
	}{
		{"numeric", Numeric, rising, func(*Params) {}},
		{"categorical", Categorical, anySet, func(*Params) {}},
		{"with L1 and L2", Numeric, rising, func(p *Params) { p.L1, p.L2 = 0.5, 3 }},
		{"with heavy children", Numeric, rising, func(p *Params) { p.MinChildWeight = 5 }},
		{"without penalty", Categorical, anySet, func(p *Params) { p.L2 = 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(11, 12))
			for range 100 {
				d := tinyTable(random, c.kind)
				tree, p := stump(t, d, c.change)
				want := bestByRows(d, p, c.allowed)
				if want <= minGain {
					want = 0
				}
				if got := float64(tree.Nodes[0].Gain); math.Abs(got-want) > 1e-4*(1+want) && !(c.kind == Categorical && p.L2 > 0 && got > 0.9*want) {
					t.Fatalf("gain %v, best is %v\nx %v\ny %v", got, want, d.X.Data, d.Y)
				}
			}
		})
	}
}

func TestMinGainStopsSplits(t *testing.T) {
	d := tinyTable(rand.New(rand.NewPCG(1, 1)), Numeric)
	tree, _ := stump(t, d, func(*Params) {})
	gain := float64(tree.Nodes[0].Gain)
	if tree, _ = stump(t, d, func(p *Params) { p.MinGain = gain * 1.01 }); len(tree.Nodes) != 1 {
		t.Errorf("a split of gain %v passed a higher bar", gain)
	}
	if tree, _ = stump(t, d, func(p *Params) { p.MinGain = gain * 0.99 }); len(tree.Nodes) != 3 {
		t.Errorf("a split of gain %v did not pass a lower bar", gain)
	}
}

func TestMissingGoesWithTheHeavierChildWhenNoneWasSeen(t *testing.T) {
	d := Dataset{
		X: Matrix{Rows: 6, Cols: 1, Data: []float32{1, 1, 2, 2, 2, 2}}, Y: []float32{0, 0, 5, 5, 5, 5}, Names: []string{"x"},
	}
	tree, _ := stump(t, d, func(*Params) {})
	if tree.Nodes[0].DefaultLeft {
		t.Error("missing goes left, to the child of two rows")
	}
}
