package models

import (
	"math"
	"strconv"
)

// write writes the tree as number id of a model, in the parallel arrays of
// XGBoost's format. base_weights, which nothing reads back, are zero.
func (t *Tree) write(s sink, id, features int) {
	n := len(t.Nodes)
	var f treeFile
	parents, defaultLeft, kind := make([]int32, n), make([]uint8, n), make([]uint8, n)
	parents[0] = math.MaxInt32
	var segments, sizes []int64
	for i := range t.Nodes {
		node := &t.Nodes[i]
		f.cover = append(f.cover, node.Cover)
		f.gain = append(f.gain, node.Gain)
		if node.Feature == -1 {
			f.left, f.right = append(f.left, -1), append(f.right, -1)
			f.feature = append(f.feature, 0)
			f.condition = append(f.condition, node.Value)
			continue
		}
		f.left, f.right = append(f.left, node.Left), append(f.right, node.Left+1)
		parents[node.Left], parents[node.Left+1] = int32(i), int32(i)
		f.feature = append(f.feature, node.Feature)
		if node.DefaultLeft {
			defaultLeft[i] = 1
		}
		if node.Categories == nil {
			f.condition = append(f.condition, node.Threshold)
			continue
		}
		kind[i] = 1
		f.condition = append(f.condition, float32(math.NaN()))
		f.categoryNode = append(f.categoryNode, int32(i))
		segments = append(segments, int64(len(f.category)))
		sizes = append(sizes, int64(len(node.Categories)))
		f.category = append(f.category, node.Categories...)
	}

	s.beginObject()
	s.name("base_weights")
	s.floats(make([]float32, n))
	s.name("categories")
	s.integers(f.category)
	s.name("categories_nodes")
	s.integers(f.categoryNode)
	s.name("categories_segments")
	s.longs(segments)
	s.name("categories_sizes")
	s.longs(sizes)
	s.name("default_left")
	s.bytes(defaultLeft)
	s.name("id")
	s.integer(id)
	s.name("left_children")
	s.integers(f.left)
	s.name("loss_changes")
	s.floats(f.gain)
	s.name("parents")
	s.integers(parents)
	s.name("right_children")
	s.integers(f.right)
	s.name("split_conditions")
	s.floats(f.condition)
	s.name("split_indices")
	s.integers(f.feature)
	s.name("split_type")
	s.bytes(kind)
	s.name("sum_hessian")
	s.floats(f.cover)
	s.name("tree_param")
	writeTexts(s, "num_deleted", "0", "num_feature", strconv.Itoa(features),
		"num_nodes", strconv.Itoa(n), "size_leaf_vector", "0")
	s.endObject()
}
