package guardrails

import (
	"errors"
	"fmt"
)

// StepState is where a workflow step stands. Execution has states of its own.
type StepState string

// The states of a step.
const (
	Proposed         StepState = "proposed" // by a model; nobody has looked at it yet
	Open             StepState = "open"     // released to the people who may take it
	Claimed          StepState = "claimed"  // somebody works on it
	ChangesRequested StepState = "changes_requested"
	Approved         StepState = "approved"
	Rejected         StepState = "rejected"
	Withdrawn        StepState = "withdrawn"
	Expired          StepState = "expired" // silence is not consent
	Superseded       StepState = "superseded"
)

// StepStates lists every state, the live ones first.
var StepStates = []StepState{
	Proposed, Open, Claimed, ChangesRequested,
	Approved, Rejected, Withdrawn, Expired, Superseded,
}

// Live reports whether the step still waits for something. There is at most one
// live step for an action on a subject.
func (s StepState) Live() bool {
	switch s {
	case Proposed, Open, Claimed, ChangesRequested:
		return true
	case Approved, Rejected, Withdrawn, Expired, Superseded:
		return false
	}
	return false
}

// StepEvent is what happens to a step.
type StepEvent string

// The events of a step.
const (
	Release        StepEvent = "release"
	Claim          StepEvent = "claim"
	RequestChanges StepEvent = "request_changes"
	Approve        StepEvent = "approve"
	Reject         StepEvent = "reject"
	Withdraw       StepEvent = "withdraw"
	Expire         StepEvent = "expire"
	Supersede      StepEvent = "supersede" // by a newer proposal; what people have touched stays
)

// StepEvents lists every event.
var StepEvents = []StepEvent{Release, Claim, RequestChanges, Approve, Reject, Withdraw, Expire, Supersede}

// ErrTransition reports an event that the state of a step does not allow.
var ErrTransition = errors.New("not allowed in this state")

// After returns the state that follows from the event. Events that do not fit
// the state are errors that wrap [ErrTransition], and leave it as it is.
func (s StepState) After(e StepEvent) (StepState, error) {
	refused := fmt.Errorf("%s a step that is %s: %w", e, s, ErrTransition)
	if !s.Live() {
		return s, refused
	}
	to, from := Superseded, Proposed
	switch e {
	case Withdraw:
		return Withdrawn, nil
	case Expire:
		return Expired, nil
	case Supersede:
	case Release:
		to = Open
	case Claim:
		to, from = Claimed, Open
	case RequestChanges:
		to, from = ChangesRequested, Claimed
	case Approve:
		to, from = Approved, Claimed
	case Reject:
		to, from = Rejected, Claimed
	default:
		return s, refused
	}
	if s != from {
		return s, refused
	}
	return to, nil
}
