package store_test

import (
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

func TestAttackStandIn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		attack func(*floor)
	}{
		{"55 a stand-in before the time", attackEarly},
		{"56 a stand-in who is the proposer", attackStandInParty},
		{"57 the ladder is widened", attackLadder},
		{"a stand-in in time", standInTime},
		{"what waits for a stand-in", standInInbox},
		{"a stand-in is called", standInCalled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := storetest.DSN(t)
			f := &floor{t, open(t, dsn), connect(t, dsn)}
			tt.attack(f)
			f.sound()
		})
	}
}

// letStandIn makes a step that finance must approve too, for whom a controller may
// stand in after a time.
func (f *floor) letStandIn(r guardrails.Recommendation, after time.Duration) store.Step {
	f.Helper()
	s := f.propose(r)
	req, err := guardrails.Require([]guardrails.Slot{{Role: "finance", Count: 1}}, guardrails.Session, 0, s.Requirement.Life)
	if err == nil {
		req, err = req.WithStandIns(guardrails.StandIn{For: "finance", Role: "controller", After: after})
	}
	if err == nil {
		s, err = f.db.Decide(f.Context(), s.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: req, Policy: s.Policy})
	}
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// standIn is what a program that does not ask writes down.
const standIn = `
	insert into decision (step_id, person_id, verdict, slot, as_role, binding, roles, strength, session, reason, decided_at)
	select id, $1, 'approve', $3, $4, binding, '{}', 'session', 's', '', clock_timestamp() + $5::interval from step where id = $2`

func attackEarly(f *floor) {
	s, by := f.letStandIn(ticket("T-1", "receiving"), time.Hour), f.person("controller")
	if _, err := f.db.Decide(f.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding}); codeOf(err) != guardrails.CodeTooEarly {
		f.Errorf("approved: %v", err)
	}
	if _, err := f.db.Decide(f.Context(), s.ID, by, guardrails.Reject{Binding: s.Binding, Reason: "no"}); codeOf(err) != guardrails.CodeRoleMissing {
		f.Errorf("rejected: %v", err)
	}
	for name, tt := range map[string]struct {
		slot, as, ahead string
		constraint      string
	}{
		"before the time":                 {"finance", "controller", "0", "decision_stands_in"},
		"with a clock of one's own":       {"finance", "controller", "2 hours", "decision_stands_in"},
		"for a role that has no stand-in": {"supervisor", "controller", "0", "decision_stands_in"},
		"without saying so":               {"finance", "", "0", "decision_role"},
	} {
		var as any
		if tt.as != "" {
			as = tt.as
		}
		if _, err := f.conn.Exec(f.Context(), standIn, by.Person, s.ID, tt.slot, as, tt.ahead); constraintOf(err) != tt.constraint {
			f.Errorf("%s: %v", name, err)
		}
	}
	now := f.letStandIn(ticket("T-2", "receiving"), time.Microsecond)
	if _, err := f.conn.Exec(f.Context(), standIn, f.person("ap").Person, now.ID, "finance", "controller", "0"); constraintOf(err) != "decision_role" {
		f.Errorf("without the role that stands in: %v", err)
	}
}

func attackStandInParty(f *floor) {
	by, counter := f.person("controller"), f.person("controller")
	r := adjustment("A-1", 100)
	r.Parties = []guardrails.Party{{Part: guardrails.Proposer, Person: by.Person}, {Part: guardrails.Counter, Person: counter.Person}}
	s := f.letStandIn(r, time.Microsecond)
	for who, code := range map[store.By]guardrails.Code{by: guardrails.CodeSelfApproval, counter: guardrails.CodePart} {
		if _, err := f.db.Decide(f.Context(), s.ID, who, guardrails.Approve{Binding: s.Binding}); codeOf(err) != code {
			f.Errorf("approved: %v, want %s", err, code)
		}
		if _, err := f.conn.Exec(f.Context(), standIn, who.Person, s.ID, "finance", "controller", "0"); constraintOf(err) != "decision_duties" {
			f.Errorf("written down: %v", err)
		}
	}
}

// Nobody is let in later, nor sooner than it was said.
func attackLadder(f *floor) {
	s := f.letStandIn(ticket("T-1", "receiving"), time.Hour)
	const change = `update step set version = version + 1, binding = sha256('x'), requirement = jsonb_set(requirement, '{stand_ins}', $2) where id = $1`
	for name, tt := range map[string]struct{ statement, ladder, constraint string }{
		"sooner":          {change, `[{"for": "finance", "role": "controller", "after_us": 3599999999}]`, "step_no_weaker"},
		"somebody else":   {change, `[{"for": "finance", "role": "ap", "after_us": 7200000000}]`, "step_no_weaker"},
		"for more":        {change, `[{"for": "finance", "role": "controller", "after_us": 3600000000}, {"for": "supervisor", "role": "controller", "after_us": 3600000000}]`, "step_no_weaker"},
		"waits longer":    {`update step set version = version + 1, waits_since = waits_since - interval '1 hour', requirement = requirement || jsonb_build_object('x', $2::text) , binding = sha256('x') where id = $1`, "", "step_no_weaker"},
		"waits otherwise": {`update step set version = version + 1, waits_since = waits_since - interval '1 hour', reason = $2 where id = $1`, "", "step_immutable"},
	} {
		if _, err := f.conn.Exec(f.Context(), tt.statement, s.ID, tt.ladder); constraintOf(err) != tt.constraint {
			f.Errorf("%s: %v", name, err)
		}
	}
	wider, err := guardrails.Require([]guardrails.Slot{{Role: "finance", Count: 1}}, guardrails.Session, 0, s.Requirement.Life)
	if err == nil {
		wider, err = wider.WithStandIns(guardrails.StandIn{For: "finance", Role: "ap", After: time.Minute}, guardrails.StandIn{For: "finance", Role: "controller", After: time.Minute})
	}
	if err != nil {
		f.Fatal(err)
	}
	if _, err := f.db.Decide(f.Context(), s.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: wider, Policy: s.Policy}); codeOf(err) != guardrails.CodeWeaker {
		f.Errorf("a ladder is widened: %v", err)
	}
	after, err := f.db.Step(f.Context(), s.ID)
	if err != nil || after.Requirement.Full() != s.Requirement.Full() {
		f.Errorf("it requires %s now, %v", after.Requirement.Full(), err)
	}
}

func standInTime(f *floor) {
	s, by := f.letStandIn(ticket("T-1", "receiving"), time.Microsecond), f.person("controller")
	s, err := f.db.Decide(f.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding})
	if err != nil || s.State != guardrails.Pending {
		f.Fatalf("a stand-in alone: %s, %v", s.State, err)
	}
	if s, err = f.db.Decide(f.Context(), s.ID, f.person("supervisor"), guardrails.Approve{Binding: s.Binding}); err != nil || s.State != guardrails.Approved {
		f.Fatalf("with the supervisor: %s, %v", s.State, err)
	}
	view, err := f.db.StepView(f.Context(), store.Viewer{Person: by.Person}, s.ID)
	if err != nil || len(view.Standing) != 2 || view.Standing[0].Slot != "finance" || view.Standing[0].As != "controller" || view.Standing[1].As != "" {
		f.Errorf("%+v, %v", view.Standing, err)
	}
	facts := map[string]string{}
	for _, e := range view.History {
		if e.Event == string(guardrails.ApprovalGiven) {
			for _, x := range e.Facts {
				facts[x.Name] = x.Value
			}
		}
	}
	if facts["slot"] != "finance" || facts["stood_in_as"] != "controller" {
		f.Errorf("the audit log says %v", facts)
	}
}

func standInInbox(f *floor) {
	late, due := f.letStandIn(ticket("T-1", "receiving"), time.Hour), f.letStandIn(ticket("T-2", "receiving"), time.Microsecond)
	by := f.person("controller")
	steps, err := f.db.InboxSteps(f.Context(), store.Viewer{Person: by.Person}, store.StepFilter{Waiting: by.Person}, store.StepCursor{}, 10)
	if err != nil || len(steps) != 1 || steps[0].ID != due.ID {
		f.Errorf("%d wait, %v; want %s and not %s", len(steps), err, due.ID, late.ID)
	}
	view, err := f.db.StepView(f.Context(), store.Viewer{Person: by.Person}, due.ID)
	if err != nil || len(view.Deciders) != 1 || view.Deciders[0].ID != by.Person {
		f.Errorf("it can be given to %v, %v", view.Deciders, err)
	}
	if view, err = f.db.StepView(f.Context(), store.Viewer{Person: by.Person}, late.ID); err != nil || len(view.Deciders) != 0 {
		f.Errorf("the other can be given to %v, %v", view.Deciders, err)
	}
}

// The moment from which somebody may stand in is one of more attention, and says who.
func standInCalled(f *floor) {
	f.letStandIn(ticket("T-1", "receiving"), time.Hour)
	due := f.letStandIn(ticket("T-2", "receiving"), time.Microsecond)
	if n, err := f.db.EscalateDue(f.Context()); err != nil || n != 1 {
		f.Errorf("%d are escalated, %v", n, err)
	}
	if n, err := f.db.EscalateDue(f.Context()); err != nil || n != 0 {
		f.Errorf("%d are escalated once more, %v", n, err)
	}
	s, err := f.db.Step(f.Context(), due.ID)
	if err != nil || s.Escalation != 1 || s.Reason != "controller stands in for finance" || s.Binding != due.Binding {
		f.Errorf("%d, %q, %v", s.Escalation, s.Reason, err)
	}
}
