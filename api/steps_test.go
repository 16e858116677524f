package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tallyman/api"
	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

// personRoutes are all operations of people who are signed in.
var personRoutes = []struct{ method, path, body string }{
	{"DELETE", "/v1/sessions/current", ""},
	{"POST", "/v1/steps/st_x/decisions", `{"verdict":"approve","binding":"` + strings.Repeat("0", 64) + `"}`},
	{"POST", "/v1/steps/st_x/assignments", `{"to":1}`},
	{"POST", "/v1/steps/st_x/withdrawals", `{}`},
	{"POST", "/v1/steps/st_x/reports", `{"done":true}`},
	{"POST", "/v1/steps/st_x/reviews", `{"justified":true,"note":"x"}`},
}

// supervisor makes somebody and signs them in.
func (s *service) supervisor(login string, site warehouse.Site) (token string, id guardrails.PersonID) {
	s.t.Helper()
	id = storetest.Person(s.t, s.db, login, login)
	storetest.Grant(s.t, s.db, id, site, "supervisor", "inventory_control", "it", "customer_service", "transportation")
	w := s.call("POST", "/v1/sessions", "", fmt.Sprintf(`{"user":%q,"password":%q}`, login, storetest.Password), "Content-Type", "application/json")
	var answer struct{ Token string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusCreated {
		s.t.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return answer.Token, id
}

func (s *service) propose(ticket, team string, by guardrails.PersonID) store.Step {
	s.t.Helper()
	party := guardrails.Party{Part: guardrails.Proposer, Person: by}
	if by == 0 {
		party.Ref = "llm:v1"
	}
	step, err := s.db.Propose(s.t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: ticket, Team: team}, Parties: []guardrails.Party{party},
	}, store.Source{})
	if err == nil {
		var two guardrails.Requirement
		if two, err = guardrails.Require([]guardrails.Slot{{Role: "supervisor", Count: 2}}, guardrails.Session, 0, step.Requirement.Life); err == nil {
			step, err = s.db.Decide(s.t.Context(), step.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: two, Policy: step.Policy})
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return step
}

func TestStepsAreForPeople(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	for _, r := range personRoutes {
		for token, want := range map[string]string{"": "401 unauthenticated", "nonsense": "401 invalid_session", store.SessionPrefix + "x": "401 invalid_session", key: "403 machine-principal"} {
			w := s.call(r.method, r.path, token, r.body, "Idempotency-Key", "k", "Content-Type", "application/json")
			if code, _ := problem(t, w); fmt.Sprint(w.Code, " ", code) != want {
				t.Errorf("%s %s with %.10q: %d %s, want %s", r.method, r.path, token, w.Code, code, want)
			}
		}
	}
	s.supervisor("anna", "DC-1")
	for body, want := range map[string]string{
		`{"user":"anna","password":"wrong wrong wrong"}`: "401 sign_in_failed", `{"user":"nobody","password":"wrong wrong wrong"}`: "401 sign_in_failed",
		`{"user":"anna"}`: "400 invalid_request", `{"user":"anna","password":"x","admin":true}`: "400 invalid_request",
	} {
		w := s.call("POST", "/v1/sessions", "", body, "Content-Type", "application/json")
		if code, _ := problem(t, w); fmt.Sprint(w.Code, " ", code) != want {
			t.Errorf("%s: %d %s, want %s", body, w.Code, code, want)
		}
	}
}

// post sends what somebody does about a step, and returns the answer.
func (s *service) post(step guardrails.StepID, token, what, key, body string) (status int, text string, p api.Problem) {
	s.t.Helper()
	w := s.call("POST", "/v1/steps/"+string(step)+"/"+what, token, body, "Idempotency-Key", key, "Content-Type", "application/json")
	if w.Code >= 400 {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			s.t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	return w.Code, w.Body.String(), p
}

func say(verdict, binding, reason string) string {
	return fmt.Sprintf(`{"verdict":%q,"binding":%q,"reason":%q}`, verdict, binding, reason)
}

func TestReadingSteps(t *testing.T) {
	s := start(t)
	anna, annaID := s.supervisor("anna", "DC-1")
	bert, _ := s.supervisor("bert", "DC-1")
	eve, _ := s.supervisor("eve", "DC-2")
	step := s.propose("T-1", "receiving", annaID)
	path, binding := "/v1/steps/"+string(step.ID), step.Binding.String()
	w := s.call("GET", path, bert, "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"can_approve":true`) || !strings.Contains(w.Body.String(), `"payload":{"action":"route_ticket"`) || !strings.Contains(w.Body.String(), binding) {
		t.Errorf("read: %d %s", w.Code, w.Body)
	}
	if w := s.call("GET", path, anna, ""); !strings.Contains(w.Body.String(), `"code":"sod-self-approval"`) {
		t.Errorf("the proposer reads %s", w.Body)
	}
	for name, token := range map[string]string{"/v1/steps": bert, "/v1/steps?waiting=true": bert, "/v1/steps?site=DC-1&action=route_ticket&state=pending": anna} {
		if w := s.call("GET", name, token, ""); w.Code != 200 || strings.Count(w.Body.String(), `"id":"st_`) != 1 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := s.call("GET", "/v1/steps", eve, ""); !strings.Contains(w.Body.String(), `"data":[]`) {
		t.Errorf("another site's list: %s", w.Body)
	}
	if w := s.call("GET", "/v1/steps?cursor=x", bert, ""); w.Code != 400 {
		t.Errorf("a bad cursor: %d", w.Code)
	}
}

func TestDecisionsThatAreRefused(t *testing.T) {
	s := start(t)
	anna, annaID := s.supervisor("anna", "DC-1")
	bert, _ := s.supervisor("bert", "DC-1")
	eve, _ := s.supervisor("eve", "DC-2")
	step := s.propose("T-1", "receiving", annaID)
	binding := step.Binding.String()
	for _, c := range []struct {
		name, token, what, body string
		status                  int
		code                    string
	}{
		{"another site", eve, "decisions", say("approve", binding, ""), 404, "not_found"},
		{"another site's withdrawal", eve, "withdrawals", `{}`, 404, "not_found"},
		{"self-approval", anna, "decisions", say("approve", binding, ""), 403, "sod-self-approval"},
		{"another binding", bert, "decisions", say("approve", strings.Repeat("0", 64), ""), 409, "binding-mismatch"},
		{"no reason", bert, "decisions", say("reject", binding, " "), 422, "reason-missing"},
		{"no verdict", bert, "decisions", say("maybe", binding, ""), 400, "invalid_request"},
		{"short binding", bert, "decisions", say("approve", "00", ""), 400, "invalid_request"},
		{"another field", bert, "decisions", `{"verdict":"approve","binding":"` + binding + `","state":"approved"}`, 400, "invalid_request"},
		{"nobody's step", bert, "assignments", `{"to":999}`, 403, "not-allowed"},
		{"for nobody", bert, "decisions", `{"verdict":"approve","on_behalf_of":999,"binding":"` + binding + `"}`, 403, "actor-inactive"},
	} {
		if status, text, p := s.post(step.ID, c.token, c.what, strings.ReplaceAll(c.name, " ", "-"), c.body); status != c.status || p.Code != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, status, text, c.status, c.code)
		}
	}
	if w := s.call("POST", "/v1/steps/"+string(step.ID)+"/decisions", bert, say("approve", binding, ""), "Content-Type", "application/json"); w.Code != 400 {
		t.Errorf("without a key: %d", w.Code)
	}
}

func TestDecidingByTheAPI(t *testing.T) {
	s := start(t)
	_, annaID := s.supervisor("anna", "DC-1")
	bert, bertID := s.supervisor("bert", "DC-1")
	cleo, _ := s.supervisor("cleo", "DC-1")
	step := s.propose("T-1", "receiving", annaID)
	binding := step.Binding.String()
	if status, _, _ := s.post(step.ID, bert, "assignments", "give", fmt.Sprintf(`{"to":%d}`, bertID)); status != 200 {
		t.Errorf("reassign: %d", status)
	}
	status, first, _ := s.post(step.ID, bert, "decisions", "one", say("approve", binding, "ok"))
	if status != 200 || !strings.Contains(first, `"state":"pending"`) {
		t.Fatalf("approve: %d %s", status, first)
	}
	if status, again, _ := s.post(step.ID, bert, "decisions", "one", say("approve", binding, "ok")); status != 200 || again != first {
		t.Errorf("repeated: %d %s", status, again)
	}
	if status, _, p := s.post(step.ID, bert, "decisions", "one", say("reject", binding, "no")); status != 422 || p.Code != "idempotency_key_reused" {
		t.Errorf("the key for something else: %d %s", status, p.Code)
	}
	for _, body := range []string{say("approve", binding, ""), say("reject", binding, "changed my mind")} {
		if status, _, p := s.post(step.ID, bert, "decisions", "two"+body[:20], body); status != 409 || p.Code != "already-decided" {
			t.Errorf("twice: %d %s", status, p.Code)
		}
	}
	if status, text, _ := s.post(step.ID, cleo, "decisions", "one", say("approve", binding, "")); status != 200 || !strings.Contains(text, `"state":"approved"`) {
		t.Errorf("the second approval: %d %s", status, text)
	}
	if status, _, p := s.post(step.ID, cleo, "decisions", "late", say("approve", binding, "")); status != 409 || p.Code != "step-not-pending" || p.State != "approved" || p.Retryable {
		t.Errorf("after that: %d %+v", status, p)
	}
	if w := s.call("DELETE", "/v1/sessions/current", cleo, ""); w.Code != 204 {
		t.Errorf("sign out: %d %s", w.Code, w.Body)
	}
	if w := s.call("GET", "/v1/steps", cleo, ""); w.Code != 401 {
		t.Errorf("after signing out: %d", w.Code)
	}
}

func TestASupersededStepLeadsOn(t *testing.T) {
	s := start(t)
	anna, _ := s.supervisor("anna", "DC-1")
	old := s.propose("T-1", "receiving", 0)
	next := s.propose("T-1", "shipping", 0)
	w := s.call("POST", "/v1/steps/"+string(old.ID)+"/decisions", anna, `{"verdict":"approve","binding":"`+old.Binding.String()+`"}`,
		"Idempotency-Key", "k", "Content-Type", "application/json")
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 409 || p.Code != "superseded" || p.SupersededBy != string(next.ID) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, ticket := range []string{"T-2", "T-3", "T-4"} {
		s.propose(ticket, "receiving", 0)
	}
	seen := map[string]bool{}
	cursor := ""
	for range 10 {
		var page struct {
			Data       []struct{ ID string }
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal(s.call("GET", "/v1/steps?limit=2&cursor="+cursor, anna, "").Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Data {
			seen[d.ID] = true
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d steps over the pages", len(seen))
	}
}
