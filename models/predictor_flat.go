package models

import (
	"math"
	"math/bits"
)

const (
	lockstep     = 8  // walks that advance together
	rowsPerBlock = 32 // whose keys stay in the first-level cache while the trees pass
)

// flatNodes are the nodes of trees without categorical splits, eight bytes
// each: in the high half the largest key that goes left, then 16 bits for the
// distance to the left child, then 16 bits for the place of the key.
type flatNodes struct {
	nodes  []uint64
	leaves []float32 // value of each node that is a leaf
}

// flatTree is a tree in such nodes.
type flatTree struct {
	root  uint64
	depth int
}

// noTree pads a group: a leaf of -0, which leaves every sum as it is.
var noTree = flatTree{root: 0, depth: 0}

// flatLeaf leads to itself: no key is above its bound and it goes 0 down.
const flatLeaf = math.MaxUint32 << 32

func newFlatNodes() flatNodes {
	return flatNodes{nodes: []uint64{flatLeaf}, leaves: []float32{float32(math.Copysign(0, -1))}}
}

// add appends a tree unless it does not fit.
func (f *flatNodes) add(t *Tree) (flatTree, bool) {
	tree := flatTree{root: uint64(len(f.nodes)), depth: t.depth()}
	for i := range t.Nodes {
		node, ok := flatNode(&t.Nodes[i], i)
		if !ok {
			f.nodes, f.leaves = f.nodes[:tree.root], f.leaves[:tree.root]
			return noTree, false
		}
		f.nodes = append(f.nodes, node)
		f.leaves = append(f.leaves, t.Nodes[i].Value)
	}
	return tree, true
}

// flatNode packs the i-th node of a tree. A categorical one does not fit, nor
// one of more than 4,096 features or of a tree too wide.
func flatNode(n *Node, i int) (uint64, bool) {
	if n.Feature < 0 {
		return flatLeaf, true
	}
	place, down := keyPlace(n), int(n.Left)-i
	if n.Categories != nil || place > math.MaxUint16 || down > math.MaxUint16 {
		return 0, false
	}
	return uint64(floatKey(n.Threshold)-1)<<32 | uint64(down)<<16 | uint64(place), true
}

// keyPlace is where an inner node finds the key of a group's first row.
func keyPlace(n *Node) int {
	place := 2 * lockstep * int(n.Feature)
	if n.DefaultLeft {
		place += lockstep
	}
	return place
}

// keysPerGroup is the number of keys of eight rows: copy c of feature f of row
// l is at (2f+c)*8 + l.
func keysPerGroup(features int) int { return 2 * lockstep * features }

// setKeys writes the keys of one row as row l of its group. A key stands in
// the high half of its word so that it compares with a whole flat node.
func setKeys(keys []uint64, row []float32, l int) {
	for f, x := range row {
		k := uint64(floatKey(x)) << 32
		missingRight, missingLeft := k, k
		if x != x { // NaN: missing
			missingRight, missingLeft = math.MaxUint32<<32, 0
		}
		at := (*[2 * lockstep]uint64)(keys[2*lockstep*f:])
		at[l&7], at[l&7+lockstep] = missingRight, missingLeft
	}
}

// floatKey maps floats to integers above 0 of the same order; -0 is 0.
func floatKey(x float32) uint32 {
	b := math.Float32bits(x + 0)
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// descend returns the child of node i that the row of keys[l] goes to. The
// subtraction borrows exactly if the key is above the node's bound, and the
// borrow is what tells the right child from the left.
func descend(nodes, keys []uint64, i uint64, l uint) uint64 {
	n := nodes[i]
	_, right := bits.Sub64(n, keys[uint(uint16(n))+l], 0)
	i, _ = bits.Add64(i, uint64(uint32(n)>>16), right)
	return i
}

// eightRowsThrough adds to sums the leaves that eight rows reach in one tree.
func (f *flatNodes) eightRowsThrough(t flatTree, keys []uint64, sums *[lockstep]float32) {
	nodes, leaves := f.nodes, f.leaves
	i0 := t.root
	i1, i2, i3, i4, i5, i6, i7 := i0, i0, i0, i0, i0, i0, i0
	for range t.depth {
		i0 = descend(nodes, keys, i0, 0)
		i1 = descend(nodes, keys, i1, 1)
		i2 = descend(nodes, keys, i2, 2)
		i3 = descend(nodes, keys, i3, 3)
		i4 = descend(nodes, keys, i4, 4)
		i5 = descend(nodes, keys, i5, 5)
		i6 = descend(nodes, keys, i6, 6)
		i7 = descend(nodes, keys, i7, 7)
	}
	sums[0] += leaves[i0]
	sums[1] += leaves[i1]
	sums[2] += leaves[i2]
	sums[3] += leaves[i3]
	sums[4] += leaves[i4]
	sums[5] += leaves[i5]
	sums[6] += leaves[i6]
	sums[7] += leaves[i7]
}

// throughEightTrees adds the leaves that one row reaches, in tree order.
func (f *flatNodes) throughEightTrees(g *treeGroup, keys []uint64, margin float32) float32 {
	nodes, leaves, t := f.nodes, f.leaves, &g.trees
	i0, i1, i2, i3 := t[0].root, t[1].root, t[2].root, t[3].root
	i4, i5, i6, i7 := t[4].root, t[5].root, t[6].root, t[7].root
	for range g.depth {
		i0 = descend(nodes, keys, i0, 0)
		i1 = descend(nodes, keys, i1, 0)
		i2 = descend(nodes, keys, i2, 0)
		i3 = descend(nodes, keys, i3, 0)
		i4 = descend(nodes, keys, i4, 0)
		i5 = descend(nodes, keys, i5, 0)
		i6 = descend(nodes, keys, i6, 0)
		i7 = descend(nodes, keys, i7, 0)
	}
	margin += leaves[i0]
	margin += leaves[i1]
	margin += leaves[i2]
	margin += leaves[i3]
	margin += leaves[i4]
	margin += leaves[i5]
	margin += leaves[i6]
	return margin + leaves[i7]
}
