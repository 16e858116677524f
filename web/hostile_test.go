package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
)

// A name from outside can turn around what stands beside it, so that people approve
// other numbers than they read.
func TestNoNameHidesWhatIsApproved(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	s.person("anna", "DC-1")
	step, err := s.db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.InventoryAdjustment{Location: "A", SKU: "S\u202e01 ot 09 morf", Book: 10_000, Counted: 90_000, Reason: "counted"},
		Parties:  []guardrails.Party{{Part: guardrails.Proposer, Ref: "erp"}, {Part: guardrails.Counter, Ref: "floor-1"}},
		Facts:    guardrails.Facts{ValueMinor: 1000, Currency: "EUR", Class: "B"},
		Evidence: guardrails.Evidence{Body: []byte("{\"reasons\":[{\"text\":\"As \u2066before\u200b.\"}]}")},
	}, store.Source{})
	if err != nil {
		t.Fatal(err)
	}
	anna := s.signIn("anna")
	for _, path := range []string{"/steps/" + string(step.ID), "/steps?show=open"} {
		_, page, _ := anna.open(path)
		says(t, page, "S⟦U+202E⟧01 ot 09 morf")
		keepsQuietOf(t, page, "\u202e", "\u2066", "\u200b")
	}
}

// The log keeps what people type for good, so that it is bounded, as in the API.
func TestWhatPeopleTypeIsBounded(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	s.person("anna", "DC-1")
	anna := s.signIn("anna")
	step := s.propose("T-1", machine)
	path, binding := "/steps/"+string(step.ID), step.Binding.String()
	long := strings.Repeat("x", 8001)
	for _, form := range [][]string{
		{"/reject", "binding", binding, "reason", long},
		{"/withdraw", "reason", long},
		{"/done", "reason", long},
		{"/glass", "binding", binding, "reason", "r", "incident", long},
	} {
		if status, _, _ := anna.post(path+form[0], form[1:]...); status != http.StatusBadRequest {
			t.Errorf("%s of %d bytes: %d", form[0], len(long), status)
		}
	}
	if status, _, to := anna.post(path+"/reject", "binding", binding, "reason", strings.Repeat("é", 2000)); status != 303 {
		t.Errorf("a reason of 2,000 letters: %d to %q", status, to)
	}
}
