package models

import (
	"math"
	"slices"
)

// Rates are pooled in equal steps of log odds between those of poolLeast and
// poolMost, one for each leaf of a tree of poolDepth levels: steps of 0.07.
const (
	poolLeast = 0.002
	poolMost  = 0.9
	poolDepth = 7
)

// PoolRates returns the logarithmic opinion pool of columns that are rates
// themselves, as a [Logistic] model: its margin is the sum over the columns of
// weight times log odds. Nothing is fitted, so that it holds beyond what was
// seen, where trees stop rising. Every column of a weight above 0 is a tree of
// small steps, which any reader of the file understands and [Explainer] adds
// up like any other; covers are those of the rows of x, at least one a leaf.
// A missing rate counts as the mean log odds of those that are there; rates
// are cut off at 0.002 and 0.9.
func PoolRates(x Matrix, names []string, weights []float64) *Model {
	m := &Model{Objective: Logistic, BaseScore: 0.5, Features: slices.Clone(names), Kinds: make([]Kind, len(names))}
	for c, w := range weights {
		if w > 0 {
			m.Trees = append(m.Trees, poolTree(x, c, w))
		}
	}
	return m
}

// poolTree is the complete tree of one column: node i has children 2i+1 and
// 2i+2, and its leaves are the steps in ascending order.
func poolTree(x Matrix, column int, weight float64) Tree {
	const leaves = 1 << poolDepth
	low, high := logOdds(poolLeast), logOdds(poolMost)
	step := (high - low) / leaves
	covers := slices.Repeat([]float32{1}, leaves)
	present, sum := 0, 0.0
	leafOf := func(odds float64) int { return min(int((odds-low)/step), leaves-1) }
	for r := range x.Rows {
		v := x.Data[r*x.Cols+column]
		if v != v { // NaN: missing
			continue
		}
		present++
		odds := logOdds(min(max(float64(v), poolLeast), poolMost))
		sum += odds
		covers[leafOf(odds)]++
	}
	usual := leafOf(max(low, sum/float64(max(present, 1))))
	covers[usual] += float32(x.Rows - present)
	nodes := make([]Node, 2*leaves-1)
	for leaf := range leaves {
		odds := low + (float64(leaf)+0.5)*step
		nodes[leaves-1+leaf] = Node{Feature: -1, Value: float32(weight * odds), Cover: covers[leaf]}
	}
	for i := leaves - 2; i >= 0; i-- {
		first, width := poolLeaves(i)
		middle := first + width/2
		nodes[i] = Node{
			Feature: int32(column), Left: int32(2*i + 1), Threshold: float32(sigmoid(low + float64(middle)*step)),
			DefaultLeft: usual < middle, Cover: nodes[2*i+1].Cover + nodes[2*i+2].Cover,
		}
	}
	return Tree{nodes}
}

// poolLeaves returns the leaves below an inner node of a complete tree.
func poolLeaves(node int) (first, width int) {
	level := 0
	for node >= 2<<level-1 {
		level++
	}
	width = 1 << (poolDepth - level)
	return (node - (1<<level - 1)) * width, width
}

func logOdds(p float64) float64 { return math.Log(p / (1 - p)) }
