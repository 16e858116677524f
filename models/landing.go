package models

// A landing is a node whose rows are one known step from the leaves of a new
// tree: all reach one leaf, or one of two leaves by a column's code.
type landing struct {
	rows   []span // per shard
	column []uint8
	values *[maxCodes]float32 // by code; nil when all rows reach one leaf
	value  float32            // of that leaf
}

// landings lists where the rows of a grown tree end.
func (g *grower) landings(root *growNode, eta float64) []landing {
	var all []landing
	for stack := []*growNode{root}; len(stack) > 0; {
		node := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if node.left != nil && !node.terminal {
			stack = append(stack, node.right, node.left)
			continue
		}
		all = append(all, g.landing(node, eta))
	}
	return all
}

func (g *grower) landing(node *growNode, eta float64) landing {
	l := landing{rows: node.rows}
	if node.left == nil {
		l.value = leafValue(node, eta)
		return l
	}
	left, right := leafValue(node.left, eta), leafValue(node.right, eta)
	l.column = g.bins.columnOf(node.split.feature)
	l.values = new([maxCodes]float32)
	for code, goesRight := range node.split.goesRight(g.bins) {
		l.values[code] = left
		if goesRight == 1 {
			l.values[code] = right
		}
	}
	return l
}

// add raises the margins of some rows of the shard that starts at row first
// by the leaf each one reaches.
func (l landing) add(margins []float32, first int, rows []uint16) {
	margins = margins[first:]
	if l.values == nil {
		for _, r := range rows {
			margins[r] += l.value
		}
		return
	}
	column := l.column[first:]
	for _, r := range rows {
		margins[r] += l.values[column[r]]
	}
}
