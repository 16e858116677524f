// Package models holds statistical models, not data structs: binning,
// histograms, trees, gradient boosting, calibration, explanation and the
// challengers a champion must beat. It turns numbers into risk and knows
// nothing of warehouses.
//
// [Fit] grows a [Model] on a [Dataset]. [NewPredictor] compiles it, [FitBeta]
// and [FitIsotonic] make its probabilities honest, [NewExplainer] says which
// features moved a row, and [GroupReasons] puts them together. [Read],
// [Model.WriteJSON] and [Model.WriteUBJSON] speak XGBoost's file format. A
// challenger is a [Regression], a forest of [FitForest] or a [Bayes]; [AUC],
// [LogLoss], [RMSE] and their kin measure, [PairedBootstrap] compares.
//
// A row is a slice of float32, one value per feature, NaN where missing.
// Labels are 0 and 1 where a class is meant. Margins are log odds, or the log
// of a mean, as the [Objective] has it.
package models

// A Node is one node of a [Tree]. An inner node sends x[Feature] left when it
// is less than Threshold, or, for a categorical split, when it is not among
// the tree's categories listed for the node; a missing value (NaN) goes left
// when DefaultLeft. The right child stands directly after the left one.
type Node struct {
	Feature     int32   // column of the split; -1 marks a leaf
	Left        int32   // index of the left child; the right one is Left+1
	Threshold   float32 // numeric split: x < Threshold goes left
	Value       float32 // leaf: contribution to the margin, learning rate included
	Gain        float32 // inner node: loss reduction of the split
	Cover       float32 // sum of Hessians of the training rows that reached the node
	DefaultLeft bool
	Categories  []int32 // categorical split: categories that go right; nil when numeric
}

// A Tree is a regression tree in breadth-first order; the root is Nodes[0].
type Tree struct {
	Nodes []Node
}

// A Model is a boosted ensemble: the margin of a row is BaseMargin plus, in
// tree order and in float32, the leaf values the row reaches.
type Model struct {
	Objective  Objective
	BaseScore  float32 // in the unit of the objective's prediction, as XGBoost stores it
	Features   []string
	Kinds      []Kind // Numeric or Categorical, one per feature
	Trees      []Tree
	Calibrator Calibrator        // nil when margins are used as they are
	Attributes map[string]string // free metadata that travels with the file
}

// Kind says how a feature's values are to be read.
type Kind uint8

// The kinds of feature. A categorical value is a small non-negative integer.
const (
	Numeric Kind = iota
	Categorical
)
