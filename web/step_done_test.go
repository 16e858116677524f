package web

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/audit"
	"tallyman/guardrails"
	"tallyman/store"
)

const me, other = 1, 2

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var byHand = []store.ExecutionView{{Target: guardrails.TargetManual}}

// history is one that the viewer caused an event of.
func history(event guardrails.Event) []audit.Entry {
	by := store.By{Person: me}
	return []audit.Entry{{Event: string(event), Actor: by.String()}}
}

var deedCases = []struct {
	name, did string
	state     guardrails.State
	change    func(*store.StepView)
	want      *notice
}{
	{
		"others are still needed", "approve", guardrails.Pending, nil,
		&notice{Title: "You approved it", Text: "It still needs the approval of others before anything is sent.", Calm: true},
	},
	{
		"the policy got stricter", "approve", guardrails.Pending, func(v *store.StepView) { v.Standing = nil },
		&notice{Title: "You approved it, but your approval lost its force", Text: "What it requires has changed, or you no longer have the role. Look at it again."},
	},
	{
		"another policy denies it", "approve", guardrails.Pending, func(v *store.StepView) {
			v.Standing, v.Requirement = nil, guardrails.Denied("needs an investigation first")
		},
		&notice{Title: "You approved it, but the policy denies it now", Text: "Needs an investigation first."},
	},
	{
		"time is over", "approve", guardrails.Pending, func(v *store.StepView) { v.ExpiresAt = noon },
		&notice{Title: "You approved it, but its time was over", Text: "It can no longer be approved."},
	},
	{
		"it has all", "approve", guardrails.Approved, nil,
		&notice{Title: "You approved it", Text: "It has every approval it needs, and waits to be sent.", Calm: true},
	},
	{
		"people carry it out", "approve", guardrails.Executing, func(v *store.StepView) { v.Executions = byHand },
		&notice{Title: "You approved it", Text: "It has every approval it needs. Now people carry it out.", Calm: true},
	},
	{
		"it is there already", "approve", guardrails.Succeeded, func(v *store.StepView) { v.Executions = byHand },
		&notice{Title: "You approved it", Text: "It had every approval it needed, and is carried out.", Calm: true},
	},
	{
		"somebody rejected it", "approve", guardrails.Rejected, nil,
		&notice{Title: "You approved it, but it was rejected", Text: "The ticket is a duplicate."},
	},
	{
		"it was replaced", "approve", guardrails.Superseded, func(v *store.StepView) { v.Successor = "st_new" },
		&notice{Title: "You approved it, but a newer step took its place", Text: "This one can no longer be decided.", Link: "/steps/st_new", Go: "Open the step that is live now"},
	},
	{"somebody else's link", "approve", guardrails.Approved, func(v *store.StepView) { v.Decisions[0].Person = other }, nil},
	{
		"a broken glass", "glass", guardrails.Approved, func(v *store.StepView) { v.Decisions[0].BreakGlass, v.BreakGlass = "INC-7", true },
		&notice{Title: "You broke the glass", Text: "It is on its way. Two others review whether that was right.", Calm: true, Link: "/glass", Go: "Open the reviews"},
	},
	{
		"rejected", "reject", guardrails.Rejected, func(v *store.StepView) { v.Decisions[0].Verdict = guardrails.Rejection },
		&notice{Title: "You rejected it", Text: "Nothing is sent.", Calm: true},
	},
	{"withdrawn", "withdraw", guardrails.Withdrawn, nil, &notice{Title: "It is withdrawn", Text: "Nothing more is sent.", Calm: true}},
	{"a link that says so", "withdraw", guardrails.Pending, nil, nil},
	{
		"a broken glass, at work", "glass", guardrails.Executing, func(v *store.StepView) { v.Decisions[0].BreakGlass, v.BreakGlass = "INC-7", true },
		&notice{Title: "You broke the glass", Text: "It goes without every approval, as the glass was broken, and is being carried out.", Calm: true, Link: "/glass", Go: "Open the reviews"},
	},
	{
		"another broke the glass", "approve", guardrails.Succeeded, func(v *store.StepView) { v.BreakGlass = true },
		&notice{Title: "You approved it", Text: "It went without every approval, as the glass was broken, and is carried out.", Calm: true, Link: "/glass", Go: "Open the reviews"},
	},
	{"a link that says done", "done", guardrails.Pending, nil, nil},
	{"a link that says not done", "not-done", guardrails.Executing, func(v *store.StepView) { v.History = history(guardrails.Dispatched) }, nil},
	{"a link that says reassigned", "reassign", guardrails.Pending, nil, nil},
	{
		"sent again", "not-done", guardrails.Executing, func(v *store.StepView) { v.History = history(guardrails.Resolved) },
		&notice{Title: "It was reported as not done", Text: "It has every approval it needs, and is being carried out.", Calm: true},
	},
	{
		"given to somebody who rejected it", "reassign", guardrails.Rejected, func(v *store.StepView) { v.History = history(guardrails.Reassigned) },
		&notice{Title: "It was given to somebody, but it was rejected", Text: "The ticket is a duplicate."},
	},
	{"no such deed", "dance", guardrails.Pending, nil, nil},
}

// What is said after a click is true when it is read, whatever others did since.
func TestWhatWasDoneIsSaidAsItIsNow(t *testing.T) {
	approval := guardrails.Decision{Person: me, Verdict: guardrails.Approval}
	for _, c := range deedCases {
		v := &store.StepView{Now: noon, Decisions: []guardrails.Decision{approval}, Standing: []guardrails.Decision{approval}}
		v.State, v.ExpiresAt, v.Reason = c.state, noon.Add(time.Hour), "the ticket is a duplicate"
		if c.change != nil {
			c.change(v)
		}
		if diff := cmp.Diff(c.want, doneNotice(c.did, v, me)); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

// Nothing that has ended otherwise reads as approved.
func TestNoEndReadsAsApproved(t *testing.T) {
	v := &store.StepView{Decisions: []guardrails.Decision{{Person: 1, Verdict: guardrails.Approval}}}
	for _, v.State = range guardrails.States {
		n, done := doneNotice("approve", v, 1), v.State == guardrails.Succeeded
		if !v.State.Live() && !done && (n.Calm || n.Title == "You approved it") {
			t.Errorf("%s is said as %q", v.State, n.Title)
		}
	}
}
