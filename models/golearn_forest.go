package models

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/trees"
)

// FitForest grows a random forest of golearn's ID3 trees, each on a bootstrap
// sample and on columns columns chosen at random, and returns it as a [Model]
// whose prediction is the mean share of positive rows in the leaves reached:
// probability-like, to be calibrated. At most 20,000 rows are used. ctx is the
// time box: when it ends between two trees the forest is what has grown, an
// error if nothing has.
func FitForest(ctx context.Context, d Dataset, count, columns int, r *rand.Rand) (*Model, error) {
	if count < 1 || columns < 1 {
		return nil, fmt.Errorf("forest: %d trees of %d columns, want at least one of each", count, columns)
	}
	sample, err := impute(d, r)
	if err != nil {
		return nil, fmt.Errorf("forest: %w", err)
	}
	m := &Model{
		Objective: SquaredError, Features: slices.Clone(d.Names), Kinds: make([]Kind, len(d.Names)),
		Attributes: map[string]string{"tallyman.challenger": "golearn random forest"},
	}
	for i := range count {
		if ctx.Err() != nil {
			if i == 0 {
				return nil, fmt.Errorf("forest: the time ran out before the first tree: %w", ctx.Err())
			}
			break
		}
		t, err := sample.id3(r.Perm(len(d.Names))[:min(columns, len(d.Names))], r)
		if err != nil {
			return nil, fmt.Errorf("forest: tree %d: %w", i, err)
		}
		m.Trees = append(m.Trees, t)
	}
	for i := range m.Trees {
		for n := range m.Trees[i].Nodes {
			m.Trees[i].Nodes[n].Value /= float32(len(m.Trees))
		}
	}
	return m, m.Validate()
}

// id3 grows one tree on a bootstrap sample.
func (s imputed) id3(columns []int, r *rand.Rand) (Tree, error) {
	attributes := make([]base.Attribute, len(columns))
	column := make(map[string]int, len(columns))
	for i, c := range columns {
		name := defaultName(c) // the names of the table may repeat
		attributes[i] = base.NewFloatAttribute(name)
		column[name] = c
	}
	drawn := make([]int, len(s.rows))
	labels := make([]bool, len(s.rows))
	for i := range drawn {
		drawn[i] = r.IntN(len(s.rows))
		labels[i] = s.labels[drawn[i]]
	}
	in := instances(attributes, labels, func(row, c int) []byte {
		return base.PackFloatToBytes(float64(s.rows[drawn[row]][columns[c]]))
	})
	learner := trees.NewID3DecisionTree(0)
	if err := learner.Fit(in); err != nil {
		return Tree{}, err
	}
	return flattenID3(learner.Root, column, s.medians), nil
}

// flattenID3 turns golearn's tree into ours: its rule is value > SplitVal to
// child "1". A missing value goes where the median went in training.
func flattenID3(root *trees.DecisionTreeNode, column map[string]int, medians []float32) Tree {
	t := Tree{Nodes: make([]Node, 1)}
	queue := []*trees.DecisionTreeNode{root}
	for i := 0; i < len(queue); i++ {
		from := queue[i]
		positive, negative := from.ClassDist["1"], from.ClassDist["0"]
		n := &t.Nodes[i]
		n.Cover = float32(positive + negative)
		low, high := from.Children["0"], from.Children["1"]
		if low == nil || high == nil || from.SplitRule == nil || from.SplitRule.SplitAttr == nil {
			n.Feature, n.Left = -1, -1
			n.Value = float32(positive) / max(1, n.Cover)
			continue
		}
		n.Feature, n.Left = int32(column[from.SplitRule.SplitAttr.GetName()]), int32(len(t.Nodes))
		n.Threshold = firstAbove(from.SplitRule.SplitVal)
		n.DefaultLeft = medians[n.Feature] < n.Threshold
		queue = append(queue, low, high)
		t.Nodes = append(t.Nodes, Node{}, Node{})
	}
	return t
}

// firstAbove is the least float32 above v: x > v is x >= firstAbove(v).
func firstAbove(v float64) float32 {
	f := float32(v)
	if float64(f) > v {
		return f
	}
	return math.Nextafter32(f, float32(math.Inf(1)))
}
