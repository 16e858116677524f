package guardrails

import "strings"

func (c *call) mayReplay() *Refusal {
	if c.step.Value <= ReplayAlone {
		return nil
	}
	for _, d := range c.ctx.Decisions {
		if d.Verdict == Approval && d.by(c.ctx.Actor.Person.ID) {
			return refuse(CodeSameHuman, "somebody else than its approvers must replay a step of this value")
		}
	}
	return nil
}

func (c *call) isOn() *Refusal {
	for i := range c.ctx.Switches {
		if k := &c.ctx.Switches[i]; k.stops(c.step) {
			return refuse(CodeKillSwitch, "a kill switch is on: %s", k.Reason)
		}
	}
	return nil
}

func (c *call) isNotFrozen() *Refusal {
	for i := range c.ctx.Freezes {
		if f := &c.ctx.Freezes[i]; f.holds(c.step, c.ctx.Now) {
			return refuse(CodeFrozen, "frozen until %s: %s", f.End.UTC().Format("2006-01-02 15:04Z"), f.Reason)
		}
	}
	return nil
}

func (c *call) isStillBound() *Refusal {
	if now := c.step.NewBinding(); now != c.step.Binding {
		return refuse(CodeBinding, "what was approved (%s) is not what would be sent (%s)", c.step.Binding.Short(), now.Short())
	}
	return nil
}

func (c *call) isStillApproved() *Refusal {
	if !met(c.step, c.standing()) {
		return refuse(CodeQuorumLost, "an approver's role or access ended, and the others are too few")
	}
	return nil
}

func (c *call) isYoung() *Refusal {
	if age := c.ctx.Now.Sub(c.step.ApprovedAt); age > MaxApprovalAge {
		return refuse(CodeApprovalAge, "it was approved more than %s ago", MaxApprovalAge)
	}
	return nil
}

func (c *call) isReplayable() *Refusal {
	if age := c.ctx.Now.Sub(c.step.ApprovedAt); age > ReplayWindow {
		return refuse(CodeApprovalAge, "it was approved more than %s ago; propose it anew", ReplayWindow)
	}
	return nil
}

func (c *call) isUnmoved() *Refusal {
	if c.ctx.Moved {
		return refuse(CodeMoved, "the book moved since it was approved")
	}
	return nil
}

func (c *call) hasModel() *Refusal {
	if c.step.Model != 0 && !c.ctx.ModelInForce {
		if c.step.Kind == KindPromoteModel {
			return refuse(CodeModel, "the model that model %d was compared with is not in force any more", c.step.Model)
		}
		return refuse(CodeModel, "model %d was withdrawn or is another one now", c.step.Model)
	}
	return nil
}

func (c *call) isStillAllowed() *Refusal {
	if len(c.ctx.Deny) > 0 {
		return refuse(CodeDenied, "the policy in force denies it now: %s", strings.Join(c.ctx.Deny, "; "))
	}
	return nil
}
