package guardrails

import "time"

// ExecutionState is where one operation of an approved step stands.
type ExecutionState string

// The states of an execution.
const (
	Queued    ExecutionState = "queued"
	Sending   ExecutionState = "sending" // claimed by a worker
	Uncertain ExecutionState = "unknown" // sent; whether it was applied is being found out
	Applied   ExecutionState = "applied"
	Refused   ExecutionState = "refused" // for good, or too often
	Cancelled ExecutionState = "cancelled"
)

// ExecutionStates lists every state.
var ExecutionStates = []ExecutionState{Queued, Sending, Uncertain, Applied, Refused, Cancelled}

// Settled reports whether no worker will touch the execution again unless a
// human replays it.
func (s ExecutionState) Settled() bool {
	switch s {
	case Applied, Refused, Cancelled:
		return true
	case Queued, Sending, Uncertain:
		return false
	}
	return false
}

// MaxAttempts is how often an operation is sent before it is given up.
const MaxAttempts = 10

// retries are the pauses before each further attempt: about 28 hours in all.
var retries = [MaxAttempts - 1]time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

// RetryAfter returns the pause after attempt number attempt, which counts from
// 1, and false when it was the last. spread, in [0, 1), moves it by up to a
// fifth either way; asked is what the target asked for, which is never undercut.
func RetryAfter(attempt int, spread float64, asked time.Duration) (time.Duration, bool) {
	if attempt < 1 || attempt >= MaxAttempts {
		return 0, false
	}
	pause := retries[attempt-1]
	pause += time.Duration((spread*2 - 1) * float64(pause) / 5)
	return max(pause, min(asked, 24*time.Hour)), true
}
