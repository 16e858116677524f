package training

import (
	"math"
	"testing"

	"tallyman/features"
	"tallyman/models"
	"tallyman/scoring"
	"tallyman/warehouse"
)

// constant returns a model that gives every row the same margin.
func constant(t *table, margin float32) *models.Model {
	m := &models.Model{Objective: models.Logistic, BaseScore: 0.5, Trees: []models.Tree{{Nodes: []models.Node{{Feature: -1, Value: margin, Cover: 1}}}}}
	widen(m, t.schema, nil)
	return m
}

// A table of lines whose rates all say the same, a third of them late.
func ratedLines(rate float32) *table {
	schema := features.NewSchema(features.LoadSubject)
	t := &table{schema: &schema}
	for i := range 300 {
		e := &features.Example{Vector: make([]float32, schema.Width())}
		for f := range e.Vector {
			e.Vector[f] = float32(math.NaN())
		}
		for _, anchor := range anchors[scoring.Late] {
			for name := range anchor {
				e.Vector[schema.Index(name)] = rate
			}
		}
		t.add(e, label{positive: i%3 == 0})
	}
	return t
}

// Between a model that the base rate left behind and the rates, the answer is
// two thirds of the way to the rates in log odds; where they were clearly worse,
// they are left out.
func TestTheAnchorIsTakenUnlessClearlyWorse(t *testing.T) {
	const behind = -4
	for _, test := range []struct {
		name  string
		rate  float32
		model float32 // its margin everywhere
		want  float64
	}{
		{"rates are right", 1. / 3, behind, (behind + 2*math.Log(0.5)) / 3},
		{"the model is right", 0.003, float32(math.Log(0.5)), math.Log(0.5)},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines := ratedLines(test.rate)
			cv := &crossValidation{rows: lines.examples}
			for i, l := range lines.labels {
				cv.margins = append(cv.margins, test.model)
				y := float32(0)
				if l.positive {
					y = 1
				}
				cv.y, cv.units = append(cv.y, y), append(cv.units, unit{warehouse.Site("S"), int64(i / 10)})
			}
			m := cv.anchor(lines, scoring.Late, constant(lines, test.model))
			if got := float64(m.Margin(lines.examples[0].Vector)); math.Abs(got-test.want) > 0.05 {
				t.Errorf("margin %.2f, want %.2f", got, test.want)
			}
		})
	}
}

// Every outcome that can be learned has anchors of features that exist, the
// weights of each adding up to one.
func TestAnchorsAreWhole(t *testing.T) {
	subjects := map[scoring.Outcome]features.Subject{
		scoring.Late: features.LoadSubject, scoring.Discrepancy: features.LoadSubject, scoring.Variance: features.PositionSubject,
	}
	for outcome, subject := range subjects {
		schema := features.NewSchema(subject)
		if len(anchors[outcome]) == 0 {
			t.Errorf("%s: no anchor", outcome)
		}
		for _, anchor := range anchors[outcome] {
			var sum float64
			for name, weight := range anchor {
				if sum += weight; schema.Index(name) < 0 {
					t.Errorf("%s: no feature %q", outcome, name)
				}
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Errorf("%s: weights add up to %v", outcome, sum)
			}
		}
	}
}
