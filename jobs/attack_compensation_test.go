package jobs

import (
	"net/http/httptest"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
	"tallyman/webhook"
)

// chained is an approved step with three operations, of which the second is
// refused.
func (w *world) chained(a guardrails.Action) store.Step {
	w.Helper()
	refuses := httptest.NewServer(&webhook.Receiver{Now: time.Now, Journal: func([]byte) error { return nil }})
	w.Cleanup(refuses.Close)
	for _, name := range []string{"erp", "aps"} {
		if _, err := w.db.AddTarget(w.Context(), store.Target{
			Name: name, URL: refuses.URL, Idempotent: true, Private: true, Sites: []warehouse.Site{"DC-1"}, Kinds: []guardrails.Kind{a.Kind()},
		}); err != nil {
			w.Fatal(err)
		}
	}
	w.exec(`update target set allow_private = false where name = 'erp'`) // refused at the dial
	return w.approve(w.propose(a))
}

func (w *world) counted(s store.Step, operation int, compensation bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.effects[guardrails.IdempotencyKey(s.ID, operation, s.Payload, compensation)])
}

func attackCompensation(w *world) {
	s := w.chained(count("S"))
	if s = w.run(s, 2); s.State != guardrails.Compensating {
		w.Fatalf("the step is %s: %s", s.State, s.Reason)
	}
	w.fail("503:x2")
	w.run(s, 3)
	w.ends(s, guardrails.Compensated, 1)
	if w.counted(s, 0, true) != 1 {
		w.Error("the first operation was not taken back once")
	}
	all, err := w.db.Executions(w.Context(), s.ID)
	if err != nil || all[2].State != guardrails.Cancelled || all[2].Attempt != 0 {
		w.Errorf("the third operation: %+v, %v", all, err)
	}
	want := `{"action":"cancel","of":` + string(s.PayloadBytes) + `}`
	if got := w.effects[guardrails.IdempotencyKey(s.ID, 0, s.Payload, true)]; len(got) != 1 || got[0] != want {
		w.Errorf("taken back by %s, want %s", got, want)
	}
}

func attackCompensationFails(w *world) {
	s := w.chained(count("S"))
	w.run(s, 2)
	w.fail("409")
	w.run(s, 1)
	w.ends(s, guardrails.CompensationFailed, 1)
	letters, err := w.db.DeadLetters(w.Context(), time.Time{}, 10)
	if err != nil || len(letters) != 1 {
		w.Errorf("nobody is told: %+v, %v", letters, err)
	}
	w.fail()
	if _, err := w.db.Decide(w.Context(), s.ID, w.person(s.Requirement.Slots[0].Role), guardrails.Replay{Reason: "unlocked"}); err != nil {
		w.Fatal(err)
	}
	w.run(s, 1)
	w.ends(s, guardrails.Compensated, 1)
}
