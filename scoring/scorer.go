// Package scoring says what we think now: it keeps the state and the models in
// force together and answers with risk, reasons in words and what is missing.
// It holds no rule about who may do what, reads no clock and does no I/O.
package scoring

import (
	"bytes"
	"fmt"

	"tallyman/features"
	"tallyman/models"
)

// Attributes under which a model file carries what a scorer needs.
const (
	attrSchema  = "tallyman.schema"
	attrOutcome = "tallyman.outcome"
)

// Outcome is what a model predicts.
type Outcome string

// The outcomes, each of one subject.
const (
	Variance    Outcome = "variance"    // position: the count differs from book beyond the tolerance
	Size        Outcome = "size"        // position: how many units it differs by, if it does
	Discrepancy Outcome = "discrepancy" // load line: received differs from expected beyond the tolerance
	Late        Outcome = "late"        // load line: first received after it was expected
)

// A Scorer answers a question about vectors of its schema.
type Scorer struct {
	Outcome Outcome
	Schema  features.Schema
	Model   *models.Model

	predictor *models.Predictor
}

// NewScorer names schema and outcome in the model, so that its file is whole.
func NewScorer(outcome Outcome, schema *features.Schema, m *models.Model) (*Scorer, error) {
	text, err := schema.MarshalText()
	if err != nil {
		return nil, err
	}
	if m.Attributes == nil {
		m.Attributes = map[string]string{}
	}
	m.Attributes[attrSchema], m.Attributes[attrOutcome] = string(text), string(outcome)
	p, err := models.NewPredictor(m)
	if err != nil {
		return nil, err
	}
	return &Scorer{Outcome: outcome, Schema: *schema, Model: m, predictor: p}, nil
}

// ReadScorer reads a model file that training wrote. A model made for other
// features than this program's is refused.
func ReadScorer(artifact []byte) (*Scorer, error) {
	m, err := models.Read(bytes.NewReader(artifact))
	if err != nil {
		return nil, err
	}
	schema, err := features.ParseSchema(m.Attributes[attrSchema])
	if err != nil {
		return nil, err
	}
	if names := schema.Names(); len(names) != len(m.Features) {
		return nil, fmt.Errorf("model has %d features, its schema names %d", len(m.Features), len(names))
	}
	for i, name := range schema.Names() {
		if m.Features[i] != name {
			return nil, fmt.Errorf("feature %d of the model is %q, its schema says %q", i, m.Features[i], name)
		}
	}
	return NewScorer(Outcome(m.Attributes[attrOutcome]), &schema, m)
}

// Artifact returns the model file.
func (s *Scorer) Artifact() ([]byte, error) {
	var b bytes.Buffer
	err := s.Model.WriteJSON(&b)
	return b.Bytes(), err
}

// Score returns the model's prediction for a vector: a calibrated probability
// or, of a size model, ln(1+units).
func (s *Scorer) Score(vector []float32) float64 { return s.Model.Predict(vector) }
