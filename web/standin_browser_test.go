package web_test

import (
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
)

// laddered is a step for which finance and a supervisor are asked, and others may
// stand in: for finance at once, for the supervisor later.
func (s *site) laddered(ticket string) store.Step {
	s.t.Helper()
	step := s.propose(ticket, machine)
	r, err := guardrails.Require([]guardrails.Slot{{Role: "finance", Count: 1}}, guardrails.Session, 0, 20*time.Hour)
	if err == nil {
		r, err = r.WithStandIns(
			guardrails.StandIn{For: "finance", Role: "site_manager", After: 3 * time.Hour},
			guardrails.StandIn{For: "finance", Role: "controller", After: time.Microsecond})
	}
	if err == nil {
		step, err = s.db.Decide(s.t.Context(), step.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: r, Policy: step.Policy})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return step
}

func TestStandingInInABrowser(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	s.role("mona", "controller", "DC-1")
	s.role("luis", "site_manager", "DC-1")
	s.role("anna", "supervisor", "DC-1")
	b := tabsOf(s)
	mona, luis, anna := b.enter("mona"), b.enter("luis"), b.enter("anna")
	step := s.laddered("T-1")
	path := "/steps/" + string(step.ID)

	luis.open("/steps")
	luis.reads("standin-not-waiting", "Nothing waits for you")
	luis.open(path)
	luis.reads("standin-early", "from ", " also site manager", "controller stands in since ", "As site_manager you may stand in for finance from", "You cannot decide this")
	mona.open("/steps")
	mona.reads("standin-inbox", "Give ticket T-1 to receiving", "You can approve it.")
	mona.open(path)
	mona.reads("standin-due", "controller stands in since ", "2 still needed")
	mona.click(approve)
	mona.reads("standin-approved", "You approved it.", "✓ Mona, controller", "approved as controller, who stood in for finance")
	anna.open(path)
	anna.click(approve)
	anna.reads("standin-one-more", "You approved it.", "1 still needed")
}
