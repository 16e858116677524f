package models

import (
	"strings"
	"testing"
)

func TestDumpTree(t *testing.T) {
	m := smallModel()
	m.Features = []string{"age", "zone"}
	m.Trees[0].Nodes = append(m.Trees[0].Nodes, Node{Feature: -1, Left: -1, Value: 2, Cover: 2}, Node{Feature: -1, Left: -1, Value: 0.5, Cover: 1})
	m.Trees[0].Nodes[2] = Node{Feature: 1, Left: 3, Categories: []int32{1, 4}, Gain: 0.25, Cover: 3}
	const want = `0: zone < 0.5 or missing (gain 1, cover 4)
  1: leaf -1 (cover 1)
  2: zone not in [1 4] (gain 0.25, cover 3)
    3: leaf +2 (cover 2)
    4: leaf +0.5 (cover 1)
`
	var b strings.Builder
	if err := m.DumpTree(&b, 0, nil); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	if err := m.DumpTree(&b, 0, map[string][]string{"zone": {"A", "B, cold"}}); err != nil || !strings.Contains(b.String(), `2: zone not in ["B, cold" 4] (gain`) {
		t.Errorf("with texts of categories: %v\n%s", err, b.String())
	}
	if err := m.DumpTree(&b, 1, nil); err == nil || err.Error() != "tree 1 does not exist, the model has 1" {
		t.Errorf("error is %v", err)
	}
}
