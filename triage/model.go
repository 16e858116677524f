package triage

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Model gives texts a label. It is made by [Train] or [ReadModel], never
// changes, and may be used by many goroutines at once.
type Model struct {
	// Labels are the known labels in order.
	Labels []string
	// OutOfScope is the label of texts about none of the others, empty if the
	// examples had none.
	OutOfScope string
	// Examples is the number of texts the model was trained on.
	Examples int

	vocabulary *vocabulary
	linear     *linear
	confidence confidence
	scope      scope
	threshold  float64 // least probability a label is given at, else the model abstains
}

// Choice is a label and its probability.
type Choice struct {
	Label string
	P     float64
}

// Verdict is what a model says about a text.
type Verdict struct {
	// Choice is the likeliest label; P is calibrated: of the verdicts with
	// P = 0.9, nine in ten are right.
	Choice
	// Alternatives are the next likeliest labels, best first.
	Alternatives []Choice
	// Known is the share of the text's n-grams that the model knows, 0 to 1.
	Known float64
	// Stray is how far the text is from everything the model knows: the share
	// of texts in scope that look more familiar, 0 to 1.
	Stray float64
	// Abstain says that the label should not be acted on without a human: P is
	// below what this label needs, or the text looks out of scope.
	Abstain bool
}

// chance is the probability of a label, 0 if it is not among the likeliest.
func (v Verdict) chance(label string) float64 {
	for _, c := range append([]Choice{v.Choice}, v.Alternatives...) {
		if c.Label == label {
			return c.P
		}
	}
	return 0
}

const alternatives = 9

// Classify gives the text's label. It never fails: about a text without any
// known word it abstains.
func (m *Model) Classify(text string) Verdict {
	normalized := Normalize(text)
	s := m.measure(normalized)
	order := topClasses(s.p, alternatives+1)
	best := order[0]
	v := Verdict{Choice: Choice{m.Labels[best], s.p[best]}, Known: s.signals.known, Stray: m.scope.share(m.scope.score(s.signals))}
	for _, c := range order[1:] {
		v.Alternatives = append(v.Alternatives, Choice{m.Labels[c], s.p[c]})
	}
	v.Abstain = v.P < m.threshold || m.strays(&v) || v.Known == 0
	return v
}

func (m *Model) strays(v *Verdict) bool { return v.Stray > strayLimit && v.Label != m.OutOfScope }

// Silent reports whether the model abstains from every text: no probability was
// enough for the wanted share of what was held out from it to be right.
func (m *Model) Silent() bool { return m.threshold >= 1 }

// WhyAbstain says why the model abstains, "" where it does not.
func (m *Model) WhyAbstain(v Verdict) string {
	switch {
	case !v.Abstain:
		return ""
	case v.Known == 0:
		return "nothing of it was in the examples"
	case m.Silent():
		return "the model answers nothing: it has too few examples, or mistakes too many of them"
	case v.P < m.threshold:
		return fmt.Sprintf("%.2f is less than the %.2f that the model wants to be sure", v.P, m.threshold)
	}
	return fmt.Sprintf("it is stranger than %.0f %% of what the model knows", math.Floor(100*v.Stray))
}

// measured is what the model computes of one text.
type measured struct {
	p       []float64
	signals signals
}

func (m *Model) measure(normalized string) measured {
	v, known := m.vocabulary.vector(m.withoutLabels(normalized))
	scores := make([]float32, len(m.Labels))
	m.linear.scores(v, scores)
	return measured{m.confidence.probabilities(scores, m.leadOf(v, scores)), signalsOf(scores, known, slices.Index(m.Labels, m.OutOfScope))}
}

// withoutLabels takes the ids of labels out of a text: who writes one wants a
// label, and says nothing of what happened. Ids that are plain words stay.
func (m *Model) withoutLabels(normalized string) string {
	for _, l := range m.Labels {
		if strings.ContainsAny(l, "._") && strings.Contains(normalized, l) {
			normalized = strings.ReplaceAll(normalized, l, " ")
		}
	}
	return normalized
}

// topClasses are the places of the k greatest probabilities, greatest first.
func topClasses(p []float64, k int) []int {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(p[b], p[a]), cmp.Compare(a, b)) })
	return order[:min(k, len(order))]
}
