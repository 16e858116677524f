package store_test

import (
	"strings"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

func TestAttackGlass(t *testing.T) {
	for _, tt := range []struct {
		name   string
		attack func(*floor)
	}{
		{"41 a fourth time in 30 days", attackFourth},
		{"41 the review is late", attackLateReview},
		{"41 nobody hears of it", attackUnheard},
		{"41 who broke it reviews it", attackOwnReview},
		{"41 by the proposer, for an adjustment, without a reason", attackGlassWhere},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := storetest.DSN(t)
			f := &floor{t, open(t, dsn), connect(t, dsn)}
			tt.attack(f)
			f.sound()
		})
	}
}

// held is a line on hold; three people must approve that it is released.
func (f *floor) held(line warehouse.Line) store.Step {
	f.Helper()
	return f.propose(guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.ReleaseReceipt{Load: "ASN-1", Line: line, SKU: "S", Qty: 1000, Reason: "recounted"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "key:k"}, {Part: guardrails.Receiver, Ref: "floor-1"}},
		Facts:   guardrails.Facts{ValueMinor: 1000, Currency: "EUR", Flags: []string{"regulated"}},
	})
}

func (f *floor) smash(s store.Step, by store.By, reason string) error {
	_, err := f.db.Decide(f.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding, Incident: "INC-1", Reason: reason})
	return err
}

func (f *floor) broken(line warehouse.Line, by store.By) store.Step {
	f.Helper()
	s := f.held(line)
	if err := f.smash(s, by, "the dock is blocked"); err != nil {
		f.Fatal(err)
	}
	return s
}

func attackFourth(f *floor) {
	by := f.person("procurement")
	for _, line := range []warehouse.Line{"1", "2", "3"} {
		f.broken(line, by)
	}
	if err := f.smash(f.held("4"), by, "again"); codeOf(err) != guardrails.CodeBreakGlassLimit {
		f.Errorf("a fourth time: %v", err)
	}
}

func attackLateReview(f *floor) {
	by := f.person("procurement")
	s := f.broken("1", by)
	exec(f.T, f.conn, `set session_replication_role = replica`) // a day goes by
	exec(f.T, f.conn, `update step set approved_at = approved_at - interval '25 hours', created_at = created_at - interval '25 hours' where id = $1`, s.ID)
	exec(f.T, f.conn, `set session_replication_role = origin`)
	reviewers := []store.By{f.person("finance"), f.person("inventory_control")}
	for i, r := range reviewers {
		if err := f.smash(f.held("2"), by, "again"); codeOf(err) != guardrails.CodeBreakGlassReview {
			f.Errorf("with %d reviews: %v", i, err)
		}
		all, err := f.db.BrokenGlasses(f.Context(), r)
		if err != nil || len(all) != 1 || !all[0].Late || all[0].You != nil || all[0].Incident != "INC-1" {
			f.Fatalf("%+v, %v", all, err)
		}
		if err := f.db.ReviewGlass(f.Context(), s.ID, r, i == 0, "looked at the camera"); err != nil {
			f.Fatal(err)
		}
		if err := f.db.ReviewGlass(f.Context(), s.ID, r, true, "once more"); codeOf(err) != guardrails.CodeAlreadyDecided {
			f.Errorf("one reviewer twice: %v", err)
		}
	}
	if err := f.smash(f.held("2"), by, "again"); err != nil {
		f.Errorf("after both reviews: %v", err)
	}
}

// Others are called when the glass is broken, and again until they have reviewed it.
func attackUnheard(f *floor) {
	call := func(when string, want int) {
		f.Helper()
		if n, err := f.db.CallReviewers(f.Context()); err != nil || n != want {
			f.Errorf("%s: %d are called for, %v; want %d", when, n, err, want)
		}
	}
	call("before anything", 0)
	s := f.broken("1", f.person("procurement"))
	call("at once", 1)
	call("a moment later", 0)
	exec(f.T, f.conn, `set session_replication_role = replica`) // a day goes by
	exec(f.T, f.conn, `update step set approved_at = approved_at - interval '25 hours', created_at = created_at - interval '25 hours' where id = $1`, s.ID)
	exec(f.T, f.conn, `update audit_entry set at = at - interval '25 hours' where stream = $1`, string(s.ID)+"/review")
	exec(f.T, f.conn, `set session_replication_role = origin`)
	call("a day later", 1)
	reviewers := []store.By{f.person("finance"), f.person("inventory_control")}
	view, err := f.db.StepView(f.Context(), store.Viewer{Person: reviewers[0].Person}, s.ID)
	if err != nil || view.History[0].Event != "review_asked" || !strings.Contains(view.History[0].Facts[0].Value, "2 of 2 reviews are missing") ||
		!strings.Contains(view.History[0].Facts[0].Value, "cannot be broken at DC-1") {
		f.Errorf("the history begins with %+v, %v", view.History[0], err)
	}
	exec(f.T, f.conn, `set session_replication_role = replica`)
	exec(f.T, f.conn, `update audit_entry set at = at - interval '7 hours' where stream = $1`, string(s.ID)+"/review")
	exec(f.T, f.conn, `set session_replication_role = origin`)
	for _, r := range reviewers {
		if err := f.db.ReviewGlass(f.Context(), s.ID, r, true, "looked at the camera"); err != nil {
			f.Fatal(err)
		}
	}
	call("when both have", 0)
}

func attackOwnReview(f *floor) {
	by := f.person("procurement")
	s := f.broken("1", by)
	left := f.person("finance")
	exec(f.T, f.conn, `update person set deactivated_at = now() where id = $1`, left.Person)
	away := f.person("finance")
	exec(f.T, f.conn, `update role_grant set site = 'DC-2' where person_id = $1`, away.Person)
	receiver := f.person("finance")
	exec(f.T, f.conn, `insert into person_ref (ref, person_id) values ('floor-1', $1)`, receiver.Person)
	for name, c := range map[string]struct {
		by   store.By
		note string
		want guardrails.Code
	}{
		"who broke it":     {by, "I was right", guardrails.CodeSameHuman},
		"the receiver":     {receiver, "fine", guardrails.CodePart},
		"who left":         {left, "fine", guardrails.CodeInactive},
		"of another site":  {away, "fine", guardrails.CodeRoleMissing},
		"without the role": {f.person("visitor"), "fine", guardrails.CodeRoleMissing},
		"a machine":        {store.By{Machine: "llm"}, "fine", guardrails.CodeMachine},
		"without a word":   {f.person("finance"), " ", guardrails.CodeReasonMissing},
	} {
		if err := f.db.ReviewGlass(f.Context(), s.ID, c.by, true, c.note); codeOf(err) != c.want {
			f.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	const review = `insert into glass_review (step_id, person_id, justified, note) values ($1, $2, true, 'fine')`
	for person, constraint := range map[guardrails.PersonID]string{
		by.Person: "glass_review_duties", receiver.Person: "glass_review_duties", left.Person: "glass_review_active",
	} {
		if _, err := f.conn.Exec(f.Context(), review, s.ID, person); constraintOf(err) != constraint {
			f.Errorf("by the owner of the tables: %v, want %s", err, constraint)
		}
	}
	whole := f.held("2")
	if err := f.db.ReviewGlass(f.Context(), whole.ID, f.person("finance"), true, "fine"); codeOf(err) != guardrails.CodeNotAllowed {
		f.Errorf("where nothing is broken: %v", err)
	}
}

func attackGlassWhere(f *floor) {
	by := f.person("procurement")
	if err := f.smash(f.held("1"), by, " "); codeOf(err) != guardrails.CodeReasonMissing {
		f.Errorf("without a reason: %v", err)
	}
	stale := by
	stale.AuthenticatedAt = by.AuthenticatedAt.Add(-time.Hour)
	if err := f.smash(f.held("1"), stale, "now"); codeOf(err) != guardrails.CodeStepUp {
		f.Errorf("in an old session: %v", err)
	}
	if err := f.smash(f.propose(adjustment("A-1", 1_000_001)), f.person("controller"), "now"); codeOf(err) != guardrails.CodeBreakGlass {
		f.Errorf("for an adjustment: %v", err)
	}
	own := guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.CountPosition{Location: "A-1", SKU: "S"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Person: by.Person}},
	}
	if err := f.smash(f.propose(own), by, "now"); codeOf(err) != guardrails.CodeSelfApproval {
		f.Errorf("by the proposer: %v", err)
	}
}
