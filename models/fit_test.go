package models

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The oracle of most tests here is the fitted model itself, walked on raw
// values: it must agree bit for bit with what the binned rows went through.

func fit(t *testing.T, d Dataset, change func(*Params)) *Model {
	t.Helper()
	p := quickParams()
	if change != nil {
		change(&p)
	}
	m, _, err := Fit(t.Context(), d, nil, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func quickParams() Params {
	p := DefaultParams()
	p.Trees, p.Threads = 20, 2
	return p
}

func fileOf(t *testing.T, m *Model) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := m.WriteUBJSON(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func margins(m *Model, x Matrix) []float32 {
	margins := make([]float32, x.Rows)
	for r := range margins {
		margins[r] = m.Margin(x.Row(r))
	}
	return margins
}

func TestRawValuesReachTheLeavesThatBinnedRowsReached(t *testing.T) {
	for name, change := range map[string]func(*Params){
		"level by level":    nil,
		"leaf by leaf":      func(p *Params) { p.Leaves = 20 },
		"sampled":           func(p *Params) { p.RowSample, p.ColSample = 0.5, 0.5 },
		"exact ledger":      func(p *Params) { p.Objective = SquaredError },
		"few bins":          func(p *Params) { p.Bins = 7 },
		"deep, light nodes": func(p *Params) { p.Depth, p.MinChildWeight = 12, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			d := synthetic(3000, 1)
			d.Kinds = make([]Kind, d.X.Cols)
			d.Kinds[5] = Categorical
			p := quickParams()
			p.Trees = 10
			if change != nil {
				change(&p)
			}
			model := newModel(d, p)
			team := newCrew(p.Threads)
			defer team.dismiss()
			b := newBooster(d, p, model, team)
			for tree := range p.Trees {
				model.Trees = append(model.Trees, b.next(tree))
			}
			for shard := range b.partition.bins.shards() {
				b.land(shard)
			}
			for r, want := range b.margins {
				if got := model.Margin(d.X.Row(r)); got != want {
					t.Fatalf("row %d: margin %v on raw values, %v on bins", r, got, want)
				}
			}
		})
	}
}

func TestFitLearns(t *testing.T) {
	train, later := synthetic(8000, 1), synthetic(8000, 2)
	m := fit(t, train, nil)
	base := fit(t, train, func(p *Params) { p.Trees, p.MinGain = 1, 1e9 })
	got := m.Objective.loss(margins(m, later.X), later.Y, nil)
	prior := m.Objective.loss(margins(base, later.X), later.Y, nil)
	if got > 0.8*prior {
		t.Errorf("log loss %.4f on later rows, want well below the prior's %.4f", got, prior)
	}
}

func TestThreadsDoNotChangeTheModel(t *testing.T) {
	d := synthetic(9000, 3)
	for _, o := range []Objective{Logistic, SquaredError} {
		for _, leaves := range []int{0, 31} {
			one := fit(t, d, func(p *Params) { p.Objective, p.Leaves, p.Threads, p.Trees = o, leaves, 1, 8 })
			for _, threads := range []int{2, 3, 8} {
				many := fit(t, d, func(p *Params) { p.Objective, p.Leaves, p.Threads, p.Trees = o, leaves, threads, 8 })
				if !bytes.Equal(fileOf(t, one), fileOf(t, many)) {
					t.Fatalf("%s, %d leaves, %d threads: model differs (-one +many):\n%s", o, leaves, threads, cmp.Diff(one, many))
				}
			}
		}
	}
}

func TestCoverOfParentsIsTheSumOfTheirChildren(t *testing.T) {
	m := fit(t, synthetic(5000, 1), nil)
	for i, tree := range m.Trees {
		for j, n := range tree.Nodes {
			if n.Feature < 0 {
				continue
			}
			sum := float64(tree.Nodes[n.Left].Cover) + float64(tree.Nodes[n.Left+1].Cover)
			if math.Abs(sum-float64(n.Cover)) > 1e-5*sum {
				t.Errorf("tree %d node %d: cover %v, children have %v", i, j, n.Cover, sum)
			}
		}
	}
}
