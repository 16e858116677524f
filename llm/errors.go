package llm

import (
	"fmt"
	"time"
)

// Reason is a stable word for what went wrong; it is safe to store and to count.
type Reason string

// The caller's side ended the call.
const (
	ReasonPrompt      Reason = "prompt"       // the prompt itself cannot be asked
	ReasonBudget      Reason = "budget"       // the site's budget does not cover one more request
	ReasonBreakerOpen Reason = "breaker_open" // the server failed lately and is left alone
	ReasonCanceled    Reason = "canceled"     // the caller gave up
)

// The server's side did.
const (
	ReasonTimeout        Reason = "timeout"          // no reply in time
	ReasonNetwork        Reason = "network"          // no connection, or it broke
	ReasonRateLimited    Reason = "rate_limited"     // 429, or our own limit, for longer than we may wait
	ReasonServer         Reason = "server"           // 5xx
	ReasonAuth           Reason = "auth"             // 401 or 403
	ReasonNotFound       Reason = "not_found"        // 404: wrong base URL or unknown model
	ReasonRejected       Reason = "rejected"         // any other 4xx: the server does not take such a request
	ReasonRedirect       Reason = "redirect"         // 3xx, never followed
	ReasonTooLarge       Reason = "too_large"        // the reply is longer than 256 KiB
	ReasonNotACompletion Reason = "not_a_completion" // a reply that is no chat completion
	ReasonErrorInOK      Reason = "error_in_ok"      // status 200 around an error
	ReasonModelChanged   Reason = "model_changed"    // another model answers than the one probed: probe again
)

// The server replied, and the reply could not be used: the model abstains.
const (
	ReasonNoChoices       Reason = "no_choices"         // a completion without a choice
	ReasonTruncated       Reason = "truncated"          // the model ran out of tokens
	ReasonFiltered        Reason = "filtered"           // the provider's content filter stepped in
	ReasonUnfinished      Reason = "unfinished"         // any other finish reason than stop
	ReasonRefused         Reason = "refused"            // the model declined
	ReasonMalformedAnswer Reason = "malformed_answer"   // not exactly the object that was asked for
	ReasonCodeNotOffered  Reason = "code_not_offered"   // a code outside the shortlist
	ReasonEvidence        Reason = "evidence_not_found" // the evidence is not in the text
)

// Error is every error of [Client.Choose] and [Client.Probe]. Its text holds
// neither key, prompt nor reply. It unwraps to the caller's own error when the
// caller's context or budget ended the call.
type Error struct {
	Reason     Reason
	Status     int           // HTTP status; 0 without one
	Detail     string        // what exactly, in words of ours
	Code       string        // the provider's error code, such as insufficient_quota; often empty
	RetryAfter time.Duration // how long the server asked to be left alone

	stalled bool // a whole attempt passed without a reply
	unsent  bool // no byte of the request left
	again   bool // sending the same once more may help
	cause   error
}

func (e *Error) Error() string {
	text := "llm: " + string(e.Reason)
	if e.Status != 0 {
		text += fmt.Sprintf(": status %d", e.Status)
	}
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

func (e *Error) Unwrap() error { return e.cause }

// outage says whether the server as a whole is to blame, not the request, the
// caller or the model.
func (e *Error) outage() bool {
	switch e.Reason {
	case ReasonTimeout:
		return e.stalled
	case ReasonNetwork, ReasonServer, ReasonRedirect, ReasonTooLarge, ReasonNotACompletion, ReasonErrorInOK:
		return true
	default:
		return false
	}
}

// repairable says whether showing the model its mistake may help.
func (e *Error) repairable() bool {
	switch e.Reason {
	case ReasonMalformedAnswer, ReasonCodeNotOffered, ReasonEvidence:
		return true
	default:
		return false
	}
}
