package triage

import (
	"context"
	"testing"

	"tallyman/fixtures"
)

// The oracle: labels that training did not see. A tenth of the part of the corpus
// that is for training learns, another is judged: what is held out is not looked
// at with every run. The floors are below what is measured, to catch a change that
// costs; the figures of the whole corpus are in docs/triage.md.
func TestATenthOfTheCorpusTeachesEnough(t *testing.T) {
	all, _ := fixtures.SplitTickets(fixtures.Tickets())
	var train, heldOut []fixtures.Ticket
	for i, ticket := range all {
		switch i % 10 {
		case 0:
			train = append(train, ticket)
		case 1:
			heldOut = append(heldOut, ticket)
		}
	}
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
	if e.MacroF1 < 0.65 || e.ECE > 0.06 || e.OOS.AUROC < 0.86 || e.Signals["safety"].Recall < 0.90 {
		t.Error("that is worse than it was")
	}
}
