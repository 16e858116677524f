package guardrails

import (
	"slices"
	"strings"
)

// Judge is the machine that has steps judged anew under another policy.
const Judge = "policy"

func (c *call) isNoWeaker() *Refusal {
	var r Requirement
	switch cmd := c.cmd.(type) {
	case Tighten:
		r = cmd.Requirement
	case Unblock:
		r = cmd.Requirement
		if len(r.Deny) > 0 {
			return refuse(CodeDenied, "the policy denies it: %s", strings.Join(r.Deny, "; "))
		}
	case Approve, Reject, AskChanges, Reassign, Withdraw, Expire, Supersede, Escalate, Dispatch, Settle, Replay, Resolve:
		return nil
	}
	if r.Humans() < 1 {
		return refuse(CodeNoHuman, "the new requirement names no human")
	}
	if c.event == Tightened && c.step.Requirement.Covers(r) {
		return refuse(CodeWeaker, "the step already requires %s", c.step.Requirement.Full())
	}
	return nil
}

// isAsJudged takes no requirement from whoever asks: what unblocks a step is
// what the policy in force says, or stricter.
func (c *call) isAsJudged() *Refusal {
	cmd, _ := c.cmd.(Unblock)
	switch judged := c.ctx.Judged; {
	case judged == nil:
		return refuse(CodeBlocked, "the policy in force cannot judge it")
	case cmd.Policy != c.ctx.Policy:
		return refuse(CodeWeaker, "policy %.8s is not in force", cmd.Policy)
	case !cmd.Requirement.Covers(*judged):
		return refuse(CodeWeaker, "the policy in force requires %s", judged.Full())
	}
	return nil
}

// hasParts keeps a step blocked as long as nobody knows who must not decide it.
func (c *call) hasParts() *Refusal {
	missing := c.step.Kind.Needs()
	for _, p := range c.step.Parties {
		missing &^= p.Part
	}
	if missing != 0 {
		return refuse(CodeBlocked, "it is not known who the %s is", missing)
	}
	return nil
}

// mayJudge lets machines tighten, the machine that evaluates policy unblock, and
// owners of policy who ask for it do both.
func (c *call) mayJudge() *Refusal {
	a := &c.ctx.Actor
	if a.Machine == Judge || a.Machine != "" && c.event == Tightened {
		return nil
	}
	if a.Machine == "" && a.Principal == nil && a.Person.Active {
		if _, ok := a.Person.grantFor(PolicyOwner, c.step, c.ctx.Now); ok {
			return nil
		}
	}
	return refuse(CodeNotAllowed, "only an owner of policy may have it judged anew")
}

// mayWork lets workers send and settle, and people say what came of it: of what
// is carried out by hand whoever works at the site, else who could approve it.
func (c *call) mayWork() *Refusal {
	a := &c.ctx.Actor
	switch {
	case a.Machine != "":
		return nil
	case c.event == Dispatched || a.Person.ID == 0 || !a.Person.Active:
		return refuse(CodeNotAllowed, "only a worker sends, and only people whose access has not ended say what came of it")
	case slices.ContainsFunc(c.step.Targets, func(t string) bool { return t != TargetManual }):
		return c.hasStanding()
	case slices.ContainsFunc(a.Person.Grants, func(g Grant) bool { return g.Site == c.step.Site || g.Site == Everywhere }):
		return nil
	}
	return refuse(CodeRoleMissing, "this needs a role at %s", c.step.Site)
}
