package models

import (
	"math"
	"math/bits"
	"slices"
)

// Shapley values from tables: the contributions of a leaf depend on the row
// only through the outcomes of the splits on the leaf's path, so they can be
// computed once for each combination of outcomes and looked up (the idea of
// Fast TreeSHAP v2, Yang, arXiv:2109.09847). We keep one table per subtree of
// at most two levels instead of one per leaf: its leaves share their path, so
// one lookup serves up to four of them and the tables are smaller.

// tableTree is a tree prepared for lookups.
type tableTree struct {
	splits []tableSplit // in an order in which each follows its before
	cuts   []tableCut
	tree   *Tree
	sort   treeSort // how the splits are evaluated
}

// tableSplit evaluates one inner node. The outcomes up to it are those up to
// the split before it, shifted by one, and its own: 1 for right. Before is the
// split's parent, or, inside a subtree that shares a table, its elder sibling.
type tableSplit struct {
	node   uint64 // as flatNode, with before+1 in the place of the distance
	bound  uint64 // as in mixedNodes
	place  int    // of the key
	index  int32  // in tree
	before int32  // in splits; -1 for none
}

// tableCut is a subtree of at most two levels and its table: for each
// combination of outcomes up to the split last, one value per feature.
type tableCut struct {
	last     int32 // in splits, plus 1
	features []int32
	values   []float32
}

const (
	maxTableSplits = 255      // of one tree
	maxTableDepth  = 8        // deeper trees take the path algorithm
	maxTableValues = 32 << 20 // of one explainer: 128 MiB
)

// cut is a subtree of at most two levels, not part of another such subtree.
type cut struct {
	root int32
	path []int32 // inner nodes above it, the tree's root first
	own  []int32 // inner nodes in it, its root first
}

func (c cut) splits() int { return len(c.path) + len(c.own) }

// cuts divides the leaves of a tree among subtrees of at most two levels.
func (t *Tree) cuts() []cut {
	height := make([]int, len(t.Nodes))
	for i := len(t.Nodes) - 1; i >= 0; i-- {
		if n := &t.Nodes[i]; n.Feature >= 0 {
			height[i] = 1 + max(height[n.Left], height[n.Left+1])
		}
	}
	var out []cut
	var visit func(node int32, path []int32)
	visit = func(node int32, path []int32) {
		n := &t.Nodes[node]
		if height[node] > 2 {
			path = append(slices.Clone(path), node)
			visit(n.Left, path)
			visit(n.Left+1, path)
			return
		}
		c := cut{root: node, path: path}
		if n.Feature >= 0 {
			for _, i := range []int32{node, n.Left, n.Left + 1} {
				if t.Nodes[i].Feature >= 0 {
					c.own = append(c.own, i)
				}
			}
		}
		out = append(out, c)
	}
	visit(0, nil)
	return out
}

// tableSize bounds the number of values the tables of a tree take; false if
// the tree does not suit tables.
func tableSize(t *Tree) (int, bool) {
	if len(t.Nodes) > 2*maxTableSplits+1 || t.depth() > maxTableDepth {
		return 0, false
	}
	size := 0
	for _, c := range t.cuts() {
		size += c.splits() << c.splits()
	}
	return size, true
}

// newTableTree builds the tables of a tree that suits them.
func newTableTree(t *Tree, c categoricalFeatures) tableTree {
	out := tableTree{tree: t}
	number := make(map[int32]int32) // of a node, in splits
	for _, part := range t.cuts() {
		last := int32(-1)
		for _, node := range slices.Concat(part.path, part.own) {
			at, ok := number[node]
			if !ok {
				at = int32(len(out.splits))
				number[node] = at
				n := &t.Nodes[node]
				flat, isFlat := flatNode(n, int(node))
				bound, isMixed := c.bound(n)
				out.sort = max(out.sort, sortOf(isFlat, isMixed))
				flat = flat&^(math.MaxUint16<<16) | uint64(last+1)<<16
				out.splits = append(out.splits, tableSplit{node: flat, bound: bound, place: keyPlace(n), index: node, before: last})
			}
			last = at
		}
		features, values := cutTable(t, part)
		out.cuts = append(out.cuts, tableCut{last: last + 1, features: features, values: values})
	}
	return out
}

// sortOf is how a split can be evaluated at best.
func sortOf(isFlat, isMixed bool) treeSort {
	switch {
	case isFlat:
		return flatTrees
	case isMixed:
		return mixedTrees
	}
	return walkedTrees
}

// add adds the tree's Shapley values for a row, and its keys as row 0 of a
// group, to phi.
func (t *tableTree) add(row []float32, keys *groupKeys, phi []float64) {
	var outcomes [maxTableSplits + 1]uint64 // up to each split, behind a 0 for none
	switch t.sort {
	case flatTrees:
		for i := range t.splits {
			n := t.splits[i].node
			_, right := bits.Sub64(n, keys.flat[uint16(n)], 0)
			before := outcomes[uint8(n>>16)]
			outcomes[uint8(i+1)], _ = bits.Add64(before, before, right)
		}
	case mixedTrees:
		for i := range t.splits {
			s := &t.splits[i]
			k := &keys.mixed[s.place]
			_, right := bits.Sub64(s.bound&k.mask, k.least, 0)
			before := outcomes[uint8(s.before+1)]
			outcomes[uint8(i+1)], _ = bits.Add64(before, before, right)
		}
	case walkedTrees:
		for i, s := range t.splits {
			right := uint64(1)
			if n := &t.tree.Nodes[s.index]; n.goesLeft(row[n.Feature]) {
				right = 0
			}
			outcomes[i+1] = outcomes[s.before+1]<<1 | right
		}
	}
	for i := range t.cuts {
		c := &t.cuts[i]
		values := c.values[int(outcomes[uint8(c.last)])*len(c.features):]
		for j, f := range c.features {
			phi[f] += float64(values[j])
		}
	}
}
