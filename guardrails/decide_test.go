package guardrails

import (
	"slices"
	"testing"
	"time"
)

// What is allowed is allowed: a table that refuses everything would stop every
// attack too.
func TestDecideAllows(t *testing.T) {
	for name, c := range map[string]struct {
		scene scene
		event Event
		state State
	}{
		"a supervisor approves": {stage(), Authorised, Approved},
		"one of two approves":   {stage(func(s *scene) { s.requires(mustRequire(Session, Slot{"finance", 1}, Slot{"supervisor", 1})) }), ApprovalGiven, Pending},
		"the second of two": {stage(func(s *scene) {
			s.requires(mustRequire(Session, Slot{"finance", 1}, Slot{"supervisor", 1}))
			s.said(fay, "finance")
		}), Authorised, Approved},
		"one of two has left since": {stage(func(s *scene) { s.requires(mustRequire(Session, Slot{"supervisor", 2})); s.said(gone, "supervisor") }), ApprovalGiven, Pending},
		"an approval of before": {stage(func(s *scene) {
			s.said(both, "finance")
			s.requires(mustRequire(Session, Slot{"finance", 1}, Slot{"supervisor", 1}))
		}), ApprovalGiven, Pending},
		"a stand-in at the instant": {stage(func(s *scene) { s.laddered(4 * time.Hour) }), Authorised, Approved},
		"a stand-in rejects": {stage(func(s *scene) {
			s.laddered(4 * time.Hour)
			s.cmd = Reject{Binding: s.step.Binding, Reason: "no"}
		}), RejectionGiven, Rejected},
		"a supervisor where others stand in": {stage(func(s *scene) { s.laddered(9 * time.Hour); s.as(sam) }), Authorised, Approved},
		"a stand-in is one of two": {stage(func(s *scene) {
			s.laddered(9 * time.Hour)
			s.step.Requirement.Slots[0].Count = 2
			s.requires(s.step.Requirement)
		}), ApprovalGiven, Pending},
		"escalated":              {stage(func(s *scene) { s.laddered(9 * time.Hour); s.machine("clock"); s.cmd = Escalate{} }), Escalated, Pending},
		"for somebody else":      {stage(func(s *scene) { s.delegated(KindInventoryAdjustment) }), Authorised, Approved},
		"glass is broken":        {stage(onCount), Authorised, Approved},
		"rejected":               {stage(func(s *scene) { s.cmd = Reject{Binding: s.step.Binding, Reason: "no"} }), RejectionGiven, Rejected},
		"changes are asked for":  {stage(func(s *scene) { s.cmd = AskChanges{Binding: s.step.Binding, Reason: "recount"} }), ChangesAsked, ChangesRequested},
		"given to another":       {stage(func(s *scene) { s.cmd = Reassign{To: both} }), Reassigned, Pending},
		"the proposer withdraws": {stage(func(s *scene) { s.as(pat); s.cmd = Withdraw{} }), WithdrawnBy, Withdrawn},
		"expired":                {stage(func(s *scene) { s.ctx.Now = s.step.ExpiresAt; s.machine("clock"); s.cmd = Expire{} }), ExpiredUnheard, Expired},
		"superseded":             {stage(func(s *scene) { s.machine("proposer"); s.cmd = Supersede{By: "st_2"} }), SupersededBy, Superseded},
		"tightened":              {stage(func(s *scene) { s.machine(Judge); s.cmd = Tighten{mustRequire(Fresh, Slot{"finance", 1}), "v2"} }), Tightened, Pending},
		"unblocked":              {stage((*scene).blocked), Unblocked, Pending},
		"unblocked for an owner": {stage((*scene).blocked, func(s *scene) { s.as(owen) }), Unblocked, Pending},
		"sent":                   {stage(func(s *scene) { s.approved(time.Hour) }), Dispatched, Executing},
		"replayed":               {stage((*scene).failed), Replayed, Executing},
		"carried out by hand": {stage(func(s *scene) {
			s.approved(time.Hour)
			s.step.State, s.step.Targets = Executing, []string{TargetManual}
			s.as(fay)
			s.cmd = Settle{Outcome: Confirmed}
		}), Confirmed, Succeeded},
	} {
		t.Run(name, func(t *testing.T) {
			got, code := run(c.scene, guards)
			if code != "" || got.Event != c.event || got.Step.State != c.state || got.Step.Version != c.scene.step.Version+1 {
				t.Errorf("it is %s, %s, %q; want %s, %s", got.Event, got.Step.State, code, c.event, c.state)
			}
		})
	}
}

// A step that was denied once can be approved under a policy that no longer does.
func TestUnblockingEndsADenial(t *testing.T) {
	s := stage((*scene).blocked)
	tr, code := run(s, guards)
	if code != "" || len(tr.Step.Requirement.Deny) != 0 || tr.Step.Requirement.Excludes != KindInventoryAdjustment.Excludes() || tr.Step.Policy != "v2" {
		t.Fatalf("%q: %+v", code, tr.Step.Requirement)
	}
	s.step, s.cmd = tr.Step, Approve{Binding: tr.Step.Binding}
	s.as(sam)
	if tr, code = run(s, guards); code != "" || tr.Step.State != Approved {
		t.Errorf("%q: %s", code, tr.Step.State)
	}
}

// What is not an arc of the machine is refused in every state, whoever asks and
// whatever the guards say.
func TestStateMachine(t *testing.T) {
	for _, from := range States {
		for _, e := range Events {
			_, err := from.After(e)
			legal := slices.ContainsFunc(arcs, func(a arc) bool { return a.from == from && a.event == e })
			if (err == nil) != legal {
				t.Errorf("%s when %s: %v", e, from, err)
			}
		}
		s := stage(func(s *scene) { s.step.State = from })
		if tr, code := run(s, without("state")); code == "" && from != Pending {
			t.Errorf("approved when %s: %s", from, tr.Step.State)
		}
	}
}
