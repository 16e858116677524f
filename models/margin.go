package models

import (
	"fmt"
	"slices"
)

// Margin is the raw score of one row: BaseMargin plus one leaf per tree, in
// float32 and in tree order, the same bits as XGBoost's output_margin. The row
// has one value per feature, NaN where missing. A row of another length is a
// programming error and panics. It walks the trees as they stand and allocates
// nothing; to score many rows, compile a [Predictor] once.
func (m *Model) Margin(row []float32) float32 {
	checkWidth(len(row), len(m.Features))
	margin := m.Objective.Margin(m.BaseScore)
	for i := range m.Trees {
		margin += m.Trees[i].leaf(row)
	}
	return margin
}

// Predict is the prediction for one row: the calibrated probability if the
// model has a Calibrator, else what its Objective makes of the margin.
// It panics like [Model.Margin].
func (m *Model) Predict(row []float32) float64 { return m.link(m.Margin(row)) }

// Probabilistic reports whether predictions are probabilities: else they are numbers in
// the unit of the label.
func (m *Model) Probabilistic() bool { return m.Calibrator != nil || m.Objective == Logistic }

// Margins sets out[r] to the margin of row r of x. It compiles a [Predictor]
// for the call and panics as [Predictor.Margins] does, or if m is invalid.
func (m *Model) Margins(x Matrix, out []float32) { m.mustCompile().Margins(x, out) }

// Predictions sets out[r] to the prediction for row r of x; see [Model.Margins].
func (m *Model) Predictions(x Matrix, out []float64) { m.mustCompile().Predictions(x, out) }

func (m *Model) mustCompile() *Predictor {
	p, err := NewPredictor(m)
	if err != nil {
		panic(fmt.Sprintf("models: %v", err))
	}
	return p
}

func (m *Model) link(margin float32) float64 {
	if m.Calibrator != nil {
		return m.Calibrator.Probability(margin)
	}
	return m.Objective.Prediction(margin)
}

// checkWidth panics unless a row has one value per feature.
func checkWidth(got, want int) {
	if got != want {
		panic(fmt.Sprintf("models: row has %d values, the model has %d features", got, want))
	}
}

// leaf is the value of the leaf that the row reaches.
func (t *Tree) leaf(row []float32) float32 {
	n := &t.Nodes[0]
	for n.Feature >= 0 {
		next := n.Left
		if !n.goesLeft(row[n.Feature]) {
			next++
		}
		n = &t.Nodes[next]
	}
	return n.Value
}

// goesLeft is the decision of an inner node.
func (n *Node) goesLeft(x float32) bool {
	switch {
	case x != x: // NaN: missing
		return n.DefaultLeft
	case n.Categories == nil:
		return x < n.Threshold
	case !(x >= 0 && x < maxCategory): // not a category
		return true
	}
	_, listed := slices.BinarySearch(n.Categories, int32(x))
	return !listed
}
