package guardrails

import (
	"strings"
	"time"
)

// What follows a break of the glass.
const (
	GlassReviews  = 2 // by others
	GlassReviewIn = 24 * time.Hour
)

// MayReview judges whether the actor may say whether breaking the glass for a step
// was right: somebody who could have approved it, and had no part in it. nil says
// yes.
func MayReview(s *Step, x *Context, note string) *Refusal {
	c := call{step: s, ctx: x, cmd: Approve{}, event: ApprovalGiven}
	for _, check := range []func() *Refusal{c.isHuman, c.isActive, c.isNotProposer, c.playedNoPart, c.hasStanding} {
		if r := check(); r != nil {
			return r
		}
	}
	for i := range x.Decisions {
		if d := &x.Decisions[i]; d.Verdict == Approval && d.by(x.Actor.Person.ID) {
			return refuse(CodeSameHuman, "others than who broke the glass review it")
		}
	}
	switch {
	case !s.BreakGlass:
		return refuse(CodeNotAllowed, "nobody broke the glass for this step")
	case x.Actor.Principal != nil:
		return refuse(CodeDelegation, "a review cannot be delegated")
	case strings.TrimSpace(note) == "":
		return refuse(CodeReasonMissing, "say what you found")
	}
	return nil
}
