package triage

import (
	"context"
	"math"
	"testing"

	"tallyman/fixtures"
)

// The oracle: sums that must come out, and rows whose answer is counted by hand.

func TestTheBlocksOfALeadAddUpToIt(t *testing.T) {
	m := small()
	for _, ticket := range fixtures.Tickets()[:200] {
		v, _ := m.vocabulary.vector(Normalize(ticket.Text))
		scores := make([]float32, len(m.Labels))
		m.linear.scores(v, scores)
		l := m.leadOf(v, scores)
		byScore := make([]float64, len(scores))
		for i, score := range scores {
			byScore[i] = float64(score)
		}
		order := topClasses(byScore, 2)
		best, next := order[0], order[1]
		if got := l[0]; math.Abs(got-float64(scores[best])) > 1e-6 {
			t.Fatalf("%q: the best score is %v, want %v", ticket.Text, got, scores[best])
		}
		own, ahead := float64(m.linear.bias[best]), float64(m.linear.bias[best]-m.linear.bias[next])
		for b := range blocks {
			own, ahead = own+l[2+2*b], ahead+l[3+2*b]
		}
		if math.Abs(own-l[0]) > 1e-3 || math.Abs(ahead-l[1]) > 1e-3 {
			t.Fatalf("%q: the blocks add up to %v and %v, want %v and %v", ticket.Text, own, ahead, l[0], l[1])
		}
	}
}

func TestConfidenceBelievesABlockThatIsRight(t *testing.T) {
	// A hundred rows of the same scores: who leads by words is right, who leads
	// by characters is right every other time.
	var held []heldOutRow
	for i := range 100 {
		h := heldOutRow{scores: []float32{0.2, 0}, lead: lead{0.2, 0.2}}
		if h.lead[2+2*(i%2)+1] = 0.2; i%4 == 1 {
			h.label = 1
		}
		held = append(held, h)
	}
	c, err := fitConfidence(context.Background(), held)
	if err != nil {
		t.Fatal(err)
	}
	words, characters := c.probabilities(held[0].scores, held[0].lead)[0], c.probabilities(held[1].scores, held[1].lead)[0]
	if words < 0.9 || math.Abs(characters-0.5) > 0.05 {
		t.Errorf("a lead by words is worth %.2f and one by characters %.2f, want more than 0.9 and about 0.5", words, characters)
	}
}

func TestAThresholdHasAStandardErrorToSpare(t *testing.T) {
	rows := func(n, wrong int) (held []heldOutRow) {
		for i := range n {
			h := heldOutRow{scores: []float32{1, 0}}
			if i < wrong {
				h.label = 1
			}
			held = append(held, h)
		}
		return held
	}
	m := &Model{Labels: []string{"a", "b"}, confidence: confidence{sharpness: 1}}
	m.confidence.weights[0], m.confidence.weights[1] = 1, 1
	for _, c := range []struct {
		name     string
		held     []heldOutRow
		answered bool
	}{
		{"none of ten is wrong, which says little", rows(10, 0), false},
		{"none of five hundred is wrong", rows(500, 0), true},
		{"two in a hundred are wrong, which may be more", rows(500, 10), false},
		{"one in a hundred is wrong", rows(2000, 20), true},
	} {
		if got := m.fitThreshold(c.held, 0.98) < 1; got != c.answered {
			t.Errorf("%s: answered is %v, want %v", c.name, got, c.answered)
		}
	}
}

func TestVariationsOfOneThoughtAreHeldOutTogether(t *testing.T) {
	examples := []Example{
		{"when will my withdrawal be processed", "a"},
		{"when will the withdrawal be processed", "a"},
		{"please tell me when will my withdrawal be processed", "a"},
		{"where is my money", "a"},
		{"how can i change the mobile number", "b"},
		{"how do i change the mobile number", "b"},
		{"i want to change the mobile number", "b"},
		{"got a new sim", "b"},
	}
	c, err := newCorpus(examples, DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	groups := c.similar()
	for i := range examples {
		if alike := i%4 < 3; alike != (groups[i] == groups[4*(i/4)]) {
			t.Errorf("%q is in group %d, %q in %d", examples[i].Text, groups[i], examples[4*(i/4)].Text, groups[4*(i/4)])
		}
	}
}
