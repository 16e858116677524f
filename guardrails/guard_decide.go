package guardrails

import (
	"slices"
	"strings"
)

func (c *call) isHuman() *Refusal {
	if a := &c.ctx.Actor; a.Machine != "" || a.Person.ID == 0 {
		return refuse(CodeMachine, "%q is a program; only people decide", a.Machine)
	}
	return nil
}

func (c *call) isActive() *Refusal {
	a := &c.ctx.Actor
	if !a.Person.Active || a.Principal != nil && !a.Principal.Active {
		return refuse(CodeInactive, "this person's access has ended")
	}
	return nil
}

func (c *call) isAllowedInState() *Refusal {
	if _, err := c.step.State.After(c.event); err == nil {
		return nil
	}
	r := refuse(codeOfState(c.step.State), "the step is %s, which this does not fit", c.step.State)
	if c.step.SupersededBy != "" {
		r.Detail += "; look at " + string(c.step.SupersededBy)
	}
	return r
}

func (c *call) isInTime() *Refusal {
	if !c.ctx.Now.Before(c.step.ExpiresAt) {
		return refuse(CodeExpired, "the step expired at %s", c.step.ExpiresAt.UTC().Format("2006-01-02 15:04:05Z"))
	}
	return nil
}

func (c *call) isOver() *Refusal {
	if c.ctx.Now.Before(c.step.ExpiresAt) {
		return refuse(CodeNotExpired, "the step waits until %s", c.step.ExpiresAt.UTC().Format("2006-01-02 15:04:05Z"))
	}
	return nil
}

// isSeen holds a decision to what its maker saw.
func (c *call) isSeen() *Refusal {
	var seen Hash
	switch cmd := c.cmd.(type) {
	case Approve:
		seen = cmd.Binding
	case Reject:
		seen = cmd.Binding
	case AskChanges:
		seen = cmd.Binding
	case Reassign, Withdraw, Expire, Supersede, Escalate, Tighten, Unblock, Dispatch, Settle, Replay, Resolve:
		return nil
	}
	if seen != c.step.Binding {
		return refuse(CodeBinding, "what you saw (%s) is not what would be carried out (%s); look at the step again", seen.Short(), c.step.Binding.Short())
	}
	return nil
}

// people are the actor and whom they act for.
func (c *call) people() []*Person {
	people := []*Person{&c.ctx.Actor.Person}
	if p := c.ctx.Actor.Principal; p != nil {
		people = append(people, p)
	}
	return people
}

func (c *call) isNotProposer() *Refusal {
	for _, p := range c.people() {
		if played, _ := partsOf(c.step.Parties, p); played&Proposer != 0 {
			return refuse(CodeSelfApproval, "who proposed a step cannot approve it, nor anybody for them")
		}
	}
	return nil
}

func (c *call) playedNoPart() *Refusal {
	excluded := (c.step.Requirement.Excludes | c.step.Kind.Excludes()) &^ Proposer
	for _, p := range c.people() {
		played, unproven := partsOf(c.step.Parties, p)
		if played &= excluded; played != 0 {
			return refuse(CodePart, "the %s of what is judged here cannot approve it, nor anybody for them", played)
		}
		if unproven &= excluded | Proposer; unproven != 0 {
			return refuse(CodeUnprovenPart, "it is not known whether you are the %s; ask an administrator to enter your user names in other systems", unproven)
		}
	}
	return nil
}

func (c *call) mayActFor() *Refusal {
	a := &c.ctx.Actor
	if a.Principal == nil {
		return nil
	}
	d := a.Delegation
	if d == nil || d.From != a.Principal.ID || d.To != a.Person.ID || !d.covers(c.step, c.ctx.Now) {
		return refuse(CodeDelegation, "you may not act for this person here and now")
	}
	own := slices.ContainsFunc(a.Person.Grants, func(g Grant) bool { return g.Site == c.step.Site || g.Site == Everywhere })
	if !own {
		return refuse(CodeDelegation, "only who has a role at %s may act for others there", c.step.Site)
	}
	return nil
}

func (c *call) hasNotDecided() *Refusal {
	for _, d := range c.ctx.Decisions {
		if d.Binding != c.step.Binding {
			continue
		}
		for _, p := range c.people() {
			if d.by(p.ID) {
				return refuse(CodeAlreadyDecided, "one human fills one slot, also through others; this one is filled")
			}
		}
	}
	return nil
}

func (c *call) isNotDenied() *Refusal {
	if deny := c.step.Requirement.Deny; len(deny) > 0 {
		return refuse(CodeDenied, "the policy denies it: %s", strings.Join(deny, "; "))
	}
	return nil
}

func (c *call) needsHuman() *Refusal {
	if c.step.Requirement.Humans() < 1 {
		return refuse(CodeNoHuman, "the requirement names no human, so that nothing can meet it")
	}
	return nil
}

func (c *call) mayBreakGlass() *Refusal {
	cmd, _ := c.cmd.(Approve)
	switch {
	case cmd.Incident == "":
		return nil
	case !c.step.Kind.BreakGlass():
		return refuse(CodeBreakGlass, "the glass cannot be broken for %s", c.step.Kind)
	case c.step.Value > MaxGlassMinor:
		return refuse(CodeBreakGlass, "the glass cannot be broken for this value")
	case strings.TrimSpace(cmd.Reason) == "":
		return refuse(CodeReasonMissing, "breaking the glass needs a reason beside the incident")
	case c.strength() != Fresh:
		return refuse(CodeStepUp, "sign in again to break the glass")
	case c.ctx.ReviewLate:
		return refuse(CodeBreakGlassReview, "an earlier break at %s was not reviewed in time; review it first", c.step.Site)
	case c.ctx.GlassBroken >= MaxGlass:
		return refuse(CodeBreakGlassLimit, "the glass was broken %d times at %s in 30 days, which is all", c.ctx.GlassBroken, c.step.Site)
	}
	return nil
}

func (c *call) holdsOpenSlot() *Refusal {
	_, refusal := c.seat()
	return refusal
}

// isDue keeps who stands in for a role from it until the step has waited so long.
func (c *call) isDue() *Refusal {
	x, _ := c.seat()
	if from := c.step.From(x.as); x.as.Role != "" && c.ctx.Now.Before(from) {
		return refuse(CodeTooEarly, "as %s you may stand in for %s from %s on, when the step has waited %s", x.as.Role, x.slot,
			from.UTC().Format("2006-01-02 15:04:05Z"), short(x.as.After))
	}
	return nil
}

func (c *call) isWithinLimit() *Refusal {
	x, _ := c.seat()
	if g, _ := c.ctx.Actor.authority().grantFor(x.role(), c.step, c.ctx.Now); !g.Limit.Allows(c.step.Value) {
		return refuse(CodeValueLimit, "the value is beyond your limit as %s", x.role())
	}
	return nil
}

func (c *call) isWithinDay() *Refusal {
	x, _ := c.seat()
	g, _ := c.ctx.Actor.authority().grantFor(x.role(), c.step, c.ctx.Now)
	sum := int64(UnknownAmount)
	if c.ctx.Spent >= 0 && c.step.Value <= UnknownAmount-c.ctx.Spent {
		sum = c.step.Value + c.ctx.Spent
	}
	if !g.Daily.Allows(sum) {
		return refuse(CodeDailyLimit, "with what you approved in the last 24 hours the value is beyond your daily limit as %s", x.role())
	}
	return nil
}

func (c *call) isFresh() *Refusal {
	if c.step.Requirement.Auth == Fresh {
		return NeedsFresh(c.ctx.Actor.AuthenticatedAt, c.ctx.Now)
	}
	return nil
}

// hasStanding asks for a role that has a say in the step now. Who proposed it may withdraw
// it, and so may the program that did while nobody approved.
func (c *call) hasStanding() *Refusal {
	a := &c.ctx.Actor
	if c.event == WithdrawnBy {
		played, _ := partsOf(c.step.Parties, &a.Person)
		if played&Proposer != 0 && a.Person.Active || a.Machine != "" && c.step.State != Approved && c.step.State != Failed {
			return nil
		}
	}
	if a.Machine == "" && a.Person.Active && a.authority().Active && c.step.hasSay(a.authority(), c.ctx.Now) {
		return nil
	}
	return refuse(CodeRoleMissing, "this needs one of %s at %s", c.step.Requirement, c.step.Site)
}

func (c *call) assigneeCan() *Refusal {
	cmd, _ := c.cmd.(Reassign)
	p, known := c.ctx.People[cmd.To]
	if known && p.Active && c.step.hasSay(&p, c.ctx.Now) {
		return nil
	}
	return refuse(CodeNotAllowed, "that person could not approve it")
}

func (c *call) hasReason() *Refusal {
	var reason string
	switch cmd := c.cmd.(type) {
	case Reject:
		reason = cmd.Reason
	case AskChanges:
		reason = cmd.Reason
	case Replay:
		reason = cmd.Reason
	case Resolve:
		reason = cmd.Reason
	case Approve, Reassign, Withdraw, Expire, Supersede, Escalate, Tighten, Unblock, Dispatch, Settle:
		return nil
	}
	if strings.TrimSpace(reason) == "" {
		return refuse(CodeReasonMissing, "say why")
	}
	return nil
}
