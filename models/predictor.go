package models

import (
	"fmt"
	"slices"
	"sync"
)

// A Predictor is a model compiled for speed; its margins equal those of
// [Model.Margin] to the bit. Compile it once per model. It may be used by
// several goroutines at once and must not outlive a change to its model.
//
// Each value becomes an unsigned key that orders as the float does, in two
// copies: a missing value is above every threshold in the first and below
// every threshold in the second, which splits that send missing values left
// read. A step down a tree is then one comparison and no branch, and eight
// walks advance in lockstep: eight rows through one tree, or one row through
// eight trees.
type Predictor struct {
	model   *Model
	base    float32
	flat    flatNodes
	mixed   mixedNodes
	groups  []treeGroup
	scratch sync.Pool // of *groupKeys
}

// treeGroup is up to eight trees of one sort, in order.
type treeGroup struct {
	sort  treeSort
	trees [lockstep]flatTree // the last ones noTree
	count int
	depth int   // of the deepest
	walk  *Tree // the only tree, if walked
}

type treeSort uint8

const (
	flatTrees treeSort = iota
	mixedTrees
	walkedTrees // too large, or with too many categories: as it stands
)

// groupKeys are the keys of a group of eight rows; those not needed are empty.
type groupKeys struct {
	flat  []uint64
	mixed []mixedKey
}

// NewPredictor compiles a model; an invalid one is an error.
func NewPredictor(m *Model) (*Predictor, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	p := &Predictor{
		model: m,
		base:  m.Objective.Margin(m.BaseScore),
		flat:  newFlatNodes(),
		mixed: newMixedNodes(m),
	}
	for i := range m.Trees {
		p.compile(&m.Trees[i])
	}
	p.scratch.New = func() any { return p.newKeys() }
	return p, nil
}

// compile appends a tree to the last group, or to a new one.
func (p *Predictor) compile(t *Tree) {
	tree, sort := p.place(t)
	last := len(p.groups) - 1
	if last < 0 || p.groups[last].sort != sort || p.groups[last].count == lockstep || sort == walkedTrees {
		p.groups = append(p.groups, treeGroup{sort: sort})
		last++
	}
	g := &p.groups[last]
	g.trees[g.count] = tree
	g.count++
	g.depth = max(g.depth, tree.depth)
	if sort == walkedTrees {
		g.walk = t
	}
}

// place puts all trees of a model with categorical splits into mixed nodes, so
// that groups are full.
func (p *Predictor) place(t *Tree) (flatTree, treeSort) {
	if slices.Contains(p.mixed.categorical, true) {
		if tree, ok := p.mixed.add(t); ok {
			return tree, mixedTrees
		}
	}
	if tree, ok := p.flat.add(t); ok {
		return tree, flatTrees
	}
	return noTree, walkedTrees
}

func (p *Predictor) newKeys() *groupKeys {
	k, n := &groupKeys{}, keysPerGroup(len(p.model.Features))
	for _, g := range p.groups {
		switch {
		case g.sort == flatTrees && k.flat == nil:
			k.flat = make([]uint64, n)
		case g.sort == mixedTrees && k.mixed == nil:
			k.mixed = make([]mixedKey, n)
		}
	}
	return k
}

func (p *Predictor) setKeys(k *groupKeys, row []float32, l int) {
	if len(k.flat) > 0 {
		setKeys(k.flat, row, l)
	}
	if len(k.mixed) > 0 {
		p.mixed.categorical.setKeys(k.mixed, row, l)
	}
}

// Margin is [Model.Margin], faster. It allocates nothing.
func (p *Predictor) Margin(row []float32) float32 {
	checkWidth(len(row), len(p.model.Features))
	keys := p.scratch.Get().(*groupKeys)
	p.setKeys(keys, row, 0)
	margin := p.base
	for i := range p.groups {
		switch g := &p.groups[i]; g.sort {
		case flatTrees:
			margin = p.flat.throughEightTrees(g, keys.flat, margin)
		case mixedTrees:
			margin = p.mixed.throughEightTrees(g, keys.mixed, margin)
		case walkedTrees:
			margin += g.walk.leaf(row)
		}
	}
	p.scratch.Put(keys)
	return margin
}

// Margins sets out[r] to the margin of row r of x, one row after the other on
// the calling goroutine. A matrix that does not fit the model or out is a
// programming error and panics.
func (p *Predictor) Margins(x Matrix, out []float32) {
	checkMatrix(x, len(p.model.Features), len(out))
	var keys [rowsPerBlock / lockstep]*groupKeys
	for i := range keys {
		keys[i] = p.newKeys()
	}
	for from := 0; from < x.Rows; from += rowsPerBlock {
		n := min(rowsPerBlock, x.Rows-from)
		var sums [rowsPerBlock]float32
		for r := range n {
			p.setKeys(keys[r/lockstep], x.Row(from+r), r%lockstep)
			sums[r] = p.base
		}
		for i := range p.groups {
			p.groupMargins(&p.groups[i], x, from, keys[:(n+lockstep-1)/lockstep], &sums)
		}
		copy(out[from:], sums[:n])
	}
}

// groupMargins takes a block of rows through a group of trees.
func (p *Predictor) groupMargins(g *treeGroup, x Matrix, from int, keys []*groupKeys, sums *[rowsPerBlock]float32) {
	if g.sort == walkedTrees {
		for r := range min(rowsPerBlock, x.Rows-from) {
			sums[r] += g.walk.leaf(x.Row(from + r))
		}
		return
	}
	for _, tree := range g.trees[:g.count] {
		for i, k := range keys {
			eight := (*[lockstep]float32)(sums[i*lockstep:])
			if g.sort == flatTrees {
				p.flat.eightRowsThrough(tree, k.flat, eight)
			} else {
				p.mixed.eightRowsThrough(tree, k.mixed, eight)
			}
		}
	}
}

// Predict is [Model.Predict], faster.
func (p *Predictor) Predict(row []float32) float64 { return p.model.link(p.Margin(row)) }

// Predictions sets out[r] to the prediction for row r of x; it panics like
// [Predictor.Margins].
func (p *Predictor) Predictions(x Matrix, out []float64) {
	margins := make([]float32, len(out))
	p.Margins(x, margins)
	for r, m := range margins {
		out[r] = p.model.link(m)
	}
}

// checkMatrix panics unless x has one column per feature and one row per output.
func checkMatrix(x Matrix, features, outputs int) {
	checkWidth(x.Cols, features)
	if len(x.Data) != x.Rows*x.Cols || x.Rows != outputs {
		panic(fmt.Sprintf("models: matrix of %d by %d has %d values and %d outputs", x.Rows, x.Cols, len(x.Data), outputs))
	}
}
