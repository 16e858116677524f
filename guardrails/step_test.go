package guardrails_test

import (
	"errors"
	"testing"

	"tallyman/guardrails"
)

// The table is the specification: every pair that is not in it is refused.
func TestStepTransitions(t *testing.T) {
	type pair struct {
		state guardrails.StepState
		event guardrails.StepEvent
	}
	allowed := map[pair]guardrails.StepState{
		{"proposed", "release"}:           "open",
		{"proposed", "supersede"}:         "superseded",
		{"proposed", "withdraw"}:          "withdrawn",
		{"proposed", "expire"}:            "expired",
		{"open", "claim"}:                 "claimed",
		{"open", "withdraw"}:              "withdrawn",
		{"open", "expire"}:                "expired",
		{"claimed", "request_changes"}:    "changes_requested",
		{"claimed", "approve"}:            "approved",
		{"claimed", "reject"}:             "rejected",
		{"claimed", "withdraw"}:           "withdrawn",
		{"claimed", "expire"}:             "expired",
		{"changes_requested", "withdraw"}: "withdrawn",
		{"changes_requested", "expire"}:   "expired",
	}
	states := append([]guardrails.StepState{"", "nonsense"}, guardrails.StepStates...)
	events := append([]guardrails.StepEvent{"", "nonsense"}, guardrails.StepEvents...)
	for _, s := range states {
		for _, e := range events {
			want, ok := allowed[pair{s, e}]
			got, err := s.After(e)
			switch {
			case ok && (err != nil || got != want):
				t.Errorf("%s a step that is %s: %s, %v; want %s", e, s, got, err, want)
			case !ok && (!errors.Is(err, guardrails.ErrTransition) || got != s):
				t.Errorf("%s a step that is %s: %s, %v; want a refusal", e, s, got, err)
			}
		}
	}
}

func TestLiveStatesHaveAWayOut(t *testing.T) {
	for _, s := range guardrails.StepStates {
		out := 0
		for _, e := range guardrails.StepEvents {
			if to, err := s.After(e); err == nil && to != s {
				out++
			}
		}
		if s.Live() != (out > 0) {
			t.Errorf("%s: live is %v and %d events lead out of it", s, s.Live(), out)
		}
	}
}
