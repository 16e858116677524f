package models

import (
	"errors"
	"fmt"
	"slices"
)

// treeFile is one tree as the file holds it: parallel arrays over the nodes.
type treeFile struct {
	left, right       []int32 // -1 in leaves
	feature           []int32
	condition         []float32 // threshold, or the value of a leaf
	gain, cover       []float32
	defaultLeft, kind []int32
	leafVector        string

	// Categorical splits: node categoryNode[k] sends right the categories
	// category[segment[k] : segment[k]+size[k]].
	category, categoryNode, segment, size []int32
}

func readTree(s source) (Tree, error) {
	var f treeFile
	integers := func(to *[]int32) func() error {
		return func() (err error) { *to, err = s.integers(); return err }
	}
	floats := func(to *[]float32) func() error {
		return func() (err error) { *to, err = s.floats(); return err }
	}
	err := members(s, map[string]func() error{
		"left_children":       integers(&f.left),
		"right_children":      integers(&f.right),
		"split_indices":       integers(&f.feature),
		"split_conditions":    floats(&f.condition),
		"loss_changes":        floats(&f.gain),
		"sum_hessian":         floats(&f.cover),
		"default_left":        integers(&f.defaultLeft),
		"split_type":          integers(&f.kind),
		"categories":          integers(&f.category),
		"categories_nodes":    integers(&f.categoryNode),
		"categories_segments": integers(&f.segment),
		"categories_sizes":    integers(&f.size),
		"tree_param": func() error {
			return members(s, map[string]func() error{"size_leaf_vector": into(s, &f.leafVector)})
		},
	})
	if err != nil {
		return Tree{}, err
	}
	return f.tree()
}

func (f *treeFile) tree() (Tree, error) {
	if err := f.lengths(); err != nil {
		return Tree{}, err
	}
	order, err := f.breadthFirst()
	if err != nil {
		return Tree{}, err
	}
	categories, err := f.categories()
	if err != nil {
		return Tree{}, err
	}
	t := Tree{Nodes: make([]Node, len(order))}
	next := int32(1) // where the children of the next inner node stand
	for i, old := range order {
		n := &t.Nodes[i]
		n.Cover = f.cover[old]
		if f.left[old] == -1 {
			n.Feature, n.Left, n.Value = -1, -1, f.condition[old]
			continue
		}
		if f.feature[old] < 0 {
			return Tree{}, fmt.Errorf("node %d: feature %d does not exist", old, f.feature[old])
		}
		n.Feature, n.Left, n.Gain = f.feature[old], next, f.gain[old]
		n.DefaultLeft = f.defaultLeft[old] != 0
		if len(f.kind) != 0 && f.kind[old] == 1 {
			if n.Categories = categories[old]; n.Categories == nil {
				return Tree{}, fmt.Errorf("node %d: categorical split without categories", old)
			}
		} else {
			n.Threshold = f.condition[old]
		}
		next += 2
	}
	return t, nil
}

func (f *treeFile) lengths() error {
	n := len(f.left)
	switch {
	case f.leafVector != "" && f.leafVector != "0" && f.leafVector != "1":
		return fmt.Errorf("vector leaves of size %s are not supported", f.leafVector)
	case n == 0:
		return errors.New("no left_children, so no nodes")
	case n > maxTreeNodes:
		return fmt.Errorf("%d nodes, at most %d are supported", n, maxTreeNodes)
	case len(f.categoryNode) != len(f.segment) || len(f.segment) != len(f.size):
		return fmt.Errorf("categories_nodes, _segments and _sizes have lengths %d, %d and %d; they must be equal",
			len(f.categoryNode), len(f.segment), len(f.size))
	}
	for _, array := range []struct {
		name   string
		length int
	}{
		{"right_children", len(f.right)},
		{"split_indices", len(f.feature)},
		{"split_conditions", len(f.condition)},
		{"loss_changes", len(f.gain)},
		{"sum_hessian", len(f.cover)},
		{"default_left", len(f.defaultLeft)},
	} {
		if array.length != n {
			return fmt.Errorf("%s has %d entries for %d nodes", array.name, array.length, n)
		}
	}
	if len(f.kind) != 0 && len(f.kind) != n {
		return fmt.Errorf("split_type has %d entries for %d nodes", len(f.kind), n)
	}
	return nil
}

// breadthFirst lists the nodes reachable from the root, level by level, so
// that siblings are adjacent. XGBoost leaves pruned nodes in the arrays; they
// are not reachable and are dropped. A node with two parents, and so any
// cycle, is an error.
func (f *treeFile) breadthFirst() ([]int32, error) {
	n := int32(len(f.left))
	seen := make([]bool, n)
	seen[0] = true
	order := append(make([]int32, 0, n), 0)
	for i := 0; i < len(order); i++ {
		node := order[i]
		left, right := f.left[node], f.right[node]
		if left == -1 && right == -1 {
			continue
		}
		for _, child := range [...]int32{left, right} {
			if child < 0 || child >= n {
				return nil, fmt.Errorf("node %d: child %d does not exist, the tree has %d nodes", node, child, n)
			}
			if seen[child] {
				return nil, fmt.Errorf("node %d: child %d has another parent", node, child)
			}
			seen[child] = true
			order = append(order, child)
		}
	}
	return order, nil
}

// categories returns the sorted categories of each categorical node.
func (f *treeFile) categories() (map[int32][]int32, error) {
	out := make(map[int32][]int32, len(f.categoryNode))
	free := len(f.category) // categories not yet given to a node
	for k, node := range f.categoryNode {
		from, size := int64(f.segment[k]), int64(f.size[k])
		if from < 0 || size < 1 || from+size > int64(len(f.category)) || size > int64(free) {
			return nil, fmt.Errorf("node %d: categories %d to %d of %d", node, from, from+size, len(f.category))
		}
		if _, twice := out[node]; twice {
			return nil, fmt.Errorf("node %d: categories given twice", node)
		}
		free -= int(size)
		own := f.category[from : from+size : from+size]
		if !slices.IsSorted(own) {
			own = slices.Sorted(slices.Values(own))
		}
		out[node] = own
	}
	return out, nil
}
