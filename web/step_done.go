package web

import (
	"slices"
	"strings"

	"tallyman/audit"
	"tallyman/guardrails"
	"tallyman/store"
)

// deed is what somebody did to a step, where that leads, and what is said while it
// is there.
type deed struct {
	title string
	to    guardrails.State
	text  string
}

// deeds are what the address of a step's page may say that was done.
var deeds = map[string]deed{
	"approve":  {"You approved it", guardrails.Pending, "It still needs the approval of others before anything is sent."},
	"glass":    {"You broke the glass", guardrails.Approved, "It is on its way. Two others review whether that was right."},
	"reject":   {"You rejected it", guardrails.Rejected, "Nothing is sent."},
	"changes":  {"You asked for changes", guardrails.ChangesRequested, "It waits for a better recommendation."},
	"reassign": {"It was given to somebody", guardrails.Pending, "Whoever else may approve it still can."},
	"withdraw": {"It is withdrawn", guardrails.Withdrawn, "Nothing more is sent."},
	"done":     {"It was reported as done", guardrails.Succeeded, "It is done. What was said is in the history."},
	"not-done": {"It was reported as not done", guardrails.Withdrawn, "It was not done, and is over. What was said is in the history."},
}

// doneNotice says what the viewer did, and what is true of the step now: others
// decide, and time passes, before the page is shown. It is nil for what the viewer
// did not do.
func doneNotice(did string, v *store.StepView, me guardrails.PersonID) *notice {
	d, ok := deeds[did]
	if !ok || !hasDone(did, v, me) {
		return nil
	}
	n := &notice{Title: d.title, Text: d.text, Calm: true}
	turn, text := turnOf(v)
	stands := slices.ContainsFunc(v.Standing, func(a guardrails.Decision) bool { return a.Person == me })
	if did == "approve" && v.State == guardrails.Pending && turn == "" && !stands {
		turn, text = "your approval lost its force", "What it requires has changed, or you no longer have the role. Look at it again."
	}
	switch {
	case turn != "" && (v.State != d.to || d.to == guardrails.Pending):
		n.Title, n.Text, n.Calm = d.title+", but "+turn, text, false
	case v.State != d.to:
		n.Text = text
	}
	if standing := standingNotice(v); standing != nil {
		n.Link, n.Go = standing.Link, standing.Go
	}
	return n
}

// hasDone reports whether the viewer did it.
func hasDone(did string, v *store.StepView, me guardrails.PersonID) bool {
	verdict, glass := guardrails.Approval, false
	switch did {
	case "approve":
	case "glass":
		glass = true
	case "reject":
		verdict = guardrails.Rejection
	case "changes":
		verdict = guardrails.RequestChanges
	case "withdraw":
		return v.State == guardrails.Withdrawn
	case "reassign":
		return isOnRecord(v, me, guardrails.Reassigned)
	default:
		return isOnRecord(v, me, guardrails.Confirmed, guardrails.Resolved, guardrails.GaveUp, guardrails.Replayed)
	}
	return slices.ContainsFunc(v.Decisions, func(d guardrails.Decision) bool {
		return d.Person == me && d.Verdict == verdict && (d.BreakGlass != "") == glass
	})
}

// isOnRecord reports whether the viewer caused one of the events.
func isOnRecord(v *store.StepView, me guardrails.PersonID, events ...guardrails.Event) bool {
	by := store.By{Person: me}
	return slices.ContainsFunc(v.History, func(e audit.Entry) bool {
		return e.Actor == by.String() && slices.Contains(events, guardrails.Event(e.Event))
	})
}

// turnOf says what a step came to, "" where it is on its way, and what follows.
func turnOf(v *store.StepView) (turn, text string) {
	why := sentence(v.Reason)
	goes, went := "It has every approval it needs", "It had every approval it needed"
	if v.BreakGlass {
		goes, went = "It goes without every approval, as the glass was broken", "It went without every approval, as the glass was broken"
	}
	switch v.State {
	case guardrails.Pending:
		if !v.Now.Before(v.ExpiresAt) {
			return "its time was over", "It can no longer be approved."
		}
		if deny := v.Requirement.Deny; len(deny) > 0 {
			return "the policy denies it now", sentence(strings.Join(deny, "; "))
		}
		return "", "It waits for approval."
	case guardrails.Approved, guardrails.Executing:
		if slices.ContainsFunc(v.Executions, func(e store.ExecutionView) bool { return e.Target == guardrails.TargetManual }) {
			return "", goes + ". Now people carry it out."
		}
		if v.State == guardrails.Approved {
			return "", goes + ", and waits to be sent."
		}
		return "", goes + ", and is being carried out."
	case guardrails.Unknown:
		return "", "It was sent, and nobody knows yet whether it was applied."
	case guardrails.Succeeded:
		return "", went + ", and is carried out."
	case guardrails.Blocked:
		return "it was blocked", why
	case guardrails.ChangesRequested:
		return "changes were asked for", why
	case guardrails.Failed:
		return "it could not be carried out", why
	case guardrails.Compensating:
		return "a part of it failed", "What was applied is being taken back."
	case guardrails.CompensationFailed:
		return "a part of it failed", "What was applied could not be taken back. Somebody must look."
	case guardrails.Compensated:
		return "a part of it failed", "What was applied was taken back."
	case guardrails.Rejected:
		return "it was rejected", why
	case guardrails.Withdrawn:
		return "it was withdrawn", why
	case guardrails.Expired:
		return "it expired", "Not everybody who is needed decided in time. Nothing is sent."
	case guardrails.Superseded:
		return "a newer step took its place", "This one can no longer be decided."
	case guardrails.Invalidated:
		return "it no longer held when it was to be sent", why
	}
	return string(v.State), why
}
