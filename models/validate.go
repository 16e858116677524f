package models

import (
	"fmt"
	"math"
)

// Validate reports the first thing that makes the model unusable, naming the
// tree and the node: features that do not match, a node that points outside
// its tree, a threshold or leaf that is not a number. Every model from [Read]
// is valid.
func (m *Model) Validate() error {
	switch {
	case !m.Objective.Known():
		return fmt.Errorf("objective %q is not supported", m.Objective)
	case len(m.Features) == 0 || len(m.Features) > maxFeatures:
		return fmt.Errorf("%d features, want 1 to %d", len(m.Features), maxFeatures)
	case len(m.Kinds) != len(m.Features):
		return fmt.Errorf("%d kinds for %d features", len(m.Kinds), len(m.Features))
	case !finite(m.Objective.Margin(m.BaseScore)):
		return fmt.Errorf("base score %v has no margin under %s", m.BaseScore, m.Objective)
	}
	for i := range m.Trees {
		if err := m.Trees[i].validate(len(m.Features)); err != nil {
			return fmt.Errorf("tree %d, %w", i, err)
		}
	}
	return nil
}

func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

// validate checks that the nodes are one tree in breadth-first order: the
// children of inner nodes follow one another, so each has one parent and
// stands behind it.
func (t *Tree) validate(features int) error {
	if len(t.Nodes) == 0 {
		return fmt.Errorf("which has no nodes")
	}
	next := int32(1)
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if err := n.validate(features); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		if n.Feature == -1 {
			continue
		}
		if n.Left != next || int(next)+1 >= len(t.Nodes) {
			return fmt.Errorf("node %d: left child is %d, breadth-first order wants %d of %d nodes", i, n.Left, next, len(t.Nodes))
		}
		next += 2
	}
	if int(next) != len(t.Nodes) {
		return fmt.Errorf("node %d: no parent", next)
	}
	if depth := t.depth(); depth > maxDepth {
		return fmt.Errorf("%d levels deep, at most %d are supported", depth, maxDepth)
	}
	return nil
}

func (n *Node) validate(features int) error {
	switch {
	case n.Feature < -1 || int(n.Feature) >= features:
		return fmt.Errorf("feature %d does not exist, the model has %d", n.Feature, features)
	case !finite(n.Cover) || n.Cover < 0:
		return fmt.Errorf("cover (sum_hessian) is %v, want a finite number of at least 0", n.Cover)
	case n.Feature == -1 && !finite(n.Value):
		return fmt.Errorf("leaf value is %v, want a finite number", n.Value)
	case n.Feature >= 0 && math.IsNaN(float64(n.Threshold)):
		return fmt.Errorf("threshold is not a number")
	case n.Feature >= 0 && !finite(n.Gain):
		return fmt.Errorf("gain (loss_changes) is %v, want a finite number", n.Gain)
	}
	if n.Categories != nil && (n.Feature == -1 || len(n.Categories) == 0) {
		return fmt.Errorf("%d categories on feature %d: want at least one on an inner node, or nil", len(n.Categories), n.Feature)
	}
	for k, c := range n.Categories {
		if c < 0 || c >= maxCategory || k > 0 && c <= n.Categories[k-1] {
			return fmt.Errorf("category %d: want ascending integers from 0 to %d", c, maxCategory-1)
		}
	}
	return nil
}
