package guardrails

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// attack is something that must not be possible, and the guards that stop it:
// without them, and only without all of them, it succeeds.
type attack struct {
	name   string
	scene  scene
	guards []string
	code   Code
}

var attacks = []attack{
	{"a program approves", stage(func(s *scene) {
		p := s.ctx.Actor.Person
		s.machine("llm:v1")
		s.ctx.Actor.Person = p
	}), []string{"human"}, CodeMachine},
	{"somebody who left approves", stage(func(s *scene) { s.as(gone) }), []string{"active"}, CodeInactive},
	{"for somebody who left", stage(func(s *scene) {
		s.delegated(KindInventoryAdjustment)
		s.ctx.Actor.Principal.Active = false
	}), []string{"active"}, CodeInactive},
	{"approved at the last instant", stage(func(s *scene) { s.ctx.Now = s.step.ExpiresAt }), []string{"in-time"}, CodeExpired},
	{"expired before its time", stage(func(s *scene) { s.machine("clock"); s.cmd = Expire{} }), []string{"over"}, CodeNotExpired},
	{"a stale binding", stage(func(s *scene) { s.cmd = Approve{Binding: Hash{1}} }), []string{"binding"}, CodeBinding},
	{"a rejection of something else", stage(func(s *scene) { s.cmd = Reject{Binding: Hash{1}, Reason: "no"} }), []string{"binding"}, CodeBinding},
	{"the proposer approves", stage(func(s *scene) { s.as(pat) }), []string{"self-approval"}, CodeSelfApproval},
	{"somebody approves for the proposer", stage(func(s *scene) {
		s.delegated(KindInventoryAdjustment)
		s.requires(mustRequire(Session, Slot{"supervisor", 1}))
		p := s.ctx.People[pat]
		s.ctx.Actor.Principal, s.ctx.Actor.Delegation.From = &p, pat
	}), []string{"self-approval"}, CodeSelfApproval},
	{"the counter approves", stage(func(s *scene) { s.as(cora) }), []string{"parts"}, CodePart},
	{"the counter approves under another name", stage(func(s *scene) {
		s.person(sam, func(p *Person) { p.Refs = []string{"wms:jo"} })
		s.as(sam)
	}), []string{"parts"}, CodePart},
	{"who might be the counter approves", stage(func(s *scene) { s.as(vera) }), []string{"parts"}, CodeUnprovenPart},
	{"a delegation for something else", stage(func(s *scene) { s.delegated(KindVerifyLoad) }), []string{"delegation"}, CodeDelegation},
	{"a delegation that ended", stage(func(s *scene) {
		s.delegated(KindInventoryAdjustment)
		s.ctx.Actor.Delegation.End = noon
	}), []string{"delegation"}, CodeDelegation},
	{"a delegation that was revoked", stage(func(s *scene) {
		s.delegated(KindInventoryAdjustment)
		s.ctx.Actor.Delegation.RevokedAt = noon.Add(-time.Minute)
	}), []string{"delegation"}, CodeDelegation},
	{"a delegation of somebody else's", stage(func(s *scene) {
		s.delegated(KindInventoryAdjustment)
		s.ctx.Actor.Delegation.From = owen
	}), []string{"delegation"}, CodeDelegation},
	{"one human fills two slots", stage(func(s *scene) {
		s.requires(mustRequire(Session, Slot{"finance", 1}, Slot{"supervisor", 1}))
		s.as(both)
		s.said(both, "finance")
	}), []string{"one-slot"}, CodeAlreadyDecided},
	{"what the policy denies", stage(func(s *scene) {
		s.requires(Join(mustRequire(Session, Slot{"supervisor", 1}), Denied("no")))
	}), []string{"denied"}, CodeDenied},
	{"a requirement without a human", stage(func(s *scene) { s.step.Value = 0; s.requires(Requirement{Life: time.Hour}) }), []string{"some-human", "role"}, CodeNoHuman},
	{"glass is broken for an adjustment", stage(func(s *scene) {
		s.cmd = Approve{Binding: s.step.Binding, Incident: "INC-1", Reason: "fire"}
	}), []string{"glass"}, CodeBreakGlass},
	{"glass is broken a fourth time", stage(onCount, func(s *scene) { s.ctx.GlassBroken = MaxGlass }), []string{"glass"}, CodeBreakGlassLimit},
	{"glass is broken before the review", stage(onCount, func(s *scene) { s.ctx.ReviewLate = true }), []string{"glass"}, CodeBreakGlassReview},
	{"glass is broken in an old session", stage(onCount, func(s *scene) { s.ctx.Actor.AuthenticatedAt = noon.Add(-time.Hour) }), []string{"glass"}, CodeStepUp},
	{"glass is broken without a word", stage(onCount, func(s *scene) {
		s.cmd = Approve{Binding: s.step.Binding, Incident: "INC-1"}
	}), []string{"glass"}, CodeReasonMissing},
	{"without the role", stage(func(s *scene) { s.as(clerk); s.step.Value = 0 }), []string{"role"}, CodeRoleMissing},
	{"with the role of another site", stage(func(s *scene) { s.as(away); s.step.Value = 0 }), []string{"role"}, CodeRoleMissing},
	{"with a role that the proposer gave", stage(func(s *scene) { s.as(thief); s.step.Value = 0 }), []string{"role"}, CodeRoleMissing},
	{"beyond one's limit", stage(func(s *scene) {
		s.person(small, func(p *Person) { p.Grants[0].Daily.Unlimited = true })
		s.as(small)
	}), []string{"value"}, CodeValueLimit},
	{"an unknown value within a limit", stage(func(s *scene) {
		s.person(small, func(p *Person) { p.Grants[0].Daily.Unlimited = true })
		s.as(small)
		s.step.Value = UnknownAmount
	}), []string{"value"}, CodeValueLimit},
	{"beyond one's day", stage(func(s *scene) {
		s.person(small, func(p *Person) { p.Grants[0].Limit.Unlimited, p.Grants[0].Daily.Minor = true, 30 })
		s.as(small)
		s.ctx.Spent = 11
	}), []string{"daily"}, CodeDailyLimit},
	{"an overflow of one's day", stage(func(s *scene) {
		s.person(small, func(p *Person) { p.Grants[0].Limit.Unlimited, p.Grants[0].Daily.Minor = true, 30 })
		s.as(small)
		s.ctx.Spent = UnknownAmount
	}), []string{"daily"}, CodeDailyLimit},
	{"an old session for the top band", stage(func(s *scene) {
		s.requires(mustRequire(Fresh, Slot{"supervisor", 1}))
		s.ctx.Actor.AuthenticatedAt = noon.Add(-FreshFor - time.Second)
	}), []string{"fresh"}, CodeStepUp},
	{"a session from the future", stage(func(s *scene) {
		s.requires(mustRequire(Fresh, Slot{"supervisor", 1}))
		s.ctx.Actor.AuthenticatedAt = noon.Add(time.Second)
	}), []string{"fresh"}, CodeStepUp},
	{"a stand-in before the time", stage(func(s *scene) { s.laddered(4*time.Hour - time.Microsecond) }), []string{"stand-in"}, CodeTooEarly},
	{"a stand-in before the time breaks the glass", stage(func(s *scene) {
		s.step.Kind = KindCountPosition
		s.laddered(time.Hour)
		onCount(s)
	}), []string{"stand-in"}, CodeTooEarly},
	{"somebody approves for a stand-in before the time", stage(func(s *scene) {
		s.delegated(KindInventoryAdjustment)
		deputy := s.ctx.Actor
		s.laddered(time.Hour)
		manager := s.ctx.People[mia]
		deputy.Principal, deputy.Delegation.From = &manager, mia
		deputy.Person = s.ctx.People[fay]
		deputy.Delegation.To = fay
		s.ctx.Actor = deputy
	}), []string{"stand-in"}, CodeTooEarly},
	{"a stand-in who is the proposer", stage(func(s *scene) { s.laddered(5 * time.Hour); s.manages(pat) }), []string{"self-approval"}, CodeSelfApproval},
	{"a stand-in who is the counter", stage(func(s *scene) { s.laddered(5 * time.Hour); s.manages(cora) }), []string{"parts"}, CodePart},
	{"a stand-in for a role that has none", stage(func(s *scene) { s.as(mia); s.step.Value = 0 }), []string{"role"}, CodeRoleMissing},
	{"a stand-in beyond their limit", stage(func(s *scene) {
		s.laddered(5 * time.Hour)
		s.person(mia, func(p *Person) { p.Grants[0].Limit = Limit{Minor: 10} })
		s.as(mia)
	}), []string{"value"}, CodeValueLimit},
	{"a stand-in beyond their day", stage(func(s *scene) {
		s.laddered(5 * time.Hour)
		s.person(mia, func(p *Person) { p.Grants[0].Daily = Limit{Minor: 10} })
		s.as(mia)
	}), []string{"daily"}, CodeDailyLimit},
	{"a stand-in in an old session", stage(func(s *scene) {
		s.laddered(5 * time.Hour)
		s.step.Requirement.Auth = Fresh
		s.requires(s.step.Requirement)
		s.ctx.Actor.AuthenticatedAt = noon.Add(-FreshFor - time.Second)
	}), []string{"fresh"}, CodeStepUp},
	{"a stand-in who has decided", stage(func(s *scene) {
		s.laddered(5 * time.Hour)
		s.step.Requirement.Slots[0].Count = 2
		s.requires(s.step.Requirement)
		s.said(mia, "supervisor")
		s.ctx.Decisions[0].As = "site_manager"
	}), []string{"one-slot"}, CodeAlreadyDecided},
	{"a stand-in rejects before the time", stage(func(s *scene) {
		s.laddered(time.Hour)
		s.cmd = Reject{Binding: s.step.Binding, Reason: "no"}
	}), []string{"standing"}, CodeRoleMissing},
	{"a stranger rejects", stage(func(s *scene) { s.as(clerk); s.cmd = Reject{Binding: s.step.Binding, Reason: "no"} }), []string{"standing"}, CodeRoleMissing},
	{"a stranger withdraws", stage(func(s *scene) { s.as(clerk); s.cmd = Withdraw{} }), []string{"standing"}, CodeRoleMissing},
	{"a proposer who left withdraws", stage(func(s *scene) {
		s.person(pat, func(p *Person) { p.Active = false })
		s.as(pat)
		s.cmd = Withdraw{}
	}), []string{"standing"}, CodeRoleMissing},
	{"a program withdraws what is approved", stage(func(s *scene) { s.approved(time.Hour); s.cmd = Withdraw{} }), []string{"standing"}, CodeRoleMissing},
	{"given to somebody who could not", stage(func(s *scene) { s.cmd = Reassign{To: clerk} }), []string{"assignee"}, CodeNotAllowed},
	{"given to somebody who left", stage(func(s *scene) { s.cmd = Reassign{To: gone} }), []string{"assignee"}, CodeNotAllowed},
	{"rejected without a word", stage(func(s *scene) { s.cmd = Reject{Binding: s.step.Binding, Reason: " "} }), []string{"reason"}, CodeReasonMissing},
	{"replayed without a word", stage(func(s *scene) { s.failed(); s.cmd = Replay{} }), []string{"reason"}, CodeReasonMissing},
	{"tightened by less", stage(func(s *scene) {
		s.machine(Judge)
		s.cmd = Tighten{Requirement: s.step.Requirement, Policy: "v2"}
	}), []string{"no-weaker"}, CodeWeaker},
	{"tightened by a ladder", stage(func(s *scene) {
		s.laddered(time.Hour)
		r := s.step.Requirement
		s.requires(mustRequire(Session, Slot{"supervisor", 1}))
		s.machine(Judge)
		s.cmd = Tighten{Requirement: r, Policy: "v2"}
	}), []string{"no-weaker"}, CodeWeaker},
	{"unblocked while denied", stage(func(s *scene) {
		s.blocked()
		denied := Join(*s.ctx.Judged, Denied("still no"))
		s.ctx.Judged, s.cmd = &denied, Unblock{Requirement: denied, Policy: "v2"}
	}), []string{"no-weaker"}, CodeDenied},
	{"unblocked with a requirement of one's own", stage(func(s *scene) {
		s.blocked()
		two := mustRequire(Fresh, Slot{"finance", 2})
		s.ctx.Judged = &two
	}), []string{"as-judged"}, CodeWeaker},
	{"unblocked with a stand-in of one's own", stage(func(s *scene) {
		s.blocked()
		with, err := s.ctx.Judged.WithStandIns(StandIn{"supervisor", "clerk", time.Minute})
		if err != nil {
			panic(err)
		}
		s.cmd = Unblock{Requirement: with, Policy: "v2"}
	}), []string{"as-judged"}, CodeWeaker},
	{"unblocked by a policy that is not in force", stage(func(s *scene) { s.blocked(); s.ctx.Policy = "v3" }), []string{"as-judged"}, CodeWeaker},
	{"unblocked though no policy can judge it", stage(func(s *scene) { s.blocked(); s.ctx.Judged = nil }), []string{"as-judged"}, CodeBlocked},
	{"unblocked with the counter unknown", stage(func(s *scene) {
		s.blocked()
		s.step.Parties = s.step.Parties[:1]
	}), []string{"known-parts"}, CodeBlocked},
	{"unblocked by a supervisor", stage(func(s *scene) {
		s.blocked()
		s.as(sam)
	}), []string{"judge"}, CodeNotAllowed},
	{"unblocked by another machine", stage(func(s *scene) {
		s.blocked()
		s.machine("proposer")
	}), []string{"judge"}, CodeNotAllowed},
	{"a person sends", stage(func(s *scene) { s.approved(time.Hour); s.as(sam) }), []string{"worker"}, CodeNotAllowed},
	{"a stranger says that it was applied", stage(func(s *scene) {
		s.approved(time.Hour)
		s.step.State = Executing
		s.as(clerk)
		s.cmd = Settle{Outcome: Confirmed}
	}), []string{"worker"}, CodeRoleMissing},
	{"a large one is replayed by its approver", stage(func(s *scene) {
		s.step.Value = ReplayAlone + 1
		s.failed()
		s.as(sam)
	}), []string{"replayer"}, CodeSameHuman},
	{"sent while a switch is on", stage(func(s *scene) { s.approved(time.Hour); s.ctx.Switches = []Switch{{Target: "erp"}} }), []string{"kill-switch"}, CodeKillSwitch},
	{"replayed while a switch is on", stage(func(s *scene) { s.failed(); s.ctx.Switches = []Switch{{Site: "DC-1"}} }), []string{"kill-switch"}, CodeKillSwitch},
	{"sent during an inventory", stage(func(s *scene) {
		s.approved(time.Hour)
		s.ctx.Freezes = []Freeze{{Begin: noon, End: noon.Add(time.Hour)}}
	}), []string{"freeze"}, CodeFrozen},
	{"other bytes are sent", stage(func(s *scene) { s.approved(time.Hour); s.step.Plan = Hash{9} }), []string{"still-bound"}, ""},
	{"sent after an approver left", stage(func(s *scene) {
		s.approved(time.Hour)
		s.person(sam, func(p *Person) { p.Active = false })
	}), []string{"still-approved"}, ""},
	{"sent after an approver lost the role", stage(func(s *scene) {
		s.approved(time.Hour)
		s.person(sam, func(p *Person) { p.Grants = nil })
	}), []string{"still-approved"}, ""},
	{"sent after a stand-in lost the role", stage(func(s *scene) {
		s.laddered(5 * time.Hour)
		s.said(mia, "supervisor")
		s.ctx.Decisions[0].As = "site_manager"
		s.step.State, s.step.ApprovedAt = Approved, noon
		s.person(mia, func(p *Person) { p.Grants = []Grant{grant("supervisor")} })
		s.machine("worker")
		s.cmd = Dispatch{}
	}), []string{"still-approved"}, ""},
	{"sent though the time of a ladder was moved", stage(func(s *scene) {
		s.laddered(5 * time.Hour)
		s.approved(time.Hour)
		s.step.WaitsSince = s.step.WaitsSince.Add(-time.Hour)
	}), []string{"still-bound"}, ""},
	{"sent a day later", stage(func(s *scene) { s.approved(MaxApprovalAge + time.Second) }), []string{"age"}, ""},
	{"replayed three days later", stage(func(s *scene) {
		s.failed()
		s.step.ApprovedAt = noon.Add(-ReplayWindow - time.Second)
	}), []string{"replay-age"}, CodeApprovalAge},
	{"sent though the book moved", stage(func(s *scene) { s.approved(time.Hour); s.ctx.Moved = true }), []string{"unmoved"}, ""},
	{"sent though the model was withdrawn", stage(func(s *scene) {
		s.step.Model = 7
		s.approved(time.Hour)
		s.ctx.ModelInForce = false
	}), []string{"model"}, ""},
	{"sent though the policy denies it now", stage(func(s *scene) { s.approved(time.Hour); s.ctx.Deny = []string{"no"} }), []string{"still-allowed"}, ""},
}

// onCount makes it a count, for which the glass can be broken.
func onCount(s *scene) {
	s.step.Kind = KindCountPosition
	s.cmd = Approve{Binding: s.step.Binding, Incident: "INC-1", Reason: "fire"}
}

func run(s scene, guards []guard) (Transition, Code) {
	t, err := decide(s.step, s.ctx, s.cmd, guards)
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return t, r.Code
	case err != nil:
		return t, Code(err.Error())
	case t.Event == FoundInvalid:
		return t, Code(FoundInvalid)
	}
	return t, ""
}

func without(names ...string) []guard {
	return slices.DeleteFunc(slices.Clone(guards), func(g guard) bool { return slices.Contains(names, g.name) })
}

// The test of the tests: every attack is stopped, and by the guard that it is
// for. Taking the guard away lets the attack through, so that none is idle and
// none can be lost unseen.
func TestEveryGuardStopsAnAttack(t *testing.T) {
	stopped := map[string]bool{"state": true} // the table of arcs stops what it does: see TestStateMachine
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			want := a.code
			if want == "" {
				want = Code(FoundInvalid)
			}
			if _, code := run(a.scene, guards); code != want {
				t.Errorf("it is %q, want %q", code, want)
			}
			if tr, code := run(a.scene, without(a.guards...)); code != "" || tr.Step.Version != a.scene.step.Version+1 {
				t.Errorf("without %v it is still stopped: %q", a.guards, code)
			}
			for i := range a.guards {
				rest := slices.Delete(slices.Clone(a.guards), i, i+1)
				if _, code := run(a.scene, without(rest...)); code == "" {
					t.Errorf("%s alone does not stop it", a.guards[i])
				}
			}
		})
		for _, g := range a.guards {
			stopped[g] = true
		}
	}
	for _, g := range guards {
		if !stopped[g.name] {
			t.Errorf("no attack is for guard %s", g.name)
		}
	}
}
