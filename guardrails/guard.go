package guardrails

import (
	"slices"
	"time"
)

// Limits of time.
const (
	MaxApprovalAge = 24 * time.Hour // an older approval is not sent
	ReplayWindow   = 72 * time.Hour // after the approval
)

// Limits of breaking the glass, per site.
const (
	MaxGlass      = 3 // in 30 days
	MaxGlassMinor = 250_000
)

// ReplayAlone is the value up to which an approver may also replay.
const ReplayAlone = 100_000

// guard is one condition of a command. Each one stands alone, so that taking it
// away opens a hole that a test can walk through.
type guard struct {
	name        string
	on          []Event
	invalidates bool // instead of refusing
	check       func(*call) *Refusal
}

var (
	verdicts  = []Event{ApprovalGiven, RejectionGiven, ChangesAsked}
	approvals = []Event{ApprovalGiven}
	sending   = []Event{Dispatched}
	resending = []Event{Dispatched, Replayed}
	settling  = []Event{Retried, Confirmed, Lost, GaveUp, CompensationBegun, CompensationDone, CompensationGaveUp}
	judging   = []Event{Tightened, Unblocked}
	byHumans  = []Event{ApprovalGiven, RejectionGiven, ChangesAsked, Reassigned, Replayed, Resolved}
)

// guards is the table, in the order in which they are asked.
var guards = []guard{
	{name: "human", on: byHumans, check: (*call).isHuman},
	{name: "active", on: byHumans, check: (*call).isActive},
	{name: "state", on: Events, check: (*call).isAllowedInState},
	{name: "in-time", on: slices.Concat(verdicts, []Event{Reassigned, Escalated, Tightened}), check: (*call).isInTime},
	{name: "over", on: []Event{ExpiredUnheard}, check: (*call).isOver},
	{name: "binding", on: verdicts, check: (*call).isSeen},
	{name: "self-approval", on: approvals, check: (*call).isNotProposer},
	{name: "parts", on: approvals, check: (*call).playedNoPart},
	{name: "delegation", on: slices.Concat(byHumans, []Event{WithdrawnBy}), check: (*call).mayActFor},
	{name: "one-slot", on: verdicts, check: (*call).hasNotDecided},
	{name: "denied", on: approvals, check: (*call).isNotDenied},
	{name: "some-human", on: approvals, check: (*call).needsHuman},
	{name: "glass", on: approvals, check: (*call).mayBreakGlass},
	{name: "role", on: approvals, check: (*call).holdsOpenSlot},
	{name: "stand-in", on: approvals, check: (*call).isDue},
	{name: "value", on: approvals, check: (*call).isWithinLimit},
	{name: "daily", on: approvals, check: (*call).isWithinDay},
	{name: "fresh", on: approvals, check: (*call).isFresh},
	{name: "standing", on: []Event{RejectionGiven, ChangesAsked, Reassigned, Replayed, Resolved, WithdrawnBy}, check: (*call).hasStanding},
	{name: "assignee", on: []Event{Reassigned}, check: (*call).assigneeCan},
	{name: "reason", on: []Event{RejectionGiven, ChangesAsked, Replayed, Resolved}, check: (*call).hasReason},
	{name: "no-weaker", on: judging, check: (*call).isNoWeaker},
	{name: "as-judged", on: []Event{Unblocked}, check: (*call).isAsJudged},
	{name: "known-parts", on: []Event{Unblocked}, check: (*call).hasParts},
	{name: "judge", on: judging, check: (*call).mayJudge},
	{name: "worker", on: slices.Concat(sending, settling), check: (*call).mayWork},
	{name: "replayer", on: []Event{Replayed}, check: (*call).mayReplay},
	{name: "kill-switch", on: resending, check: (*call).isOn},
	{name: "freeze", on: resending, check: (*call).isNotFrozen},
	{name: "still-bound", on: sending, invalidates: true, check: (*call).isStillBound},
	{name: "still-approved", on: sending, invalidates: true, check: (*call).isStillApproved},
	{name: "age", on: sending, invalidates: true, check: (*call).isYoung},
	{name: "replay-age", on: []Event{Replayed}, check: (*call).isReplayable},
	{name: "unmoved", on: sending, invalidates: true, check: (*call).isUnmoved},
	{name: "model", on: sending, invalidates: true, check: (*call).hasModel},
	{name: "still-allowed", on: sending, invalidates: true, check: (*call).isStillAllowed},
}
