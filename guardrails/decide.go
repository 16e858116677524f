package guardrails

import (
	"errors"
	"slices"
	"time"
)

// Transition is what a command did.
type Transition struct {
	Event    Event
	From     State
	Step     Step      // as it is now
	Decision *Decision // that was made, nil for other commands
	Reason   string
}

// Decide judges a command and returns what becomes of the step. An error is a
// [*Refusal]: nothing changes. A step that no longer holds when it is to be sent
// is not refused but invalidated, which is a transition. Decide changes nothing
// it is given.
func Decide(s Step, x Context, cmd Command) (Transition, error) {
	return decide(s, x, cmd, guards)
}

func decide(s Step, x Context, cmd Command, guards []guard) (Transition, error) {
	c := call{step: &s, ctx: &x, cmd: cmd, event: eventOf(cmd)}
	for _, g := range guards {
		if !slices.Contains(g.on, c.event) {
			continue
		}
		refusal := g.check(&c)
		if refusal == nil {
			continue
		}
		if g.invalidates {
			return c.move(FoundInvalid, refusal.Error())
		}
		return Transition{}, refusal
	}
	return c.carryOut()
}

// call is one command being judged.
type call struct {
	step  *Step
	ctx   *Context
	cmd   Command
	event Event
}

// move makes the transition of an event.
func (c *call) move(e Event, reason string) (Transition, error) {
	to, err := c.step.State.After(e)
	if err != nil {
		return Transition{}, err
	}
	t := Transition{Event: e, From: c.step.State, Step: *c.step, Reason: reason}
	t.Step.State = to
	t.Step.Version++
	return t, nil
}

func (c *call) carryOut() (Transition, error) {
	switch cmd := c.cmd.(type) {
	case Approve:
		return c.approve(cmd)
	case Reject:
		return c.say(Rejection, cmd.Binding, cmd.Reason)
	case AskChanges:
		return c.say(RequestChanges, cmd.Binding, cmd.Reason)
	case Reassign:
		t, err := c.move(Reassigned, "")
		t.Step.Assignee = cmd.To
		return t, err
	case Withdraw:
		return c.move(WithdrawnBy, cmd.Reason)
	case Expire:
		return c.move(ExpiredUnheard, "")
	case Supersede:
		t, err := c.move(SupersededBy, "")
		t.Step.SupersededBy = cmd.By
		return t, err
	case Escalate:
		t, err := c.move(Escalated, c.step.standingIn(c.ctx.Now))
		t.Step.Escalation++
		return t, err
	case Tighten:
		return c.require(Join(c.step.Requirement, cmd.Requirement), cmd.Policy, c.step.ExpiresAt)
	case Unblock:
		old := c.step.Requirement
		old.Deny = nil // by a policy that no longer does
		return c.require(Join(old, cmd.Requirement), cmd.Policy, c.ctx.Now.Add(MaxLife))
	case Dispatch:
		return c.move(Dispatched, "")
	case Settle:
		return c.move(cmd.Outcome, cmd.Detail)
	case Replay:
		return c.replay(cmd)
	case Resolve:
		return c.move(Resolved, cmd.Reason)
	}
	return Transition{}, errors.New("no such command")
}

// require gives the step a requirement that is no weaker, and with it a binding
// for which no approval was given yet: it begins to wait anew.
func (c *call) require(r Requirement, policy string, latest time.Time) (Transition, error) {
	r.Excludes |= c.step.Kind.Excludes()
	t, err := c.move(c.event, "policy "+policy)
	t.Step.Requirement, t.Step.Policy, t.Step.WaitsSince, t.Step.ExpiresAt = r, policy, c.ctx.Now, latest
	if end := c.ctx.Now.Add(r.Life); end.Before(latest) {
		t.Step.ExpiresAt = end
	}
	t.Step.Binding = t.Step.NewBinding()
	return t, err
}

func (c *call) approve(cmd Approve) (Transition, error) {
	x, _ := c.seat()
	d := c.decision(Approval, cmd.Binding, cmd.Reason)
	d.Slot, d.As, d.BreakGlass = x.slot, x.as.Role, cmd.Incident
	event := ApprovalGiven
	if cmd.Incident != "" || met(c.step, append(c.standing(), *d)) {
		event = Authorised
	}
	t, err := c.move(event, cmd.Reason)
	t.Decision = d
	if event == Authorised {
		t.Step.ApprovedAt, t.Step.BreakGlass = c.ctx.Now, cmd.Incident != ""
	}
	return t, err
}

func (c *call) say(v Verdict, binding Hash, reason string) (Transition, error) {
	t, err := c.move(c.event, reason)
	t.Decision = c.decision(v, binding, reason)
	return t, err
}

func (c *call) replay(cmd Replay) (Transition, error) {
	t, err := c.move(Replayed, cmd.Reason)
	return t, err
}

func (c *call) decision(v Verdict, binding Hash, reason string) *Decision {
	a := &c.ctx.Actor
	d := &Decision{
		Person: a.Person.ID, Verdict: v, Binding: binding, Strength: c.strength(),
		Session: a.Session, Reason: reason, At: c.ctx.Now,
	}
	if a.Principal != nil {
		d.OnBehalfOf = a.Principal.ID
	}
	for _, g := range a.authority().Grants {
		if (g.Site == c.step.Site || g.Site == Everywhere) && !slices.Contains(d.Roles, g.Role) {
			d.Roles = append(d.Roles, g.Role)
		}
	}
	slices.Sort(d.Roles)
	return d
}

func (c *call) strength() Strength { return strengthOf(c.ctx.Actor.AuthenticatedAt, c.ctx.Now) }
