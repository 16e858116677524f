package models

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Oracle: the same model fitted to the same facts told another way.

func sameMargins(t *testing.T, want, got []float32) {
	t.Helper()
	for r := range want {
		if want[r] != got[r] {
			t.Fatalf("row %d: margin %v, want %v", r, got[r], want[r])
		}
	}
}

func TestOrderOfColumnsDoesNotMatter(t *testing.T) {
	d := synthetic(3000, 8)
	order := rand.New(rand.NewPCG(1, 2)).Perm(d.X.Cols)
	shuffled := Dataset{X: Matrix{Rows: d.X.Rows, Cols: d.X.Cols}, Y: d.Y}
	for r := range d.X.Rows {
		for _, c := range order {
			shuffled.X.Data = append(shuffled.X.Data, d.X.Row(r)[c])
		}
	}
	for _, c := range order {
		shuffled.Names = append(shuffled.Names, d.Names[c])
	}
	// Nodes of many rows: in small ones two features may split alike, and then
	// the first one wins.
	large := func(p *Params) { p.Depth, p.MinChildWeight = 3, 20 }
	sameMargins(t, margins(fit(t, d, large), d.X), margins(fit(t, shuffled, large), shuffled.X))
}

func TestRowsTwiceAtHalfWeightAreTheRows(t *testing.T) {
	d := synthetic(3000, 9)
	twice := Dataset{X: Matrix{Rows: 2 * d.X.Rows, Cols: d.X.Cols}, Names: d.Names}
	for range 2 {
		twice.X.Data, twice.Y = append(twice.X.Data, d.X.Data...), append(twice.Y, d.Y...)
	}
	for range twice.Y {
		twice.Weight = append(twice.Weight, 0.5)
	}
	for _, o := range []Objective{Logistic, SquaredError} {
		change := func(p *Params) { p.Objective, p.Trees = o, 5 }
		once, halves := margins(fit(t, d, change), d.X), margins(fit(t, twice, change), d.X)
		for r := range once {
			if math.Abs(float64(once[r]-halves[r])) > 1e-3 {
				t.Fatalf("%s, row %d: margin %v, %v from halves", o, r, once[r], halves[r])
			}
		}
	}
}

func TestRowsOfNoWeightAreNotThere(t *testing.T) {
	d := synthetic(3000, 10)
	d.Weight = make([]float32, d.X.Rows)
	for r := range 1500 {
		d.Weight[r] = 1
	}
	half := Dataset{X: Matrix{Rows: 1500, Cols: d.X.Cols, Data: d.X.Data[:1500*d.X.Cols]}, Y: d.Y[:1500], Names: d.Names}
	few := func(p *Params) { p.Trees, p.Bins = 5, 200 }
	all, part := fit(t, d, few), fit(t, half, few)
	a, b := all.Objective.loss(margins(all, half.X), half.Y, nil), part.Objective.loss(margins(part, half.X), half.Y, nil)
	if math.Abs(a-b) > 0.01*b {
		t.Errorf("loss %v with weightless rows, %v without them", a, b)
	}
}

func TestMonotoneTransformsOfAFeatureChangeNothing(t *testing.T) {
	d := synthetic(3000, 11)
	bent := d
	bent.X.Data = slices.Clone(d.X.Data)
	for r := range d.X.Rows {
		row := bent.X.Row(r)
		row[0] = float32(math.Atan(float64(row[0]))) * 100
		row[1] = -1 / (1 + row[1])
	}
	sameMargins(t, margins(fit(t, d, nil), d.X), margins(fit(t, bent, nil), bent.X))
}

func TestColumnsWithNothingToSayAreNotUsed(t *testing.T) {
	d := synthetic(2000, 12)
	nothing := Dataset{X: Matrix{Rows: d.X.Rows, Cols: d.X.Cols + 2}, Y: d.Y, Names: append(slices.Clone(d.Names), "constant", "missing")}
	for r := range d.X.Rows {
		nothing.X.Data = append(append(nothing.X.Data, d.X.Row(r)...), 7, float32(math.NaN()))
	}
	m := fit(t, nothing, nil)
	for _, tree := range m.Trees {
		for _, n := range tree.Nodes {
			if n.Feature >= int32(d.X.Cols) {
				t.Fatalf("a split uses column %s", m.Features[n.Feature])
			}
		}
	}
	sameMargins(t, margins(fit(t, d, nil), d.X), margins(m, nothing.X))
}

func TestOneClassAndOneRow(t *testing.T) {
	one := synthetic(500, 13)
	for r := range one.Y {
		one.Y[r] = 1
	}
	single := Dataset{X: Matrix{Rows: 1, Cols: 2, Data: []float32{1, 2}}, Y: []float32{0}, Names: []string{"a", "b"}}
	for _, c := range []struct {
		name string
		d    Dataset
		want func(p float64) bool
	}{
		{"only positives", one, func(p float64) bool { return p > 0.9 }},
		{"one negative row", single, func(p float64) bool { return p > 0 && p < 0.5 }},
	} {
		m := fit(t, c.d, func(p *Params) { p.Trees, p.L2 = 50, 0 }) // without L2 no gain is below 0
		for i, tree := range m.Trees {
			if len(tree.Nodes) != 1 {
				t.Fatalf("%s: tree %d splits", c.name, i)
			}
		}
		if p := m.Predict(c.d.X.Row(0)); !c.want(p) {
			t.Errorf("%s: predicts %v", c.name, p)
		}
	}
}

func TestManyCategories(t *testing.T) {
	const rows, categories = 100_000, 65_000
	random := rand.New(rand.NewPCG(14, 15))
	d := Dataset{
		X: Matrix{Rows: rows, Cols: 2}, Names: []string{"sku", "noise"}, Kinds: []Kind{Categorical, Numeric},
	}
	for range rows {
		sku := random.IntN(categories)
		if random.IntN(2) == 0 {
			sku = random.IntN(200) // half of the rows are of few SKUs
		}
		p := 0.2
		if sku < 200 && sku%2 == 0 {
			p = 0.8
		}
		y := float32(0)
		if random.Float64() < p {
			y = 1
		}
		d.X.Data, d.Y = append(d.X.Data, float32(sku), random.Float32()), append(d.Y, y)
	}
	m := fit(t, d, func(p *Params) { p.Trees, p.Eta = 10, 0.3 })
	for _, c := range []struct {
		sku  float32
		want float64
	}{{42, 0.8}, {43, 0.2}, {64_999, 0.2}, {1_000_000, 0.2}} {
		if got := m.Predict([]float32{c.sku, 0.5}); math.Abs(got-c.want) > 0.1 {
			t.Errorf("SKU %v: probability %.3f, want about %v", c.sku, got, c.want)
		}
	}
	for _, tree := range m.Trees {
		for _, n := range tree.Nodes {
			if len(n.Categories) > maxRightCategories || !slices.IsSorted(n.Categories) {
				t.Fatalf("a split lists %d categories %v", len(n.Categories), n.Categories)
			}
		}
	}
}

func TestFitRefuses(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name   string
		change func(*Dataset, *Params)
		want   string
	}{
		{"no rows", func(d *Dataset, _ *Params) { *d = Dataset{X: Matrix{Cols: 2}, Names: d.Names} }, "0 rows"},
		{"infinity", func(d *Dataset, _ *Params) { d.X.Data[8*3+2] = inf }, "row 3, column x2: value is +Inf"},
		{"minus infinity", func(d *Dataset, _ *Params) { d.X.Data[8*4+1] = -inf }, "row 4, column x1: value is -Inf"},
		{"the largest float", func(d *Dataset, _ *Params) { d.X.Data[0] = math.MaxFloat32 }, "row 0, column x0: value is 3.4028235e+38"},
		{"a label of 2", func(d *Dataset, _ *Params) { d.Y[5] = 2 }, "row 5: label is 2"},
		{"a missing label", func(d *Dataset, _ *Params) { d.Y[6] = float32(math.NaN()) }, "row 6: label is NaN"},
		{"a negative weight", func(d *Dataset, _ *Params) { d.Weight = make([]float32, 50); d.Weight[7] = -1 }, "row 7: weight is -1"},
		{"no weight", func(d *Dataset, _ *Params) { d.Weight = make([]float32, 50) }, "weight 0"},
		{"a fractional category", func(d *Dataset, _ *Params) { d.Kinds = make([]Kind, 8); d.Kinds[7] = Categorical }, "column x7: category is 0."},
		{"too few labels", func(d *Dataset, _ *Params) { d.Y = d.Y[1:] }, "49 labels for 50 rows"},
		{"a negative count", func(d *Dataset, p *Params) { p.Objective = Poisson; d.Y[9] = -1 }, "row 9: label is -1"},
		{"no trees", func(_ *Dataset, p *Params) { p.Trees = 0 }, "trees is 0"},
		{"an unknown objective", func(_ *Dataset, p *Params) { p.Objective = "rank:map" }, `"rank:map" is unknown`},
		{"an impossible start", func(_ *Dataset, p *Params) { p.BaseScore = 1 }, "base score is 1"},
		{"too many bins", func(_ *Dataset, p *Params) { p.Bins = 256 }, "bins is 256"},
		{"a NaN penalty", func(_ *Dataset, p *Params) { p.L2 = math.NaN() }, "l2 is NaN"},
		{"a short monotone", func(_ *Dataset, p *Params) { p.Monotone = []int8{1} }, "1 signs for 8 columns"},
	} {
		d, p := synthetic(50, 1), quickParams()
		c.change(&d, &p)
		if _, _, err := Fit(t.Context(), d, nil, p, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want it to say %q", c.name, err, c.want)
		}
	}
}

func TestFitStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := synthetic(500, 1)
	_, _, err := Fit(ctx, d, nil, quickParams(), func(r Round) {
		if r.Tree == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "tree 4") {
		t.Errorf("error is %v", err)
	}
}

func TestEarlyStoppingKeepsTheBestTree(t *testing.T) {
	train, later := synthetic(1500, 16), synthetic(3000, 17)
	p := DefaultParams()
	p.Trees, p.Eta, p.EarlyStopping, p.Threads = 300, 0.3, 10, 1
	m, report, err := Fit(t.Context(), train, &later, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	best := slices.MinFunc(report.Rounds, func(a, b Round) int {
		if a.ValidLoss < b.ValidLoss {
			return -1
		}
		return 1
	})
	if len(m.Trees) != best.Tree || report.BestIteration != best.Tree || len(report.Rounds) != best.Tree+10 {
		t.Errorf("model has %d trees, report says %d after %d rounds, best was %d",
			len(m.Trees), report.BestIteration, len(report.Rounds), best.Tree)
	}
	if got := m.Objective.loss(margins(m, later.X), later.Y, nil); got != best.ValidLoss {
		t.Errorf("loss of the model is %v, of the best round %v", got, best.ValidLoss)
	}
}

func TestSamplingIsSeeded(t *testing.T) {
	d := synthetic(3000, 18)
	sampled := func(seed uint64) *Model {
		return fit(t, d, func(p *Params) { p.RowSample, p.ColSample, p.Seed = 0.6, 0.5, seed })
	}
	one := sampled(1)
	if again := sampled(1); !bytes.Equal(fileOf(t, one), fileOf(t, again)) {
		t.Errorf("same seed, other model:\n%s", cmp.Diff(one, again))
	}
	if bytes.Equal(fileOf(t, one), fileOf(t, sampled(2))) {
		t.Error("other seed, same model")
	}
	for _, tree := range one.Trees {
		if cover := tree.Nodes[0].Cover; cover > 0.7*3000/4 {
			t.Errorf("a tree sees Hessians of %v, more than 60 %% of the rows have", cover)
		}
	}
}

func TestEveryObjectiveLearnsItsMean(t *testing.T) {
	random := rand.New(rand.NewPCG(19, 20))
	const rows = 4000
	d := Dataset{X: Matrix{Rows: rows, Cols: 1}, Names: []string{"x"}}
	mean := func(x float32) float64 { return 1 + 3*float64(x) }
	for range rows {
		x := random.Float32()
		d.X.Data = append(d.X.Data, x)
		d.Y = append(d.Y, float32(mean(x)*random.ExpFloat64()))
	}
	for _, o := range []Objective{SquaredError, Poisson, Gamma, Tweedie} {
		m := fit(t, d, func(p *Params) { p.Objective, p.Trees, p.Depth = o, 100, 2 })
		for _, x := range []float32{0.2, 0.5, 0.8} {
			if got, want := m.Predict([]float32{x}), mean(x); math.Abs(got-want) > 0.25*want {
				t.Errorf("%s at %v: mean %.2f, want about %.2f", o, x, got, want)
			}
		}
	}
}
