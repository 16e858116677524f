package models

// An Explainer splits margins into contributions of the features: exact
// path-dependent TreeSHAP, the values of XGBoost's pred_contribs. It may be
// used by several goroutines at once.
type Explainer struct {
	model *Model
	bias  float64
	depth int
}

// NewExplainer prepares the explanation of a valid model.
func NewExplainer(m *Model) *Explainer {
	e := &Explainer{model: m, bias: float64(m.Objective.Margin(m.BaseScore))}
	for i := range m.Trees {
		e.bias += m.Trees[i].mean(0)
		e.depth = max(e.depth, m.Trees[i].depth())
	}
	return e
}

// Explain sets phi[f] to the contribution of feature f to the row's margin and
// returns the bias, the margin of an average training row: the bias and the
// sum of phi are the margin. Both slices have one element per feature; another
// length is a programming error and panics.
func (e *Explainer) Explain(row []float32, phi []float64) (bias float64) {
	checkWidth(len(row), len(e.model.Features))
	checkWidth(len(phi), len(e.model.Features))
	clear(phi)
	path := make([]pathFeature, pathsLength(e.depth))
	for i := range e.model.Trees {
		p := pathExplainer{tree: &e.model.Trees[i], row: row, phi: phi, path: path}
		p.add()
	}
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
