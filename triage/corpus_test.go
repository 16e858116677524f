package triage

import (
	"context"
	"testing"

	"tallyman/fixtures"
)

// The oracle: the labels of the third of the corpus that training does not see.
// The floors are below what is measured, to catch a change that costs; the
// figures themselves are in docs/triage.md.
func TestTheCorpusHeldOut(t *testing.T) {
	if testing.Short() {
		t.Skip("trains on two thirds of the corpus")
	}
	train, heldOut := fixtures.SplitTickets(fixtures.Tickets())
	s := DefaultSettings()
	s.Threads, s.Lexicon = 2, DefaultLexicon()
	m, err := Train(context.Background(), corpusExamples(train), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	taxonomy := DefaultTaxonomy()
	var judged []Judged
	safety, noticed := 0, 0
	for _, ticket := range heldOut {
		v := m.Classify(ticket.Text)
		judged = append(judged, Judged{Want: ticket.Label, Got: v.Label, P: v.P, Stray: v.Stray, Abstain: v.Abstain})
		if ticket.Label == "safety.incident_or_hazard" {
			safety++
			r := taxonomy.Route(taxonomy.Settle(v).Label, ticket.Text, Facts{})
			noticed += one(r.Severity == S1 || v.Label == ticket.Label)
		}
	}
	e := Evaluate(judged, m.OutOfScope)
	t.Logf("%d held out: accuracy %.3f, macro-F1 %.3f, ECE %.3f, answered %.3f with %.3f right, safety %d of %d, oos %+v",
		len(heldOut), e.Accuracy, e.MacroF1, e.ECE, e.Abstaining.Coverage, e.Abstaining.Precision, noticed, safety, *e.OOS)
	if e.MacroF1 < 0.50 || e.ECE > 0.06 || e.OOS.AUROC < 0.86 || float64(noticed) < 0.90*float64(safety) {
		t.Error("that is worse than it was")
	}
}
