package models

// Exact TreeSHAP for one tree in O(leaves × depth²) per row: Lundberg et al.,
// "Consistent individualized feature attribution for tree ensembles",
// arXiv:1802.03888, algorithm 2. The recursion walks every path of the tree
// and keeps, for the features on it, the number of feature subsets of each
// size that let the path be taken.

// pathFeature is one distinct feature on the path from the root.
type pathFeature struct {
	feature int32
	zero    float64 // share of training rows that follow the path when the feature is unknown
	one     float64 // 1 if this row follows the path on this feature, else 0
	weight  float64 // summed weight of the subsets of one size; belongs to the position
}

// pathExplainer holds the paths of the recursion, one behind the other; path
// must hold pathsLength of the tree's depth.
type pathExplainer struct {
	tree *Tree
	row  []float32
	phi  []float64
	path []pathFeature
}

// pathsLength is the space that the paths of a tree of this depth take.
func pathsLength(depth int) int { return (depth + 2) * (depth + 3) / 2 }

// add adds the tree's Shapley values for the row to phi.
func (e *pathExplainer) add() { e.visit(0, 0, 0, 1, 1, -1) }

// visit handles a node whose parent's path has n features and starts at from.
func (e *pathExplainer) visit(node int32, from, n int, zero, one float64, feature int32) {
	if zero == 0 && one == 0 {
		return // neither this row nor any training row comes here
	}
	start := from + n
	path := e.path[start : start+n]
	copy(path, e.path[from:start])
	path = extend(path, zero, one, feature)

	here := &e.tree.Nodes[node]
	if here.Feature < 0 {
		for i := 1; i < len(path); i++ {
			f := path[i]
			e.phi[f.feature] += unwoundSum(path, i) * (f.one - f.zero) * float64(here.Value)
		}
		return
	}
	hot, cold := here.Left, here.Left+1
	if !here.goesLeft(e.row[here.Feature]) {
		hot, cold = cold, hot
	}
	zeroIn, oneIn := 1.0, 1.0
	for i := 1; i < len(path); i++ {
		if path[i].feature == here.Feature { // split on before: undo, then redo as one
			zeroIn, oneIn = path[i].zero, path[i].one
			path = unwind(path, i)
			break
		}
	}
	hotShare, coldShare := e.tree.shares(hot, cold)
	e.visit(hot, start, len(path), zeroIn*hotShare, oneIn, here.Feature)
	e.visit(cold, start, len(path), zeroIn*coldShare, 0, here.Feature)
}

// shares returns the shares of the node's training rows that went to each
// child, halves if none is known.
func (t *Tree) shares(a, b int32) (shareA, shareB float64) {
	coverA, coverB := float64(t.Nodes[a].Cover), float64(t.Nodes[b].Cover)
	if coverA+coverB == 0 {
		return 0.5, 0.5
	}
	return coverA / (coverA + coverB), coverB / (coverA + coverB)
}

// extend appends a feature to a path and updates the subset weights.
func extend(path []pathFeature, zero, one float64, feature int32) []pathFeature {
	n := len(path)
	path = append(path, pathFeature{feature: feature, zero: zero, one: one})
	if n == 0 {
		path[0].weight = 1
	}
	for i := n - 1; i >= 0; i-- {
		path[i+1].weight += one * path[i].weight * float64(i+1) / float64(n+1)
		path[i].weight *= zero * float64(n-i) / float64(n+1)
	}
	return path
}

// unwind removes feature k from a path: the inverse of extend.
func unwind(path []pathFeature, k int) []pathFeature {
	last := len(path) - 1
	zero, one := path[k].zero, path[k].one
	next := path[last].weight
	for i := last - 1; i >= 0; i-- {
		if one != 0 {
			kept := path[i].weight
			path[i].weight = next * float64(last+1) / (float64(i+1) * one)
			next = kept - path[i].weight*zero*float64(last-i)/float64(last+1)
		} else {
			path[i].weight = path[i].weight * float64(last+1) / (zero * float64(last-i))
		}
	}
	for i := k; i < last; i++ {
		path[i].feature, path[i].zero, path[i].one = path[i+1].feature, path[i+1].zero, path[i+1].one
	}
	return path[:last]
}

// unwoundSum is the total weight of the path without feature k.
func unwoundSum(path []pathFeature, k int) float64 {
	last := len(path) - 1
	zero, one := path[k].zero, path[k].one
	next, total := path[last].weight, 0.0
	for i := last - 1; i >= 0; i-- {
		if one != 0 {
			w := next * float64(last+1) / (float64(i+1) * one)
			total += w
			next = path[i].weight - w*zero*float64(last-i)/float64(last+1)
		} else if zero != 0 {
			total += path[i].weight * float64(last+1) / (zero * float64(last-i))
		}
	}
	return total
}
