package models

// A landing is a set of rows whose last step in a new tree is known: all
// reach one leaf, or one of two leaves by a column's code.
type landing struct {
	rows   []int32
	column column
	values *[maxCodes]float32 // by code; nil when all rows reach one leaf
	value  float32            // of that leaf
}

// landings lists where the rows of a grown tree end, largest sets cut up so
// that threads can share them.
func (g *grower) landings(root *growNode, eta float64) []landing {
	const most = 1 << 15
	var all []landing
	for stack := []*growNode{root}; len(stack) > 0; {
		node := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if node.left != nil && !node.terminal {
			stack = append(stack, node.right, node.left)
			continue
		}
		l := g.landing(node, eta)
		for len(l.rows) > most {
			part := l
			part.rows, l.rows = l.rows[:most], l.rows[most:]
			all = append(all, part)
		}
		all = append(all, l)
	}
	return all
}

func (g *grower) landing(node *growNode, eta float64) landing {
	l := landing{rows: g.partitioner.of(node.rows)}
	if node.left == nil {
		l.value = leafValue(node, eta)
		return l
	}
	left, right := leafValue(node.left, eta), leafValue(node.right, eta)
	l.column = g.bins.column(g.bins.places[node.split.feature].column)
	l.values = new([maxCodes]float32)
	for code, goesRight := range node.split.goesRight(g.bins) {
		l.values[code] = left
		if goesRight == 1 {
			l.values[code] = right
		}
	}
	return l
}

// add raises the margins of the rows by the leaf each one reaches.
func (l landing) add(states []rowState, rows []int32) {
	if l.values == nil {
		for _, r := range rows {
			states[r].margin += l.value
		}
		return
	}
	for _, r := range rows {
		states[r].margin += l.values[l.column.code(r)]
	}
}
