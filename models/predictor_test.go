package models

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The oracle is Model.Margin, itself checked against XGBoost in golden_test.go.

func TestPredictorEqualsTheModelToTheBit(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := randomModel(r, 1+r.IntN(7), r.IntN(30), r.IntN(10), seed%3 == 0)
		x := randomRows(r, m, r.IntN(100))
		p, err := NewPredictor(m)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, x.Rows)
		p.Margins(x, got)
		for i := range got {
			want := m.Margin(x.Row(i))
			if math.Float32bits(got[i]) != math.Float32bits(want) {
				t.Fatalf("seed %d, row %d: batch margin %v, want %v", seed, i, got[i], want)
			}
			if one := p.Margin(x.Row(i)); math.Float32bits(one) != math.Float32bits(want) {
				t.Fatalf("seed %d, row %d: margin %v, want %v", seed, i, one, want)
			}
		}
	}
}

func TestPredictorHandlesTreesThatDoNotFitFlatNodes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	m := randomModel(r, 5000, 12, 6, false) // more features than the flat nodes address
	m.Trees[3].Nodes[0].Feature = 4999
	x := randomRows(r, m, 9)
	got := make([]float32, x.Rows)
	m.Margins(x, got)
	for i := range got {
		if want := m.Margin(x.Row(i)); got[i] != want {
			t.Errorf("row %d: margin %v, want %v", i, got[i], want)
		}
	}
}

func TestPredictorWalksTreesWithHighCategories(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 5))
	m := randomModel(r, 3, 5, 5, true)
	high := 0
	for i := range m.Trees[1].Nodes {
		if n := &m.Trees[1].Nodes[i]; n.Categories != nil {
			n.Categories = []int32{1, mixedCategories - 1, mixedCategories}
			high++
		}
	}
	m.Trees[2].Nodes[0].Categories = nil // a numeric split on a feature that others split by category
	m.Trees[2].Nodes[0].Feature = 1
	p := m.mustCompile()
	if got := p.groups[1]; high == 0 || got.sort != walkedTrees || got.walk != &m.Trees[1] {
		t.Errorf("the second group is %+v", got)
	}
	x := randomRows(r, m, 50)
	for i := range x.Rows {
		x.Row(i)[1] = float32(r.IntN(2*mixedCategories)) / 2
	}
	got := make([]float32, x.Rows)
	p.Margins(x, got)
	for i := range x.Rows {
		want := m.Margin(x.Row(i))
		if one := p.Margin(x.Row(i)); one != want || got[i] != want {
			t.Errorf("row %d: margins %v and %v, want %v", i, one, got[i], want)
		}
	}
}

func TestFloatKeyOrdersAsFloats(t *testing.T) {
	inf := float32(math.Inf(1))
	ascending := []float32{-inf, -math.MaxFloat32, -1, -math.SmallestNonzeroFloat32, 0, math.SmallestNonzeroFloat32, 1, math.MaxFloat32, inf}
	for i := 1; i < len(ascending); i++ {
		if a, b := floatKey(ascending[i-1]), floatKey(ascending[i]); a >= b || a == 0 || b == math.MaxUint32 {
			t.Errorf("keys of %v and %v are %#x and %#x", ascending[i-1], ascending[i], a, b)
		}
	}
	if floatKey(float32(math.Copysign(0, -1))) != floatKey(0) {
		t.Error("-0 and 0 have different keys")
	}
}

func TestOneRowAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	m := randomModel(r, 10, 20, 6, true)
	x := randomRows(r, m, 1)
	p := m.mustCompile()
	for name, f := range map[string]func(){
		"Predictor.Margin": func() { p.Margin(x.Row(0)) },
		"Model.Margin":     func() { m.Margin(x.Row(0)) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 && !raceDetector {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestARowOfTheWrongWidthPanics(t *testing.T) {
	m := randomModel(rand.New(rand.NewPCG(3, 3)), 4, 2, 3, false)
	p := m.mustCompile()
	for name, f := range map[string]func(){
		"Model.Margin":      func() { m.Margin(make([]float32, 3)) },
		"Predictor.Margin":  func() { p.Margin(make([]float32, 5)) },
		"Predictor.Margins": func() { p.Margins(Matrix{Rows: 2, Cols: 4, Data: make([]float32, 8)}, make([]float32, 3)) },
		"Explain":           func() { NewExplainer(m).Explain(make([]float32, 4), make([]float64, 3)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}

// randomModel grows trees of any shape with thresholds on a coarse grid, so
// that values equal to thresholds are common.
func randomModel(r *rand.Rand, features, trees, depth int, categorical bool) *Model {
	m := &Model{Objective: Logistic, BaseScore: 0.3, Features: make([]string, features), Kinds: make([]Kind, features)}
	for f := range features {
		m.Features[f] = defaultName(f)
		if categorical && f%3 == 1 {
			m.Kinds[f] = Categorical
		}
	}
	for range trees {
		m.Trees = append(m.Trees, randomTree(r, m.Kinds, depth))
	}
	return m
}

func randomTree(r *rand.Rand, kinds []Kind, depth int) Tree {
	t := Tree{Nodes: []Node{{Cover: float32(8 + r.IntN(100))}}}
	levels := []int{0}
	for i := 0; i < len(t.Nodes); i++ {
		n := &t.Nodes[i]
		if levels[i] == depth || i > 0 && r.IntN(6) == 0 {
			n.Feature, n.Left, n.Value = -1, -1, float32(r.NormFloat64())
			continue
		}
		n.Feature, n.Left, n.Gain = int32(r.IntN(len(kinds))), int32(len(t.Nodes)), r.Float32()
		n.DefaultLeft = r.IntN(2) == 0
		if n.Threshold = float32(r.IntN(9)-4) / 2; kinds[n.Feature] == Categorical {
			n.Threshold = 0
			for c := range int32(6) {
				if r.IntN(2) == 0 || c == 5 && n.Categories == nil {
					n.Categories = append(n.Categories, c)
				}
			}
		}
		share := r.Float32()
		cover := n.Cover
		t.Nodes = append(t.Nodes, Node{Cover: cover * share}, Node{Cover: cover * (1 - share)})
		levels = append(levels, levels[i]+1, levels[i]+1)
	}
	return t
}

func randomRows(r *rand.Rand, m *Model, n int) Matrix {
	x := Matrix{Rows: n, Cols: len(m.Features), Data: make([]float32, n*len(m.Features))}
	special := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Copysign(0, -1)), 1e9}
	for i := range x.Data {
		switch {
		case r.IntN(8) == 0:
			x.Data[i] = special[r.IntN(len(special))]
		case m.Kinds[i%x.Cols] == Categorical:
			x.Data[i] = float32(r.IntN(9))
		default:
			x.Data[i] = float32(r.IntN(13)-6) / 2
		}
	}
	return x
}
