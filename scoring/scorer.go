// Package scoring says what we think now: it keeps the state and the models in
// force together and answers with risk, reasons in words and what is missing.
// It holds no rule about who may do what, reads no clock and does no I/O.
package scoring

import (
	"bytes"
	"fmt"
	"math"
	"sync"

	"tallyman/features"
	"tallyman/models"
)

// Attributes under which a model file carries what a scorer needs.
const (
	SchemaAttribute = "tallyman.schema" // a [features.Schema]
	attrOutcome     = "tallyman.outcome"
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

// A Scorer answers a question about vectors of its schema. It may be used by
// several goroutines at once.
type Scorer struct {
	Outcome Outcome
	Schema  features.Schema
	Model   *models.Model // nil where no model is in force and rates answer

	hash      string
	columns   map[string]int // of the schema's features
	groups    []group        // that reasons are told in
	groupOf   []int          // by feature
	predictor *models.Predictor
	explainer func() *models.Explainer // made when first needed
}

// newScorer returns a scorer without a model: the shrunk rates of the vector
// answer in its place.
func newScorer(outcome Outcome, schema features.Schema) *Scorer {
	s := &Scorer{Outcome: outcome, Schema: schema, hash: schema.Hash(), columns: map[string]int{}, groups: groupsOf(schema.Subject)}
	names := schema.Names()
	for i, name := range names {
		s.columns[name] = i
	}
	s.groupOf = groupFeatures(s.groups, names)
	return s
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
	m.Attributes[SchemaAttribute], m.Attributes[attrOutcome] = string(text), string(outcome)
	p, err := models.NewPredictor(m)
	if err != nil {
		return nil, err
	}
	s := newScorer(outcome, *schema)
	s.Model, s.predictor = m, p
	s.explainer = sync.OnceValue(func() *models.Explainer { return models.NewExplainer(m) })
	return s, nil
}

// ReadScorer reads a model file that training wrote. A model made for other
// features than this program's is refused.
func ReadScorer(artifact []byte) (*Scorer, error) {
	m, err := models.Read(bytes.NewReader(artifact))
	if err != nil {
		return nil, err
	}
	schema, err := features.ParseSchema(m.Attributes[SchemaAttribute])
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

// Score returns the prediction for a vector: a calibrated probability or, of a
// size model, ln(1+units). Without a model it is the rate of such positions or
// lines so far.
func (s *Scorer) Score(vector []float32) float64 {
	if s.Model == nil {
		return s.rate(vector)
	}
	return s.predictor.Predict(vector)
}

// scores sets out[r] to the score of row r.
func (s *Scorer) scores(x models.Matrix, out []float64) {
	if s.Model != nil {
		s.predictor.Predictions(x, out)
		return
	}
	for r := range out {
		out[r] = s.rate(x.Row(r))
	}
}

// rates names the features that answer without a model, the best first.
var rates = map[Outcome][]string{
	Variance: {"rate_60", "prior_60"}, Size: {"mean_size", "site_size"},
	Discrepancy: {"short_prior"}, Late: {"late_prior"},
}

// rate is the empirical-Bayes rate that answers where there is no model.
func (s *Scorer) rate(vector []float32) float64 {
	for _, name := range rates[s.Outcome] {
		if v := float64(vector[s.columns[name]]); !math.IsNaN(v) {
			return v
		}
	}
	if s.Outcome == Size {
		return math.Ln2 // one unit
	}
	return defaultBase
}

// expectedUnits turns the score of a size model into units.
func expectedUnits(score float64) float64 { return max(0, math.Expm1(score)) }
