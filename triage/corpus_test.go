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
	for _, ticket := range heldOut {
		v := m.Classify(ticket.Text)
		r := taxonomy.RouteVerdict(v, ticket.Text, Facts{})
		judged = append(judged, Judged{Want: ticket.Label, Got: v.Label, P: v.P, Stray: v.Stray, Abstain: v.Abstain, Signals: r.Signals})
	}
	e := Evaluate(judged, m.OutOfScope)
	e.Signals = taxonomy.ScoreSignals(judged)
	t.Logf("%d held out: accuracy %.3f, macro-F1 %.3f, ECE %.3f, 98 %% right: %.3f answered, at its own thresholds %.3f with %.3f right, signals %+v, oos %+v",
		len(heldOut), e.Accuracy, e.MacroF1, e.ECE, e.CoverageAt["0.98"], e.Abstaining.Coverage, e.Abstaining.Precision, e.Signals, *e.OOS)
	if e.MacroF1 < 0.75 || e.ECE > 0.05 || e.OOS.AUROC < 0.93 || e.Abstaining.Precision < 0.96 || e.Abstaining.Coverage < 0.3 || e.Signals["safety"].Recall < 0.96 {
		t.Error("that is worse than it was")
	}
}
