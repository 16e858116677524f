package models

import "slices"

// A leafPath is what the Shapley values of one leaf depend on: the distinct
// features on its path and which outcomes of the splits lead there.
type leafPath struct {
	value    float64
	features []int32
	zero     []float64 // share of training rows that follow, by feature
	mask     []uint64  // outcomes that concern the feature
	want     []uint64  // what they must be to reach the leaf
}

// follow adds a split on the path: the share of rows that go the leaf's way,
// and the bit of the split's outcome with its wanted value.
func (p leafPath) follow(feature int32, share float64, bit, want uint64) leafPath {
	p.features, p.zero = slices.Clone(p.features), slices.Clone(p.zero)
	p.mask, p.want = slices.Clone(p.mask), slices.Clone(p.want)
	at := slices.Index(p.features, feature)
	if at < 0 {
		at = len(p.features)
		p.features, p.zero = append(p.features, feature), append(p.zero, 1)
		p.mask, p.want = append(p.mask, 0), append(p.want, 0)
	}
	p.zero[at] *= share
	p.mask[at] |= bit
	p.want[at] |= want
	return p
}

// contributions returns the leaf's Shapley value of each of its features for
// each subset of features on which the row follows the path: feature j in
// subset s is at s*len(features)+j.
func (p leafPath) contributions() []float64 {
	n := len(p.features)
	out := make([]float64, n<<n)
	path := make([]pathFeature, 0, n+1)
	for s := range 1 << n {
		path = extend(path[:0], 1, 1, -1)
		for j, f := range p.features {
			path = extend(path, p.zero[j], float64(s>>j&1), f)
		}
		for j := range n {
			f := path[j+1]
			out[s*n+j] = unwoundSum(path, j+1) * (f.one - f.zero) * p.value
		}
	}
	return out
}

// cutTable tabulates the Shapley values of the leaves below a cut: one value
// per feature for each combination of the outcomes of its splits, of which the
// first has the highest bit.
func cutTable(t *Tree, c cut) (features []int32, values []float32) {
	leaves := leafPaths(t, c)
	for _, leaf := range leaves {
		for _, f := range leaf.features {
			if !slices.Contains(features, f) {
				features = append(features, f)
			}
		}
	}
	width, combinations := len(features), uint64(1)<<c.splits()
	sums := make([]float64, uint64(width)*combinations)
	for _, leaf := range leaves {
		n := len(leaf.features)
		phi := leaf.contributions()
		column := make([]int, n)
		for j, f := range leaf.features {
			column[j] = slices.Index(features, f)
		}
		for outcomes := range combinations {
			subset := 0
			for j := range n {
				if outcomes&leaf.mask[j] == leaf.want[j] {
					subset |= 1 << j
				}
			}
			for j, at := range column {
				sums[int(outcomes)*width+at] += phi[subset*n+j]
			}
		}
	}
	values = make([]float32, len(sums))
	for i, v := range sums {
		values[i] = float32(v)
	}
	return features, values
}

// leafPaths returns the leaves below a cut.
func leafPaths(t *Tree, c cut) []leafPath {
	var out []leafPath
	order := slices.Concat(c.path, c.own)
	step := func(p leafPath, node, child int32) leafPath {
		n := &t.Nodes[node]
		left, right := t.shares(n.Left, n.Left+1)
		bit := uint64(1) << (len(order) - 1 - slices.Index(order, node))
		if child == n.Left {
			return p.follow(n.Feature, left, bit, 0)
		}
		return p.follow(n.Feature, right, bit, bit)
	}
	var visit func(node int32, p leafPath)
	visit = func(node int32, p leafPath) {
		n := &t.Nodes[node]
		if n.Feature < 0 {
			p.value = float64(n.Value)
			out = append(out, p)
			return
		}
		visit(n.Left, step(p, node, n.Left))
		visit(n.Left+1, step(p, node, n.Left+1))
	}
	var p leafPath
	for i, node := range c.path {
		next := c.root
		if i+1 < len(c.path) {
			next = c.path[i+1]
		}
		p = step(p, node, next)
	}
	visit(c.root, p)
	return out
}
