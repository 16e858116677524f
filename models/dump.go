package models

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// DumpTree writes tree k as indented text, one node a line: the condition
// that sends a row to the first of the two nodes below it, or the leaf. texts[f][c] is
// what category c of feature f is called; one that has no text is told by its number.
func (m *Model) DumpTree(w io.Writer, k int, texts map[string][]string) error {
	if k < 0 || k >= len(m.Trees) {
		return fmt.Errorf("tree %d does not exist, the model has %d", k, len(m.Trees))
	}
	b := bufio.NewWriter(w)
	m.dump(b, &m.Trees[k], texts, 0, 0)
	return b.Flush()
}

func (m *Model) dump(b *bufio.Writer, t *Tree, texts map[string][]string, node int32, level int) {
	n := &t.Nodes[node]
	b.WriteString(strings.Repeat("  ", level))
	if n.Feature < 0 {
		fmt.Fprintf(b, "%d: leaf %+.6g (cover %.4g)\n", node, n.Value, n.Cover)
		return
	}
	missing := ""
	if n.DefaultLeft {
		missing = " or missing"
	}
	name := m.Features[n.Feature]
	quoted := strconv.Quote(name) // whoever wrote the file named it
	shown := quoted[1 : len(quoted)-1]
	condition := fmt.Sprintf("%s < %v", shown, n.Threshold)
	if n.Categories != nil {
		condition = fmt.Sprintf("%s not in [%s]", shown, categoryNames(n.Categories, texts[name]))
	}
	fmt.Fprintf(b, "%d: %s%s (gain %.4g, cover %.4g)\n", node, condition, missing, n.Gain, n.Cover)
	m.dump(b, t, texts, n.Left, level+1)
	m.dump(b, t, texts, n.Left+1, level+1)
}

func categoryNames(codes []int32, texts []string) string {
	names := make([]string, len(codes))
	for i, c := range codes {
		names[i] = strconv.Itoa(int(c))
		if int(c) < len(texts) {
			names[i] = strconv.Quote(texts[c])
		}
	}
	return strings.Join(names, " ")
}
