package web_test

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// What is out of the ordinary: a step of the top band, an emergency, a new model.
func TestTheUnusualInABrowser(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	for _, login := range []string{"bert", "cleo", "dora"} {
		s.person(login, "DC-1")
	}
	b := tabsOf(s)
	bert := b.enter("bert")
	t.Run("step up", func(t *testing.T) { steppedUp(t, b, bert) })
	t.Run("glass", func(t *testing.T) { brokenGlass(t, b, bert, b.enter("cleo"), b.enter("dora")) })
	t.Run("promotion", func(t *testing.T) { promoted(t, b) })
}

// age makes every session an hour older.
func (s *site) age() {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.dsn)
	if err == nil {
		_, err = conn.Exec(s.t.Context(), `update session set authenticated_at = authenticated_at - interval '1 hour', expires_at = expires_at - interval '1 hour'`)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	_ = conn.Close(context.WithoutCancel(s.t.Context()))
}

// steppedUp walks from an old session over a fresh authentication to an approval.
func steppedUp(t *testing.T, b *tabs, bert *visitor) {
	t.Helper()
	step := b.tighten(b.propose("T-9", machine), guardrails.Fresh, time.Hour)
	b.age()
	bert.open("/steps/" + string(step.ID))
	bert.reads("old-session", "Sign in again", "Needs a sign-in of the last 15 minutes")
	bert.click(approve)
	bert.reads("old-session-refused", "Sign in again first.")
	bert.click(".notice a")
	bert.reads("sign-in-again", "sure that it is you")
	bert.signInHere()
	bert.reads("stepped-up", "Give ticket T-9 to receiving", "2 still needed")
	bert.click(approve)
	bert.reads("stepped-up-approved", "You approved it.", "✓ Bert")
	view, err := b.db.StepView(t.Context(), store.Viewer{Person: personOf(t, b, "bert")}, step.ID)
	if err != nil || len(view.Decisions) != 1 || view.Decisions[0].Strength != guardrails.Fresh {
		t.Errorf("%+v, %v", view.Decisions, err)
	}
}

func personOf(t *testing.T, b *tabs, login string) guardrails.PersonID {
	t.Helper()
	p, err := b.db.FindPerson(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	return p.ID
}

// brokenGlass walks from an emergency to its two reviews.
func brokenGlass(t *testing.T, b *tabs, bert, cleo, dora *visitor) {
	t.Helper()
	step, err := b.db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.ReleaseReceipt{Load: "ASN-7", Line: "1", SKU: "S", Qty: 12 * warehouse.Unit, Reason: "recounted"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "key:wms"}, {Part: guardrails.Receiver, Ref: "floor-1"}},
		Facts:   guardrails.Facts{ValueMinor: 100_000, Currency: "EUR", Flags: []string{"regulated"}},
	}, store.Source{})
	if err != nil {
		t.Fatal(err)
	}
	cleo.open("/glass")
	cleo.reads("glass-none", "Nothing waits for a review")
	bert.open("/steps/" + string(step.ID))
	bert.run(chromedp.Click(chromedp.CSS(".glass summary")), chromedp.SendKeys(chromedp.CSS("#incident"), "INC-7"),
		chromedp.SendKeys(chromedp.CSS("#glass-reason"), "The vaccine thaws on the dock."))
	bert.reads("glass-form", "Emergency: approve alone", "Two others review it within a day")
	bert.click(".glass button")
	bert.reads("glass-broken", "You broke the glass.", "broke the glass for INC-7", "approved, to be sent")
	bert.open("/glass")
	bert.reads("glass-own", "The vaccine thaws on the dock.", "2 still needed", "Others than who broke the glass review it")
	cleo.open("/steps")
	cleo.reads("glass-inbox", "The glass was broken.", "Review it")
	cleo.click(".notice a")
	cleo.run(chromedp.SendKeys(chromedp.CSS(".broken textarea"), "The log of the freezer says so."))
	cleo.reads("glass-review", "INC-7", "It was right", "2 still needed")
	cleo.click(".broken button.primary")
	cleo.reads("glass-reviewed", "Your review is on record.", "✓ right says Cleo", "1 still needed", "You have reviewed it")
	dora.open("/glass")
	dora.run(chromedp.SendKeys(chromedp.CSS(".broken textarea"), "Another dock was free."))
	dora.click(".broken button.danger")
	dora.reads("glass-done", "Nothing waits for a review", "Reviewed in the last 30 days", "✗ not right says Dora")
	dora.open("/steps/" + string(step.ID))
	dora.reads("glass-step", "One human approved it alone.", "reviewed by Dora: Another dock was free.")
}

// promoted looks at a model that wants to come into force.
func promoted(t *testing.T, b *tabs) {
	t.Helper()
	m := store.Model{
		Subject: "position", Outcome: "variance", SchemaHash: "h", DataFrom: noon.AddDate(0, -6, 0), DataUntil: noon.AddDate(0, -1, 0),
		Params: []byte(`{}`), Metrics: []byte(`{}`),
	}
	var err error
	if m.ParentID, err = b.db.InstallModel(t.Context(), m, []byte("old trees")); err != nil {
		t.Fatal(err)
	}
	step, err := b.db.ProposeModel(t.Context(), m, []byte("new trees"), []byte(`{
		"champion":{"model":1,"data_from":"2026-03-31T05:33:09Z","data_until":"2026-09-25T17:08:55Z","metrics":{"log_loss":0.18852,"auc":0.94106,"brier":0.0502,"ece":0.02724}},
		"challenger":{"data_from":"2026-03-31T05:33:09Z","data_until":"2026-10-28T18:24:17Z","metrics":{"log_loss":0.18085,"auc":0.93933,"brier":0.04796,"ece":0.02365}},
		"slice":{"from":"2026-10-28T23:58:55Z","until":"2026-11-25T23:58:55Z","examples":956,"positives":158},
		"gates":[{"name":"loss","passed":true,"detail":"log loss 0.1808 against 0.1885"},{"name":"ranking","passed":true,"detail":"1 − AUC 0.0607 against 0.0589, at most 0.01 more"}]}`), noon)
	if err != nil {
		t.Fatal(err)
	}
	b.person("ines", guardrails.Everywhere)
	ines := b.enter("ines")
	ines.reads("promotion-inbox", "for variance of position")
	ines.open("/steps/" + string(step.ID))
	ines.reads("promotion", "Both on the same outcomes", "0.1885", "0.1808", "✓ Says better what will happen", "956 outcomes, 158 of them positive", "The model before it comes back by a step of its own")
	ines.click(approve)
	ines.reads("promotion-approved", "You approved it.", "✓ Ines", "1 still needed")
}
