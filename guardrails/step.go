package guardrails

import (
	"fmt"
	"slices"
	"time"

	"tallyman/warehouse"
)

// State is where a workflow step stands.
type State string

// The states of a step.
const (
	Blocked            State = "blocked"             // the policy could not be evaluated; nothing weaker is tried
	Pending            State = "pending"             // waits for humans
	ChangesRequested   State = "changes_requested"   // waits for a better recommendation
	Approved           State = "approved"            // waits to be sent
	Executing          State = "executing"           // is being sent, or will be again
	Unknown            State = "unknown"             // sent, and nobody knows whether it was applied
	Failed             State = "failed"              // refused for good, or too often; a human must look
	Compensating       State = "compensating"        // what was applied is taken back
	CompensationFailed State = "compensation_failed" // and could not be; a human must look
	Succeeded          State = "succeeded"
	Compensated        State = "compensated"
	Rejected           State = "rejected"
	Withdrawn          State = "withdrawn"
	Expired            State = "expired" // silence is not consent
	Superseded         State = "superseded"
	Invalidated        State = "invalidated" // approved, and no longer true when it was to be sent
)

// States lists every state, the live ones first.
var States = []State{
	Blocked, Pending, ChangesRequested, Approved, Executing, Unknown, Failed, Compensating, CompensationFailed,
	Succeeded, Compensated, Rejected, Withdrawn, Expired, Superseded, Invalidated,
}

// Live reports whether something can still happen to the step. There is at most
// one live step for an action on a subject.
func (s State) Live() bool {
	switch s {
	case Blocked, Pending, ChangesRequested, Approved, Executing, Unknown, Failed, Compensating, CompensationFailed:
		return true
	case Succeeded, Compensated, Rejected, Withdrawn, Expired, Superseded, Invalidated:
		return false
	}
	return false
}

// Event is what happens to a step. Each one is an entry of the audit log.
type Event string

// The events of a step.
const (
	Proposed           Event = "proposed"
	ProposedBlocked    Event = "proposed_blocked"
	Unblocked          Event = "unblocked"
	ApprovalGiven      Event = "approval_given" // and more are needed
	Authorised         Event = "authorised"     // by the last approval needed
	RejectionGiven     Event = "rejected"
	ChangesAsked       Event = "changes_requested"
	Reassigned         Event = "reassigned"
	Escalated          Event = "escalated"
	Tightened          Event = "tightened" // by a stricter policy; approvals so far are void
	WithdrawnBy        Event = "withdrawn"
	ExpiredUnheard     Event = "expired"
	SupersededBy       Event = "superseded"
	Dispatched         Event = "dispatched"
	FoundInvalid       Event = "invalidated"
	Retried            Event = "retried"
	Confirmed          Event = "confirmed"
	Lost               Event = "lost"
	GaveUp             Event = "gave_up"
	Replayed           Event = "replayed"
	CompensationBegun  Event = "compensation_begun"
	CompensationDone   Event = "compensation_done"
	CompensationGaveUp Event = "compensation_gave_up"
	Resolved           Event = "resolved" // by hand, at the target
)

// Events lists every event.
var Events = []Event{
	Proposed, ProposedBlocked, Unblocked, ApprovalGiven, Authorised, RejectionGiven, ChangesAsked, Reassigned, Escalated, Tightened,
	WithdrawnBy, ExpiredUnheard, SupersededBy, Dispatched, FoundInvalid, Retried, Confirmed, Lost, GaveUp, Replayed,
	CompensationBegun, CompensationDone, CompensationGaveUp, Resolved,
}

// arc is one row of the state machine.
type arc struct {
	from  State // "" before the step exists
	event Event
	to    State
}

// arcs is the state machine: what is not in it cannot happen.
var arcs = []arc{
	{"", Proposed, Pending},
	{"", ProposedBlocked, Blocked},
	{Blocked, Unblocked, Pending},
	{Blocked, WithdrawnBy, Withdrawn},
	{Blocked, ExpiredUnheard, Expired},
	{Blocked, SupersededBy, Superseded},
	{Pending, ApprovalGiven, Pending},
	{Pending, Authorised, Approved},
	{Pending, RejectionGiven, Rejected},
	{Pending, ChangesAsked, ChangesRequested},
	{Pending, Reassigned, Pending},
	{Pending, Escalated, Pending},
	{Pending, Tightened, Pending},
	{Pending, WithdrawnBy, Withdrawn},
	{Pending, ExpiredUnheard, Expired},
	{Pending, SupersededBy, Superseded},
	{ChangesRequested, Reassigned, ChangesRequested},
	{ChangesRequested, RejectionGiven, Rejected},
	{ChangesRequested, WithdrawnBy, Withdrawn},
	{ChangesRequested, ExpiredUnheard, Expired},
	{ChangesRequested, SupersededBy, Superseded},
	{Approved, WithdrawnBy, Withdrawn},
	{Approved, Dispatched, Executing},
	{Approved, FoundInvalid, Invalidated},
	{Executing, Retried, Executing},
	{Executing, Confirmed, Succeeded},
	{Executing, Lost, Unknown},
	{Executing, GaveUp, Failed},
	{Executing, CompensationBegun, Compensating},
	{Unknown, Retried, Executing},
	{Unknown, Confirmed, Succeeded},
	{Unknown, GaveUp, Failed},
	{Unknown, CompensationBegun, Compensating},
	{Failed, Replayed, Executing},
	{Failed, FoundInvalid, Invalidated},
	{Failed, WithdrawnBy, Withdrawn},
	{Compensating, Retried, Compensating},
	{Compensating, CompensationDone, Compensated},
	{Compensating, CompensationGaveUp, CompensationFailed},
	{CompensationFailed, Replayed, Compensating},
	{CompensationFailed, Resolved, Compensated},
}

// After returns the state that follows from the event, or a [Refusal].
func (s State) After(e Event) (State, error) {
	i := slices.IndexFunc(arcs, func(a arc) bool { return a.from == s && a.event == e })
	if i < 0 {
		return s, refuse(codeOfState(s), "the step is %s, and cannot be %s", s, e)
	}
	return arcs[i].to, nil
}

func codeOfState(s State) Code {
	switch s {
	case Superseded:
		return CodeSuperseded
	case Expired:
		return CodeExpired
	case Blocked:
		return CodeBlocked
	case Pending, ChangesRequested, Approved, Executing, Unknown, Failed, Compensating, CompensationFailed,
		Succeeded, Compensated, Rejected, Withdrawn, Invalidated:
		return CodeNotPending
	}
	return CodeNotPending
}

// Step is what waits for humans behind a recommendation, and then for the
// target.
type Step struct {
	ID           StepID
	Version      int // grows by one with every change
	State        State
	Kind         Kind
	Site         warehouse.Site
	Subject      []string
	Parties      []Party
	Payload      Hash
	Evidence     Hash
	Plan         Hash
	Targets      []string // of the plan's operations
	Model        int64    // that proposed it, 0 for none
	Policy       string   // version
	Requirement  Requirement
	Binding      Hash
	Value        int64              // the one that decides the band, or [UnknownAmount]
	Currency     warehouse.Currency // of the value
	WaitsSince   time.Time          // with this requirement
	ExpiresAt    time.Time
	ApprovedAt   time.Time // zero before
	Assignee     PersonID  // 0 for nobody
	Escalation   int       // how often it was escalated
	BreakGlass   bool      // one human acted alone
	SupersededBy StepID
}

// NewBinding returns the hash of what the step asks to be approved now.
func (s *Step) NewBinding() Hash {
	b := Binding{
		Step: s.ID, Payload: s.Payload, Evidence: s.Evidence, Plan: s.Plan,
		Policy: s.Policy, Requirement: s.Requirement.Hash(), Expires: s.ExpiresAt,
	}
	if len(s.Requirement.StandIns) > 0 {
		b.Since = s.WaitsSince
	}
	return b.Hash()
}

// Propose returns the step behind a recommendation as it begins. A requirement
// that asks for no human, or that the policy could not give (why says so),
// makes a blocked step, and so does one that denies.
func Propose(id StepID, r *Recommendation, plan Plan, policy string, req Requirement, why error, now time.Time) (Step, error) {
	if err := r.Check(); err != nil {
		return Step{}, fmt.Errorf("recommendation: %w", err)
	}
	payload, err := Payload(r.Site, r.Action)
	if err != nil {
		return Step{}, err
	}
	kind := r.Action.Kind()
	req.Excludes |= kind.Excludes()
	if req.Life == 0 {
		req.Life = MaxLife
	}
	s := Step{
		ID: id, Version: 1, State: Pending, Kind: kind, Site: r.Site, Subject: SubjectOf(r.Action), Parties: r.Parties,
		Payload: PayloadHash(payload), Evidence: r.Evidence.Hash(), Plan: plan.Hash(),
		Model: r.Evidence.Model, Policy: policy, Requirement: req,
		Value: r.Facts.Banded(), Currency: r.Facts.Currency, WaitsSince: now, ExpiresAt: now.Add(req.Life),
	}
	for _, o := range plan {
		s.Targets = append(s.Targets, o.Target)
	}
	if why != nil || req.Humans() < 1 || len(req.Deny) > 0 || r.Missing() != 0 {
		s.State = Blocked
	}
	s.Binding = s.NewBinding()
	return s, nil
}
