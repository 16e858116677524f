package models

import "sync"

// An Explainer splits margins into contributions of the features: exact
// path-dependent TreeSHAP, the values of XGBoost's pred_contribs (Lundberg et
// al., arXiv:1802.03888). Trees of up to eight levels are explained by table
// lookups while the tables stay within 128 MiB, others path by path. It may be
// used by several goroutines at once and must not outlive a change to its model.
type Explainer struct {
	bias        float64
	categorical categoricalFeatures
	tables      []tableTree
	paths       []*Tree
	scratch     sync.Pool // of *explainScratch
}

type explainScratch struct {
	keys groupKeys
	path []pathFeature
}

// NewExplainer prepares the explanation of a valid model.
func NewExplainer(m *Model) *Explainer {
	e := &Explainer{bias: float64(m.Objective.Margin(m.BaseScore)), categorical: categoricalFeaturesOf(m)}
	free, depth := maxTableValues, 0
	for i := range m.Trees {
		t := &m.Trees[i]
		e.bias += t.mean(0)
		if size, ok := tableSize(t); ok && size <= free {
			free -= size
			e.tables = append(e.tables, newTableTree(t, e.categorical))
		} else {
			depth = max(depth, t.depth())
			e.paths = append(e.paths, t)
		}
	}
	e.scratch.New = func() any {
		n := keysPerGroup(len(e.categorical))
		return &explainScratch{groupKeys{make([]uint64, n), make([]mixedKey, n)}, make([]pathFeature, pathsLength(depth))}
	}
	return e
}

// Explain sets phi[f] to the contribution of feature f to the row's margin and
// returns the bias, the margin of an average training row: the bias and the
// sum of phi are the margin. Both slices have one element per feature; another
// length is a programming error and panics.
func (e *Explainer) Explain(row []float32, phi []float64) (bias float64) {
	checkWidth(len(row), len(e.categorical))
	checkWidth(len(phi), len(e.categorical))
	clear(phi)
	s := e.scratch.Get().(*explainScratch)
	setKeys(s.keys.flat, row, 0)
	e.categorical.setKeys(s.keys.mixed, row, 0)
	for i := range e.tables {
		e.tables[i].add(row, &s.keys, phi)
	}
	for _, t := range e.paths {
		p := pathExplainer{tree: t, row: row, phi: phi, path: s.path}
		p.add()
	}
	e.scratch.Put(s)
	return e.bias
}

// mean is the average leaf value below a node, weighted by training rows.
func (t *Tree) mean(node int32) float64 {
	n := &t.Nodes[node]
	if n.Feature < 0 {
		return float64(n.Value)
	}
	left, right := t.shares(n.Left, n.Left+1)
	return left*t.mean(n.Left) + right*t.mean(n.Left+1)
}

// depth is the number of splits on the longest path.
func (t *Tree) depth() int {
	depth := make([]int, len(t.Nodes))
	deepest := 0
	for i, n := range t.Nodes { // parents stand before their children
		if n.Feature >= 0 {
			depth[n.Left], depth[n.Left+1] = depth[i]+1, depth[i]+1
			deepest = max(deepest, depth[i]+1)
		}
	}
	return deepest
}
