package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

func TestAttackAPI(t *testing.T) {
	for _, tt := range []struct {
		name   string
		attack func(*service)
	}{
		{"3 a double click", attackTwice},
		{"4 a double click at once", attackAtOnce},
		{"5 one key for two requests", attackOtherBody},
		{"20 a captured request is sent again", attackCaptured},
		{"41 the glass is broken and reviewed by one", attackGlass},
		{"42 a step of another site", attackOtherSite},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t)
			tt.attack(s)
			found, err := s.db.Invariants(t.Context())
			if err != nil || len(found) > 0 {
				t.Errorf("broken: %+v, %v", found, err)
			}
		})
	}
}

// decisions counts those on a step.
func (s *service) decisions(step store.Step, who store.Viewer) int {
	s.t.Helper()
	v, err := s.db.StepView(s.t.Context(), who, step.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(v.Decisions)
}

func attackTwice(s *service) {
	anna, id := s.supervisor("anna", "DC-1")
	step := s.propose("T-1", "receiving", 0)
	body := say("approve", step.Binding.String(), "")
	_, first, _ := s.post(step.ID, anna, "decisions", "k", body)
	for range 3 {
		if status, again, _ := s.post(step.ID, anna, "decisions", "k", body); status != http.StatusOK || again != first {
			s.t.Errorf("again: %d %s", status, again)
		}
	}
	if n := s.decisions(step, store.Viewer{Person: id}); n != 1 {
		s.t.Errorf("%d decisions", n)
	}
}

func attackAtOnce(s *service) {
	anna, id := s.supervisor("anna", "DC-1")
	step := s.propose("T-1", "receiving", 0)
	body := say("approve", step.Binding.String(), "")
	answers := make([]string, 8)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			w := s.call("POST", "/v1/steps/"+string(step.ID)+"/decisions", anna, body, "Idempotency-Key", "k", "Content-Type", "application/json")
			answers[i] = fmt.Sprint(w.Code, " ", w.Body)
		})
	}
	group.Wait()
	for _, a := range answers {
		if !strings.HasPrefix(a, "200 ") || a != answers[0] {
			s.t.Errorf("one of eight at once: %s", a)
		}
	}
	if n := s.decisions(step, store.Viewer{Person: id}); n != 1 {
		s.t.Errorf("%d decisions", n)
	}
}

func attackOtherBody(s *service) {
	anna, id := s.supervisor("anna", "DC-1")
	step, other := s.propose("T-1", "receiving", 0), s.propose("T-2", "receiving", 0)
	s.post(step.ID, anna, "decisions", "k", say("approve", step.Binding.String(), ""))
	if status, text, p := s.post(step.ID, anna, "decisions", "k", say("reject", step.Binding.String(), "no")); status != 422 || p.Code != "idempotency_key_reused" {
		s.t.Errorf("another verdict: %d %s", status, text)
	}
	if status, text, _ := s.post(other.ID, anna, "decisions", "k", say("approve", other.Binding.String(), "")); status != 422 {
		s.t.Errorf("another step: %d %s", status, text)
	}
	if n := s.decisions(step, store.Viewer{Person: id}) + s.decisions(other, store.Viewer{Person: id}); n != 1 {
		s.t.Errorf("%d decisions", n)
	}
}

// A request that somebody recorded does nothing more: under its key it says what it
// said, under another one that the step is over, and without its session nothing.
func attackCaptured(s *service) {
	anna, id := s.supervisor("anna", "DC-1")
	bert, _ := s.supervisor("bert", "DC-1")
	step := s.propose("T-1", "receiving", 0)
	captured := say("approve", step.Binding.String(), "")
	_, answer, _ := s.post(step.ID, anna, "decisions", "k", captured)
	if status, text, _ := s.post(step.ID, bert, "decisions", "k", say("reject", step.Binding.String(), "a duplicate")); status != 200 {
		s.t.Fatalf("reject: %d %s", status, text)
	}
	if status, again, _ := s.post(step.ID, anna, "decisions", "k", captured); status != 200 || again != answer {
		s.t.Errorf("under its own key: %d %s", status, again)
	}
	if status, text, p := s.post(step.ID, anna, "decisions", "k2", captured); status != 409 || p.Code != "step-not-pending" || p.State != "rejected" {
		s.t.Errorf("under another key: %d %s", status, text)
	}
	if w := s.call("DELETE", "/v1/sessions/current", anna, ""); w.Code != http.StatusNoContent {
		s.t.Fatal(w.Code)
	}
	for _, key := range []string{"k", "k2", "k3"} {
		if status, text, _ := s.post(step.ID, anna, "decisions", key, captured); status != http.StatusUnauthorized {
			s.t.Errorf("after the session ended: %d %s", status, text)
		}
	}
	if n := s.decisions(step, store.Viewer{Person: id}); n != 2 {
		s.t.Errorf("%d decisions", n)
	}
}

func attackOtherSite(s *service) {
	eve, _ := s.supervisor("eve", "DC-2")
	_, id := s.supervisor("anna", "DC-1")
	step := s.propose("T-1", "receiving", 0)
	path := "/v1/steps/" + string(step.ID)
	key := func(sites ...warehouse.Site) string {
		secret, _, err := s.db.CreateKey(s.t.Context(), store.APIKey{Name: "k", Env: "test", Scopes: []store.Scope{store.StepsRead}, Sites: sites}, time.Hour)
		if err != nil {
			s.t.Fatal(err)
		}
		return secret
	}
	foreign, own, all := key("DC-2"), key("DC-1"), key()
	for name, token := range map[string]string{"a person": eve, "a key": foreign} {
		if w := s.call("GET", path, token, ""); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "T-1") {
			s.t.Errorf("%s of another site reads it: %d %s", name, w.Code, w.Body)
		}
		for _, query := range []string{"", "?site=DC-1", "?state=pending", "?action=route_ticket&site=DC-1"} {
			if w := s.call("GET", "/v1/steps"+query, token, ""); !strings.Contains(w.Body.String(), `"data":[]`) {
				s.t.Errorf("%s of another site lists %s: %s", name, query, w.Body)
			}
		}
	}
	for _, what := range []string{"decisions", "assignments", "withdrawals"} {
		body := map[string]string{"decisions": say("approve", step.Binding.String(), ""), "assignments": `{"to":1}`, "withdrawals": `{}`}[what]
		if status, text, _ := s.post(step.ID, eve, what, what, body); status != http.StatusNotFound {
			s.t.Errorf("%s from another site: %d %s", what, status, text)
		}
		if status, _, p := s.post(step.ID, all, what, what, body); status != http.StatusForbidden || p.Code != "machine-principal" {
			s.t.Errorf("%s by a key: %d %s", what, status, p.Code)
		}
	}
	if w := s.call("GET", "/metrics", "", ""); strings.Contains(w.Body.String(), "DC-1") || strings.Contains(w.Body.String(), string(step.ID)) {
		s.t.Error("the metrics name a site or a step")
	}
	for _, token := range []string{own, all} {
		w := s.call("GET", path, token, "")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"code":"machine-principal"`) || strings.Contains(w.Body.String(), `"can_approve":true`) {
			s.t.Errorf("a key of the site: %d %s", w.Code, w.Body)
		}
	}
	if w := s.call("GET", "/v1/steps?waiting=true", own, ""); w.Code != http.StatusBadRequest {
		s.t.Errorf("what waits for a key: %d", w.Code)
	}
	if n := s.decisions(step, store.Viewer{Person: id}); n != 0 {
		s.t.Errorf("%d decisions", n)
	}
}

func attackGlass(s *service) {
	anna, _ := s.supervisor("anna", "DC-1")
	bert, _ := s.supervisor("bert", "DC-1")
	eve, _ := s.supervisor("eve", "DC-2")
	ticket := s.propose("T-1", "receiving", 0)
	smash := func(step store.Step) string {
		return fmt.Sprintf(`{"verdict":"approve","binding":%q,"incident":"INC-1","reason":"the dock is blocked"}`, step.Binding)
	}
	if status, text, p := s.post(ticket.ID, anna, "decisions", "k", smash(ticket)); status != 403 || p.Code != "break-glass-not-allowed" {
		s.t.Errorf("for a ticket: %d %s", status, text)
	}
	step, err := s.db.Propose(s.t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.ReleaseReceipt{Load: "ASN-1", Line: "1", SKU: "S", Qty: 1000, Reason: "recounted"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "key:k"}, {Part: guardrails.Receiver, Ref: "floor-1"}},
		Facts:   guardrails.Facts{ValueMinor: 1000, Currency: "EUR", Flags: []string{"regulated"}},
	}, store.Source{})
	if err != nil {
		s.t.Fatal(err)
	}
	if status, text, _ := s.post(step.ID, anna, "decisions", "k2", smash(step)); status != 200 || !strings.Contains(text, `"state":"approved"`) {
		s.t.Fatalf("broken: %d %s", status, text)
	}
	for _, c := range []struct {
		who, note string
		status    int
	}{{anna, "I was right", 403}, {eve, "fine", 404}, {bert, "", 400}, {bert, "seen on the camera", 204}, {bert, "once more", 409}} {
		if status, text, _ := s.post(step.ID, c.who, "reviews", "r", fmt.Sprintf(`{"justified":true,"note":%q}`, c.note)); status != c.status {
			s.t.Errorf("%q: %d %s, want %d", c.note, status, text, c.status)
		}
	}
}
