package guardrails

import "fmt"

// Code is the stable name of a reason to refuse.
type Code string

// The codes.
const (
	CodeNotPending       Code = "step-not-pending"
	CodeSuperseded       Code = "superseded"
	CodeExpired          Code = "expired"
	CodeNotExpired       Code = "not-expired"
	CodeBlocked          Code = "blocked"
	CodeDenied           Code = "policy-denied"
	CodeNoHuman          Code = "requirement-without-human"
	CodeWeaker           Code = "requirement-weaker"
	CodeBinding          Code = "binding-mismatch"
	CodeMachine          Code = "machine-principal"
	CodeInactive         Code = "actor-inactive"
	CodeSelfApproval     Code = "sod-self-approval"
	CodePart             Code = "sod-part"
	CodeUnprovenPart     Code = "sod-unproven"
	CodeDelegation       Code = "delegation-invalid"
	CodeAlreadyDecided   Code = "already-decided"
	CodeRoleMissing      Code = "role-missing"
	CodeTooEarly         Code = "stand-in-too-early"
	CodeSlotFilled       Code = "slot-filled"
	CodeValueLimit       Code = "value-limit"
	CodeDailyLimit       Code = "daily-limit"
	CodeStepUp           Code = "fresh-authentication-required"
	CodeReasonMissing    Code = "reason-missing"
	CodeNotAllowed       Code = "not-allowed"
	CodeBreakGlass       Code = "break-glass-not-allowed"
	CodeBreakGlassLimit  Code = "break-glass-limit"
	CodeBreakGlassReview Code = "break-glass-review-overdue"
	CodeKillSwitch       Code = "kill-switch"
	CodeFrozen           Code = "frozen"
	CodeQuorumLost       Code = "quorum-lost"
	CodeApprovalAge      Code = "approval-too-old"
	CodeMoved            Code = "subject-moved"
	CodeModel            Code = "model-not-in-force"
	CodeSameHuman        Code = "replay-by-approver"
	CodeBulk             Code = "bulk-limit"
)

// Refusal is why a command was not carried out. Nothing changed.
type Refusal struct { //nolint:errname // it is what the guards say
	Code   Code
	Detail string // which, why, and what to do
}

func (r *Refusal) Error() string { return r.Detail + " (" + string(r.Code) + ")" }

func refuse(c Code, format string, args ...any) *Refusal {
	return &Refusal{Code: c, Detail: fmt.Sprintf(format, args...)}
}
