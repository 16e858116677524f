package scoring

import (
	"context"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tallyman/features"
	"tallyman/models"
)

// onesided are sentences that tell of a higher risk, or of a lower one.
var onesided = []struct {
	says   *regexp.Regexp
	raises bool
}{
	{regexp.MustCompile(`cannot be below zero|is below zero at|^Stock was corrected|^As much left since|is no multiple of|was changed \d|is behind: |raises the risk`), true},
	{regexp.MustCompile(`^[1-9][\d.]* (short picks?|returns?|transfers?) `), true},
	{regexp.MustCompile(`^(0 returns|0 transfers|No short pick|Nothing is unusual|None of its counts)|is overdue now|was not changed|lowers the risk`), false},
	{regexp.MustCompile(`(short|too much) on 0 %`), false},
}

var (
	shares = regexp.MustCompile(`([\d.]+) %`)
	ofAll  = regexp.MustCompile(`^(\d+) of (\d+) counts? off`)
)

// contradicts reads a sentence as a supervisor does: it may not tell of a rate that is
// lower than what it is put beside when it raises the risk, nor the other way round.
func contradicts(text string, raises bool, siteRate float64) bool {
	for _, o := range onesided {
		if o.says.MatchString(text) && o.raises != raises {
			return true
		}
	}
	number := func(s string) float64 {
		x, _ := strconv.ParseFloat(s, 64)
		return x
	}
	if of := ofAll.FindStringSubmatch(text); of != nil && !raises && number(of[1])/number(of[2]) > siteRate {
		return true
	}
	text = strings.ReplaceAll(text, "under 0.1 %", "0.05 %")
	found := shares.FindAllStringSubmatch(text, -1)
	if len(found) != 2 {
		return false
	}
	rate, usual := number(found[0][1]), number(found[1][1])
	return raises && rate <= usual || !raises && rate >= usual
}

// What moves a prediction is never told by a sentence of the other direction: all groups
// of all examples of a simulated warehouse, in the direction in which the model says.
func TestNoReasonContradictsItsDirection(t *testing.T) {
	events := world(t)
	trained(t, events)
	for _, outcome := range []Outcome{Variance, Discrepancy, Late} {
		s := fitted[outcome]
		state := features.NewState()
		var facts []features.Fact
		for i := range events {
			facts = append(facts, state.Encode(&events[i]))
		}
		features.SortFacts(facts)
		examples, err := state.Replay(context.Background(), facts, &s.Schema, 1)
		if err != nil {
			t.Fatal(err)
		}
		told, vague := 0, 0
		phi := make([]float64, s.Schema.Width())
		for i := range examples {
			vector := examples[i].Vector
			for _, r := range s.reasons(vector, topReasons) {
				if told++; strings.HasPrefix(r.Text, "What is known about") {
					vague++
				}
			}
			s.explainer().Explain(vector, phi)
			for _, sign := range []float64{1, -1} {
				for _, found := range models.GroupReasons(phi, s.groupOf, len(s.groups)) {
					if found.Contribution < leastReason {
						continue
					}
					r := s.told(vector, found.Feature, sign*found.Contribution)
					if contradicts(r.Text, sign > 0, s.read(vector).of("site_rate")) {
						t.Errorf("%s, %s, %+.2f: %q", outcome, s.Schema.Names()[found.Feature], r.Contribution, r.Text)
					}
				}
				for f := range phi {
					phi[f] = -phi[f]
				}
			}
		}
		t.Logf("%s: %d reasons of %d examples, %d of them say no more than the direction", outcome, told, len(examples), vague)
		if told < 500 || vague > told/5 {
			t.Errorf("%s: of %d reasons %d say no more than the direction", outcome, told, vague)
		}
	}
}

// The same for vectors that no warehouse has, and for every feature as the strongest.
func TestNoReasonContradictsItsDirectionForAnyVector(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	for subject := range subjects() {
		s := newScorer(Variance, features.NewSchema(subject))
		for round := range 300 {
			v := vector(rng, s.Schema.Width(), round)
			for name, i := range s.columns {
				if strings.Contains(name, "rate") || strings.Contains(name, "late") || strings.Contains(name, "short") {
					v[i] *= rng.Float32()
				}
			}
			v[s.columns["month"]] += 1
			for f := range v {
				for _, contribution := range []float64{1, -1} {
					if r := s.told(v, f, contribution); contradicts(r.Text, contribution > 0, s.read(v).of("site_rate")) {
						t.Fatalf("%s, %+v: %q", s.Schema.Names()[f], contribution, r.Text)
					}
				}
			}
		}
	}
}
