package api_test

import (
	"strings"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
)

func TestReports(t *testing.T) {
	s := start(t)
	anna, annaID := s.supervisor("anna", "DC-1")
	bert, bertID := s.supervisor("bert", "DC-1")
	eve, _ := s.supervisor("eve", "DC-2")
	step := s.propose("T-1", "receiving", 0)
	for _, id := range []guardrails.PersonID{annaID, bertID} {
		if _, err := s.db.Decide(t.Context(), step.ID, store.By{Person: id, Session: "s", AuthenticatedAt: time.Now()}, guardrails.Approve{Binding: step.Binding, Slot: "supervisor"}); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, p := s.post(step.ID, anna, "reports", "early", `{"done":true}`); status != 409 || p.Code != "step-not-pending" {
		t.Errorf("before anything is to be done: %d %+v", status, p)
	}
	if _, err := s.db.ClaimExecution(t.Context(), step.ID, "sender"); err != nil {
		t.Fatal(err)
	}
	if w := s.call("GET", "/v1/steps/"+string(step.ID), anna, ""); !strings.Contains(w.Body.String(), `"target":"manual","state":"sending","attempts":1,"waits_for_report":true`) {
		t.Errorf("nobody is told that it waits: %s", w.Body)
	}
	if status, _, p := s.post(step.ID, eve, "reports", "1", `{"done":true}`); status != 404 {
		t.Errorf("somebody of another site: %d %+v", status, p)
	}
	if status, _, p := s.post(step.ID, anna, "reports", "1", `{"done":false}`); status != 422 || p.Code != "reason-missing" || p.Field != "reason" {
		t.Errorf("not done, and no reason: %d %+v", status, p)
	}
	status, text, p := s.post(step.ID, anna, "reports", "1", `{"done":true}`)
	if status != 200 || !strings.Contains(text, `"state":"succeeded"`) {
		t.Errorf("done: %d %s %+v", status, text, p)
	}
	if status, again, _ := s.post(step.ID, anna, "reports", "1", `{"done":true}`); status != 200 || again != text {
		t.Errorf("the same request again: %d %s", status, again)
	}
	if status, _, p := s.post(step.ID, bert, "reports", "2", `{"done":true}`); status != 409 {
		t.Errorf("said twice: %d %+v", status, p)
	}
}
