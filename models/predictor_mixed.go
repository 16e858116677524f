package models

import (
	"math"
	"math/bits"
	"slices"
)

// mixedNodes are the nodes of models with categorical splits. They cost one
// more load and one more operation than flat nodes: a step goes right exactly
// if bound & mask < least, where mask and least come from the row. For a number
// the mask keeps all bits and least is its key. For category c both are 1<<c,
// so the step goes right if bit c of the bound is clear. That holds categories
// 0 to 63; a tree that sends a higher one right is walked as it stands.
type mixedNodes struct {
	bounds      []uint64 // largest key, or set of categories, that goes left
	links       []uint32 // distance to the left child, then place of the key, 16 bits each
	leaves      []float32
	categorical categoricalFeatures
}

// categoricalFeatures says which features some tree splits by category.
type categoricalFeatures []bool

const mixedCategories = 64

// mixedKey is what a row contributes to a step; places are those of setKeys.
type mixedKey struct{ mask, least uint64 }

func categoricalFeaturesOf(m *Model) categoricalFeatures {
	c := make(categoricalFeatures, len(m.Features))
	for _, t := range m.Trees {
		for i := range t.Nodes {
			if n := &t.Nodes[i]; n.Categories != nil {
				c[n.Feature] = true
			}
		}
	}
	return c
}

// bound is the bound of an inner node, false if it does not fit.
func (c categoricalFeatures) bound(n *Node) (uint64, bool) {
	if n.Categories == nil {
		return uint64(floatKey(n.Threshold) - 1), !c[n.Feature]
	}
	if slices.Max(n.Categories) >= mixedCategories {
		return 0, false
	}
	bound := uint64(math.MaxUint64)
	for _, category := range n.Categories {
		bound &^= 1 << category
	}
	return bound, true
}

// newMixedNodes returns the nodes with [noTree] in them.
func newMixedNodes(m *Model) mixedNodes {
	x := mixedNodes{categorical: categoricalFeaturesOf(m)}
	x.leaf(float32(math.Copysign(0, -1)))
	return x
}

// leaf appends a leaf: its bound is below no key of the copy it reads.
func (x *mixedNodes) leaf(value float32) {
	x.bounds = append(x.bounds, math.MaxUint64)
	x.links = append(x.links, lockstep)
	x.leaves = append(x.leaves, value)
}

// add appends a tree unless it does not fit.
func (x *mixedNodes) add(t *Tree) (flatTree, bool) {
	tree := flatTree{root: uint64(len(x.bounds)), depth: t.depth()}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if n.Feature < 0 {
			x.leaf(n.Value)
			continue
		}
		place, down := keyPlace(n), int(n.Left)-i
		bound, ok := x.categorical.bound(n)
		if !ok || place > math.MaxUint16 || down > math.MaxUint16 {
			x.bounds, x.links, x.leaves = x.bounds[:tree.root], x.links[:tree.root], x.leaves[:tree.root]
			return noTree, false
		}
		x.bounds = append(x.bounds, bound)
		x.links = append(x.links, uint32(down)<<16|uint32(place))
		x.leaves = append(x.leaves, 0)
	}
	return tree, true
}

// setKeys writes the keys of one row as row l of its group.
func (c categoricalFeatures) setKeys(keys []mixedKey, row []float32, l int) {
	for f, v := range row {
		at := (*[2 * lockstep]mixedKey)(keys[2*lockstep*f:])
		missingRight, missingLeft := mixedKey{0, math.MaxUint64}, mixedKey{}
		switch {
		case v != v: // NaN: missing
		case !c[f]:
			missingRight = mixedKey{math.MaxUint64, uint64(floatKey(v))}
			missingLeft = missingRight
		case v >= 0 && v < mixedCategories:
			missingRight = mixedKey{1 << int(v), 1 << int(v)}
			missingLeft = missingRight
		default: // a category that no set lists goes left
			missingRight = missingLeft
		}
		at[l&7], at[l&7+lockstep] = missingRight, missingLeft
	}
}

// descend returns the child of node i that the row of keys[l] goes to.
func (x *mixedNodes) descend(keys []mixedKey, i uint64, l uint) uint64 {
	link := x.links[i]
	k := &keys[uint(uint16(link))+l]
	_, right := bits.Sub64(x.bounds[i]&k.mask, k.least, 0)
	i, _ = bits.Add64(i, uint64(link>>16), right)
	return i
}

// eightRowsThrough adds to sums the leaves that eight rows reach in one tree.
func (x *mixedNodes) eightRowsThrough(t flatTree, keys []mixedKey, sums *[lockstep]float32) {
	i := [lockstep]uint64{t.root, t.root, t.root, t.root, t.root, t.root, t.root, t.root}
	for range t.depth {
		i[0] = x.descend(keys, i[0], 0)
		i[1] = x.descend(keys, i[1], 1)
		i[2] = x.descend(keys, i[2], 2)
		i[3] = x.descend(keys, i[3], 3)
		i[4] = x.descend(keys, i[4], 4)
		i[5] = x.descend(keys, i[5], 5)
		i[6] = x.descend(keys, i[6], 6)
		i[7] = x.descend(keys, i[7], 7)
	}
	for l := range sums {
		sums[l] += x.leaves[i[l]]
	}
}

// throughEightTrees adds the leaves that one row reaches, in tree order.
func (x *mixedNodes) throughEightTrees(g *treeGroup, keys []mixedKey, margin float32) float32 {
	var i [lockstep]uint64
	for k, t := range g.trees {
		i[k] = t.root
	}
	for range g.depth {
		i[0] = x.descend(keys, i[0], 0)
		i[1] = x.descend(keys, i[1], 0)
		i[2] = x.descend(keys, i[2], 0)
		i[3] = x.descend(keys, i[3], 0)
		i[4] = x.descend(keys, i[4], 0)
		i[5] = x.descend(keys, i[5], 0)
		i[6] = x.descend(keys, i[6], 0)
		i[7] = x.descend(keys, i[7], 0)
	}
	for k := range i {
		margin += x.leaves[i[k]]
	}
	return margin
}
