package models

// assemble turns a grown tree into the published form: breadth-first, leaves
// shrunk by eta, thresholds and categories in place of bins.
func assemble(root *growNode, bins *binned, eta float64) Tree {
	var tree Tree
	for queue := []*growNode{root}; len(queue) > 0; queue = queue[1:] {
		node := queue[0]
		if node.left == nil {
			tree.Nodes = append(tree.Nodes, Node{
				Feature: -1, Value: leafValue(node, eta), Cover: float32(node.sum.h),
			})
			continue
		}
		tree.Nodes = append(tree.Nodes, innerNode(node, bins, len(tree.Nodes)+len(queue)))
		queue = append(queue, node.left, node.right)
	}
	return tree
}

func leafValue(node *growNode, eta float64) float32 { return float32(node.weight * eta) }

func innerNode(node *growNode, bins *binned, left int) Node {
	s := node.split
	feature := bins.features[s.feature]
	n := Node{
		Feature: int32(s.feature), Left: int32(left), DefaultLeft: s.missingLeft,
		Gain: float32(s.gain), Cover: float32(node.sum.h),
	}
	if s.categories == nil {
		n.Threshold = feature.threshold(s.bin)
		return n
	}
	for bin := range feature.values {
		for _, right := range s.categories {
			if int(right) == bin {
				n.Categories = append(n.Categories, feature.categories[bin])
			}
		}
	}
	return n
}
