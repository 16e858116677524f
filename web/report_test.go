package web_test

import (
	"net/http"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
)

// carriedOut is an approved step that people carry out.
func (s *site) carriedOut(ticket string) string {
	s.t.Helper()
	step, err := s.db.Propose(s.t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: ticket, Team: "receiving"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
	}, store.Source{})
	for i := 0; err == nil && step.State == guardrails.Pending; i++ {
		id := s.person(ticket+string(rune('a'+i)), "DC-1")
		step, err = s.db.Decide(s.t.Context(), step.ID, store.By{Person: id, Session: "s", AuthenticatedAt: time.Now()}, guardrails.Approve{Binding: step.Binding})
	}
	if err == nil {
		_, err = s.db.ClaimExecution(s.t.Context(), step.ID, "sender")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return "/steps/" + string(step.ID)
}

func TestPeopleSayThatItIsDone(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	first, second := s.carriedOut("t-1"), s.carriedOut("t-2")
	s.person("anna", "DC-1")
	s.person("eve", "DC-2")
	anna, eve := s.signIn("anna"), s.signIn("eve")
	_, page, _ := anna.open(first)
	says(t, page, "Carry it out, and say so", ">Done</button>", ">Not done</button>", "being carried out")
	if status, _, _ := eve.post(first + "/done"); status != http.StatusNotFound {
		t.Errorf("somebody of another site: %d", status)
	}
	r := anna.form(first + "/done")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, page, _ := anna.send(r); status != http.StatusForbidden {
		t.Errorf("a form from elsewhere: %d %s", status, page)
	}
	status, page, to := anna.post(first + "/done")
	if status != http.StatusSeeOther || to != first+"?did=done" {
		t.Errorf("done: %d to %s, %s", status, to, page)
	}
	_, page, _ = anna.open(to)
	says(t, page, "It was reported as done", "It is done", "says so", "by Anna")
	keepsQuietOf(t, page, "Carry it out, and say so")
	if status, page, _ = anna.post(first + "/done"); status != http.StatusConflict {
		t.Errorf("twice: %d", status)
	}
	says(t, page, "Somebody was faster")

	if status, page, _ = anna.post(second+"/not-done", "reason", " "); status != http.StatusUnprocessableEntity {
		t.Errorf("not done, and no reason: %d", status)
	}
	says(t, page, "Say why", ">Not done</button>")
	if status, _, to = anna.post(second+"/not-done", "reason", "no such team"); status != http.StatusSeeOther {
		t.Errorf("not done: %d", status)
	}
	_, page, _ = anna.open(to)
	says(t, page, "It was reported as not done", "It was not done", "withdrawn", "no such team")
}
