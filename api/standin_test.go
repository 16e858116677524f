package api_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

// as makes somebody with one role and no other, who is signed in.
func (s *service) as(login string, role guardrails.Role) (token string, id guardrails.PersonID) {
	s.t.Helper()
	token, id = s.supervisor(login, "DC-2")
	storetest.Grant(s.t, s.db, id, "DC-1", role)
	return token, id
}

// answered is what these tests read of a step.
type answered struct {
	Requirement struct {
		Slots []struct {
			Role     string
			StandIns []struct {
				Role string
				From time.Time
				Due  bool
			} `json:"stand_ins"`
		}
	}
	Decisions []struct {
		Slot       string
		StoodInAs  string `json:"stood_in_as"`
		OnBehalfOf int64  `json:"on_behalf_of"`
	}
	You struct {
		CanApprove bool   `json:"can_approve"`
		OnBehalfOf int64  `json:"on_behalf_of"`
		Code       string `json:"code"`
	}
}

func (s *service) read(step guardrails.StepID, token string) (a answered) {
	s.t.Helper()
	w := s.call("GET", "/v1/steps/"+string(step), token, "")
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 {
		s.t.Fatalf("read: %d %s", w.Code, w.Body)
	}
	return a
}

func (s *service) list(token string) []answered {
	s.t.Helper()
	w := s.call("GET", "/v1/steps", token, "")
	var list struct{ Data []answered }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 {
		s.t.Fatalf("list: %d %s", w.Code, w.Body)
	}
	return list.Data
}

// The API says who stands in and from when, and who did.
func TestStandingIn(t *testing.T) {
	s := start(t)
	early, _ := s.as("early", "site_manager")
	due, _ := s.as("due", "controller")
	step := s.propose("T-1", "receiving", 0)
	r, err := guardrails.Require([]guardrails.Slot{{Role: "finance", Count: 1}}, guardrails.Session, 0, step.Requirement.Life)
	if err == nil {
		r, err = r.WithStandIns(guardrails.StandIn{For: "finance", Role: "site_manager", After: time.Hour}, guardrails.StandIn{For: "finance", Role: "controller", After: time.Microsecond})
	}
	if err == nil {
		step, err = s.db.Decide(t.Context(), step.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: r, Policy: step.Policy})
	}
	if err != nil {
		t.Fatal(err)
	}
	a := s.read(step.ID, early)
	ladder := a.Requirement.Slots[0].StandIns
	if len(ladder) != 2 || ladder[0].Role != "controller" || !ladder[0].Due || ladder[1].Role != "site_manager" || ladder[1].Due || !ladder[1].From.Equal(step.WaitsSince.Add(time.Hour)) {
		t.Errorf("the ladder is %+v", ladder)
	}
	if len(a.Requirement.Slots[1].StandIns) != 0 || a.You.CanApprove || a.You.Code != "stand-in-too-early" {
		t.Errorf("early: %+v", a)
	}
	if status, text, p := s.post(step.ID, early, "decisions", "k1", say("approve", step.Binding.String(), "")); status != 403 || p.Code != "stand-in-too-early" {
		t.Errorf("early: %d %s", status, text)
	}
	if list := s.list(due); len(list) != 1 || !list[0].You.CanApprove || !list[0].Requirement.Slots[0].StandIns[0].Due {
		t.Errorf("due: %+v", list)
	}
	if status, text, _ := s.post(step.ID, due, "decisions", "k2", say("approve", step.Binding.String(), "")); status != 200 {
		t.Errorf("due: %d %s", status, text)
	}
	if a = s.read(step.ID, due); len(a.Decisions) != 1 || a.Decisions[0].Slot != "finance" || a.Decisions[0].StoodInAs != "controller" {
		t.Errorf("decided: %+v", a.Decisions)
	}
}

// Whether somebody can approve counts what was delegated to them.
func TestCanApproveCountsDelegations(t *testing.T) {
	s := start(t)
	_, bossID := s.supervisor("boss", "DC-1")
	deputy, deputyID := s.as("deputy", "finance")
	step := s.propose("T-1", "receiving", 0)
	if a := s.list(deputy); len(a) != 1 || a[0].You.CanApprove || a[0].You.Code != "role-missing" {
		t.Errorf("before: %+v", a)
	}
	err := s.db.Delegate(t.Context(), store.Administrator{Person: bossID, AuthenticatedAt: step.CreatedAt}, guardrails.Delegation{
		From: bossID, To: deputyID, Kinds: []guardrails.Kind{guardrails.KindRouteTicket}, Sites: []warehouse.Site{"DC-1"},
		Limit: guardrails.Limit{Unlimited: true}, Begin: step.CreatedAt.Add(-time.Hour), End: step.CreatedAt.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]answered{"list": s.list(deputy)[0], "step": s.read(step.ID, deputy)} {
		if !a.You.CanApprove || a.You.OnBehalfOf != int64(bossID) || a.You.Code != "" {
			t.Errorf("%s: %+v", name, a.You)
		}
	}
	body := fmt.Sprintf(`{"verdict":"approve","binding":%q,"on_behalf_of":%d}`, step.Binding, bossID)
	if status, text, _ := s.post(step.ID, deputy, "decisions", "k", body); status != 200 {
		t.Errorf("approve: %d %s", status, text)
	}
	if a := s.read(step.ID, deputy); a.You.CanApprove || a.You.Code != "already-decided" || len(a.Decisions) != 1 || a.Decisions[0].OnBehalfOf != int64(bossID) {
		t.Errorf("after: %+v", a)
	}
}
