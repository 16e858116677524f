package models

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// The oracles are the definition of the Shapley value by subsets, and
// XGBoost's pred_contribs in golden_test.go.

// known is the expected output of a tree when only some features are known:
// at a split on an unknown feature both sides count by their training rows.
func known(t *Tree, node int32, row []float32, features uint) float64 {
	n := &t.Nodes[node]
	if n.Feature < 0 {
		return float64(n.Value)
	}
	if features>>n.Feature&1 == 1 {
		if n.goesLeft(row[n.Feature]) {
			return known(t, n.Left, row, features)
		}
		return known(t, n.Left+1, row, features)
	}
	left, right := t.shares(n.Left, n.Left+1)
	return left*known(t, n.Left, row, features) + right*known(t, n.Left+1, row, features)
}

// shapley sums over all subsets of the other features what adding f changes.
func shapley(m *Model, row []float32, f int) float64 {
	n := len(m.Features)
	factorial := func(k int) float64 { return math.Gamma(float64(k) + 1) }
	sum := 0.0
	for s := range uint(1) << n {
		if s>>f&1 == 1 {
			continue
		}
		size := bits.OnesCount(s)
		weight := factorial(size) * factorial(n-size-1) / factorial(n)
		for i := range m.Trees {
			sum += weight * (known(&m.Trees[i], 0, row, s|1<<f) - known(&m.Trees[i], 0, row, s))
		}
	}
	return sum
}

func TestExplainIsTheShapleyValueByDefinition(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		m := randomModel(r, 1+r.IntN(6), 1+r.IntN(3), r.IntN(11), seed%2 == 0)
		x := randomRows(r, m, 4)
		e := NewExplainer(m)
		phi := make([]float64, x.Cols)
		for i := range x.Rows {
			e.Explain(x.Row(i), phi)
			for f := range phi {
				if want := shapley(m, x.Row(i), f); math.Abs(phi[f]-want) > 1e-5 {
					t.Errorf("seed %d, row %d, feature %d: %v, by definition %v", seed, i, f, phi[f], want)
				}
			}
		}
	}
}

func TestContributionsAddUpToTheMargin(t *testing.T) {
	for seed := range uint64(26) {
		r := rand.New(rand.NewPCG(seed, 3))
		m := randomModel(r, 1+r.IntN(40), 8, int(seed/2), seed%2 == 0) // depth 0 to 12
		x := randomRows(r, m, 5)
		e := NewExplainer(m)
		phi := make([]float64, x.Cols)
		for i := range x.Rows {
			sum := e.Explain(x.Row(i), phi)
			for _, v := range phi {
				sum += v
			}
			if want := float64(m.Margin(x.Row(i))); math.Abs(sum-want) > 1e-4 {
				t.Errorf("seed %d, row %d: contributions add up to %v, margin is %v", seed, i, sum, want)
			}
		}
	}
}

// TestTablesAndPathsAgree explains each tree by both algorithms.
func TestTablesAndPathsAgree(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 4))
		m := randomModel(r, 1+r.IntN(12), 3, int(seed)%9, seed%2 == 0)
		for i := range m.Trees[0].Nodes { // some trees whose splits are evaluated as they stand
			if n := &m.Trees[0].Nodes[i]; n.Categories != nil && seed%4 == 0 {
				n.Categories = append(n.Categories, mixedCategories)
			}
		}
		x := randomRows(r, m, 5)
		n := keysPerGroup(x.Cols)
		keys := &groupKeys{make([]uint64, n), make([]mixedKey, n)}
		categorical := categoricalFeaturesOf(m)
		for k := range m.Trees {
			tree := &m.Trees[k]
			table := newTableTree(tree, categorical)
			for i := range x.Rows {
				byTable, byPath := make([]float64, x.Cols), make([]float64, x.Cols)
				setKeys(keys.flat, x.Row(i), 0)
				categorical.setKeys(keys.mixed, x.Row(i), 0)
				table.add(x.Row(i), keys, byTable)
				p := pathExplainer{tree: tree, row: x.Row(i), phi: byPath, path: make([]pathFeature, pathsLength(tree.depth()))}
				p.add()
				if !slices.EqualFunc(byTable, byPath, func(a, b float64) bool { return math.Abs(a-b) < 1e-5 }) {
					t.Errorf("seed %d, tree %d, row %d: tables say %v, paths %v", seed, k, i, byTable, byPath)
				}
			}
		}
	}
}

func TestANodeWithoutTrainingRowsIsExplained(t *testing.T) {
	m := randomModel(rand.New(rand.NewPCG(1, 1)), 3, 4, 10, false)
	for k := range m.Trees {
		for i := range m.Trees[k].Nodes {
			if i%3 == 1 {
				m.Trees[k].Nodes[i].Cover = 0
			}
		}
	}
	phi := make([]float64, 3)
	sum := NewExplainer(m).Explain([]float32{1, -1, 0}, phi)
	for _, v := range phi {
		sum += v
	}
	if want := float64(m.Margin([]float32{1, -1, 0})); !(math.Abs(sum-want) < 1e-4) {
		t.Errorf("contributions add up to %v, margin is %v", sum, want)
	}
}

func TestExplainAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	m := randomModel(r, 10, 5, 11, true)
	e, row, phi := NewExplainer(m), randomRows(r, m, 1).Row(0), make([]float64, 10)
	if n := testing.AllocsPerRun(100, func() { e.Explain(row, phi) }); n != 0 && !raceDetector {
		t.Errorf("Explain allocates %v times", n)
	}
}
