package store_test

import (
	"testing"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// Any number of refused attempts hides nothing that was decided, and the newest
// entries are the first.
func TestAViewHasTheNewestOfItsHistory(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step := propose(t, db)
	by := store.By{Person: supervisor(t, conn), Session: "s"}
	const attempts = 55
	for range attempts {
		if _, err := db.Decide(t.Context(), step.ID, by, guardrails.Approve{}); codeOf(err) != guardrails.CodeBinding {
			t.Fatal(err)
		}
	}
	if _, err := db.Decide(t.Context(), step.ID, by, guardrails.Approve{Binding: step.Binding}); err != nil {
		t.Fatal(err)
	}
	v, err := db.StepView(t.Context(), store.Viewer{Person: by.Person}, step.ID)
	if err != nil {
		t.Fatal(err)
	}
	first, last := v.History[0], v.History[len(v.History)-1]
	if first.Event != string(guardrails.Authorised) || last.Event != "proposed" || len(v.History)+v.Earlier != attempts+2 || v.Earlier == 0 {
		t.Errorf("%d entries and %d earlier, from %s to %s", len(v.History), v.Earlier, first.Event, last.Event)
	}
	for i := range v.History[1:] {
		if v.History[i].At.Before(v.History[i+1].At) {
			t.Errorf("entry %d is earlier than the next", i)
		}
	}
}
