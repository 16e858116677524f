package models

import (
	"fmt"
	"math/rand/v2"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/naive"
)

// Bayes is golearn's Bernoulli naive Bayes on one bit a column: whether the
// value is above the column's median. It says 0 or 1, not a probability.
type Bayes struct {
	sample     imputed
	classifier *naive.BernoulliNBClassifier
}

// FitBayes fits naive Bayes to at most 20,000 rows.
func FitBayes(d Dataset, r *rand.Rand) (*Bayes, error) {
	sample, err := impute(d, r)
	if err != nil {
		return nil, fmt.Errorf("naive bayes: %w", err)
	}
	b := &Bayes{sample: imputed{medians: sample.medians}, classifier: naive.NewBernoulliNBClassifier()}
	attributes := make([]base.Attribute, len(d.Names)+1)
	for c := range attributes {
		attributes[c] = base.NewBinaryAttribute(defaultName(c))
	}
	in := instances(attributes, sample.labels, func(row, c int) []byte { return b.bits(sample.rows[row])[c] })
	if err := b.classifier.Fit(in); err != nil {
		return nil, fmt.Errorf("naive bayes: %w", err)
	}
	return b, nil
}

// bits is the row as golearn's columns. One more is always set: golearn's
// classifier fails on a class without any set bit.
func (b *Bayes) bits(row []float32) [][]byte {
	out := make([][]byte, len(row)+1)
	for f, x := range row {
		out[f] = []byte{0}
		if x > b.sample.medians[f] {
			out[f][0] = 1
		}
	}
	out[len(row)] = []byte{1}
	return out
}

// Predict is 1 if the row is more likely positive, else 0; missing values
// count as the median. A row that has not one value per column of the dataset
// is a programming error and panics.
func (b *Bayes) Predict(row []float32) float64 {
	checkWidth(len(row), len(b.sample.medians))
	if b.classifier.PredictOne(b.bits(b.sample.fill(row))) == "1" {
		return 1
	}
	return 0
}
