package guardrails

import (
	"slices"
	"time"

	"tallyman/warehouse"
)

// Command is what somebody wants to happen to a step: one of the types below.
//
//sumtype:decl
type Command interface{ isCommand() }

// Approve fills a slot of the requirement.
type Approve struct {
	Binding  Hash   // as the approver saw it
	Slot     Role   // "" for the first open one that the actor can fill
	Reason   string // may be empty
	Incident string // breaks the glass: the incident's id, with a reason
}

// Reject ends the step. One rejection is enough.
type Reject struct {
	Binding Hash
	Reason  string
}

// AskChanges sends the step back to whoever proposed it.
type AskChanges struct {
	Binding Hash
	Reason  string
}

// Reassign gives the step to a person.
type Reassign struct{ To PersonID }

// Withdraw takes the step back, also after approval as long as nothing was sent.
type Withdraw struct{ Reason string }

// Expire ends a step that nobody decided in time.
type Expire struct{}

// Supersede puts another step in its place.
type Supersede struct{ By StepID }

// Escalate calls for more attention. It lets nobody approve: who may stand in for a
// role, and from when, is part of the requirement from the start.
type Escalate struct{}

// Tighten joins a stricter requirement, of a newer policy, to the step's own.
type Tighten struct {
	Requirement Requirement
	Policy      string
}

// Unblock gives a blocked step the requirement of a policy that can judge it and
// no longer denies it.
type Unblock struct {
	Requirement Requirement
	Policy      string
}

// Dispatch is a worker about to send.
type Dispatch struct{}

// Settle is what came of sending: [Confirmed], [Retried], [Lost], [GaveUp],
// [CompensationBegun], [CompensationDone] or [CompensationGaveUp].
type Settle struct {
	Outcome Event
	Detail  string
}

// Replay sends the same bytes under the same key again.
type Replay struct{ Reason string }

// Resolve says that a human put right at the target what compensation could not.
type Resolve struct{ Reason string }

func (Approve) isCommand()    {}
func (Reject) isCommand()     {}
func (AskChanges) isCommand() {}
func (Reassign) isCommand()   {}
func (Withdraw) isCommand()   {}
func (Expire) isCommand()     {}
func (Supersede) isCommand()  {}
func (Escalate) isCommand()   {}
func (Tighten) isCommand()    {}
func (Unblock) isCommand()    {}
func (Dispatch) isCommand()   {}
func (Settle) isCommand()     {}
func (Replay) isCommand()     {}
func (Resolve) isCommand()    {}

// eventOf returns the event that the command asks for. The approval that
// completes a quorum becomes [Authorised].
func eventOf(c Command) Event {
	switch c := c.(type) {
	case Approve:
		return ApprovalGiven
	case Reject:
		return RejectionGiven
	case AskChanges:
		return ChangesAsked
	case Reassign:
		return Reassigned
	case Withdraw:
		return WithdrawnBy
	case Expire:
		return ExpiredUnheard
	case Supersede:
		return SupersededBy
	case Escalate:
		return Escalated
	case Tighten:
		return Tightened
	case Unblock:
		return Unblocked
	case Dispatch:
		return Dispatched
	case Settle:
		return c.Outcome
	case Replay:
		return Replayed
	case Resolve:
		return Resolved
	}
	return ""
}

// Context is all that a command is judged by, beside the step.
type Context struct {
	Now       time.Time // the database's clock, read after the step was locked
	Actor     Actor
	Decisions []Decision          // on the step so far
	People    map[PersonID]Person // everybody in Decisions, and whom a step is given to, as they are now
	Spent     int64               // value that the actor approved in the last 24 hours

	// What the policy in force says of the step, when it is unblocked; nil when it
	// cannot judge it.
	Judged *Requirement
	Policy string // its version

	// Of the world, when the glass is broken or something is sent.
	Switches     []Switch
	Freezes      []Freeze
	GlassBroken  int      // times at the site in 30 days
	ReviewLate   bool     // one of them was not reviewed in time
	Moved        bool     // the book of the subject moved since the step was approved
	ModelInForce bool     // the model that proposed the step may still be used, with the same artifact
	Deny         []string // reasons by which the policy in force now denies the step
}

// Switch is a kill switch that somebody threw. An empty field matches all.
type Switch struct {
	Kind   Kind
	Site   warehouse.Site
	Model  int64
	Target string
	Reason string
}

func (k *Switch) stops(s *Step) bool {
	return (k.Kind == "" || k.Kind == s.Kind) && (k.Site == "" || k.Site == s.Site) &&
		(k.Model == 0 || k.Model == s.Model) && (k.Target == "" || slices.Contains(s.Targets, k.Target))
}

// Freeze keeps approved steps from being sent for a while, such as during a
// physical inventory. An empty field matches all.
type Freeze struct {
	Kind       Kind
	Site       warehouse.Site
	Begin, End time.Time
	Reason     string
}

func (f *Freeze) holds(s *Step, now time.Time) bool {
	return (f.Kind == "" || f.Kind == s.Kind) && (f.Site == "" || f.Site == s.Site) && !now.Before(f.Begin) && now.Before(f.End)
}
