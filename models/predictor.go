package models

import (
	"fmt"
	"math"
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
	nodes   []uint64  // of all flat trees; see flatNode
	leaves  []float32 // value of each node that is a leaf
	groups  []treeGroup
	sets    categoryKeys
	scratch sync.Pool // of *[]uint64, the keys of one group of rows
}

// treeGroup is eight flat trees, or one tree that is walked as it stands
// because it is too large for flatNode or has too many sets of categories.
type treeGroup struct {
	trees [lockstep]flatTree
	depth int // of the deepest
	walk  *Tree
}

type flatTree struct {
	root  uint64 // index in nodes
	depth int
}

// noTree pads a group: a leaf of -0, which leaves every sum as it is.
var noTree = flatTree{root: 0, depth: 0}

// NewPredictor compiles a model; an invalid one is an error.
func NewPredictor(m *Model) (*Predictor, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	p := &Predictor{
		model:  m,
		base:   m.Objective.Margin(m.BaseScore),
		nodes:  []uint64{flatLeaf},
		leaves: []float32{float32(math.Copysign(0, -1))},
		sets:   newCategoryKeys(len(m.Features)),
	}
	filled := lockstep // trees in the last group
	for i := range m.Trees {
		tree, ok := p.flatten(&m.Trees[i])
		if !ok {
			p.groups = append(p.groups, treeGroup{walk: &m.Trees[i]})
			filled = lockstep
			continue
		}
		if filled == lockstep {
			p.groups = append(p.groups, treeGroup{})
			filled = 0
		}
		group := &p.groups[len(p.groups)-1]
		group.trees[filled] = tree
		group.depth = max(group.depth, tree.depth)
		filled++
	}
	perGroup := p.sets.length()
	p.scratch.New = func() any {
		k := make([]uint64, perGroup)
		return &k
	}
	return p, nil
}

// flatten appends a tree to the flat nodes unless it does not fit them.
func (p *Predictor) flatten(t *Tree) (flatTree, bool) {
	tree := flatTree{root: uint64(len(p.nodes)), depth: t.depth()}
	if !p.sets.takes(t) {
		return noTree, false
	}
	for i := range t.Nodes {
		node, ok := p.flatNode(&t.Nodes[i], i)
		if !ok {
			p.nodes, p.leaves = p.nodes[:tree.root], p.leaves[:tree.root]
			return noTree, false
		}
		p.nodes = append(p.nodes, node)
		p.leaves = append(p.leaves, t.Nodes[i].Value)
	}
	return tree, true
}

func (p *Predictor) flatNode(n *Node, i int) (uint64, bool) {
	if n.Categories == nil {
		return flatNode(n, i)
	}
	down := int(n.Left) - i
	return uint64(down)<<16 | uint64(p.sets.places[setName(n)]), down <= math.MaxUint16
}

// Margin is [Model.Margin], faster. It allocates nothing.
func (p *Predictor) Margin(row []float32) float32 {
	checkWidth(len(row), len(p.model.Features))
	scratch := p.scratch.Get().(*[]uint64)
	keys := *scratch
	setKeys(keys, row, 0)
	p.sets.set(keys, row, 0)
	margin := p.base
	for i := range p.groups {
		if g := &p.groups[i]; g.walk != nil {
			margin += g.walk.leaf(row)
		} else {
			margin = p.throughEightTrees(g, keys, margin)
		}
	}
	p.scratch.Put(scratch)
	return margin
}

// Margins sets out[r] to the margin of row r of x, one row after the other on
// the calling goroutine. A matrix that does not fit the model or out is a
// programming error and panics.
func (p *Predictor) Margins(x Matrix, out []float32) {
	checkMatrix(x, len(p.model.Features), len(out))
	perGroup := p.sets.length()
	keys := make([]uint64, rowsPerBlock/lockstep*perGroup)
	for from := 0; from < x.Rows; from += rowsPerBlock {
		n := min(rowsPerBlock, x.Rows-from)
		var sums [rowsPerBlock]float32
		for r := range n {
			group := keys[r/lockstep*perGroup:][:perGroup]
			setKeys(group, x.Row(from+r), r%lockstep)
			p.sets.set(group, x.Row(from+r), r%lockstep)
			sums[r] = p.base
		}
		for i := range p.groups {
			g := &p.groups[i]
			if g.walk != nil {
				for r := range n {
					sums[r] += g.walk.leaf(x.Row(from + r))
				}
				continue
			}
			for _, tree := range g.trees {
				for r := 0; r < n && tree != noTree; r += lockstep {
					p.eightRowsThrough(tree, keys[r/lockstep*perGroup:][:perGroup], (*[lockstep]float32)(sums[r:]))
				}
			}
		}
		copy(out[from:], sums[:n])
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
