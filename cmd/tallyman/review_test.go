package main

import (
	"strings"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

func TestWhatIsKeptForReviewCanBeReviewed(t *testing.T) {
	dsn := storetest.DSN(t)
	t.Setenv("DATABASE_URL", dsn)
	db := storetest.Open(t, dsn)

	e := warehouse.Event{Source: "wms", ID: "e-1", Type: warehouse.Count, Site: "DC-1", SKU: "S", Location: "A-1", OccurredAt: time.Now().Truncate(time.Microsecond), Qty: warehouse.Some(1000)}
	other := e
	other.Qty = warehouse.Some(2000)
	for _, record := range []warehouse.Event{e, other} {
		if _, err := db.Ingest(t.Context(), []warehouse.Event{record}); err != nil {
			t.Fatal(err)
		}
	}
	if out, code := printed(t, "event", "conflicts"); code != 0 || !strings.Contains(out, `"source":"wms","id":"e-1","seq":1,"refused":{`) {
		t.Errorf("conflicts: %d %s", code, out)
	}

	step, err := db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.ShipmentSubstitution{Order: "SO-1", Line: "1", SKU: "S", Substitute: "T", Qty: 1000},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}}, Facts: guardrails.Facts{ValueMinor: 2_000_000, Currency: "USD"},
	}, store.Source{})
	if err != nil || step.State != guardrails.Blocked {
		t.Fatalf("a substitution that no customer agreed to is %s, %v", step.State, err)
	}
	storetest.Grant(t, db, storetest.Person(t, db, "olga", "Olga"), guardrails.Everywhere, guardrails.PolicyOwner)
	if out, code := printed(t, "policy", "rejudge", string(step.ID), "--by", "olga@example.com"); code != 1 || !strings.Contains(out, "the customer has not agreed") {
		t.Errorf("a denied step is judged anew: %d %s", code, out)
	}
	if out, code := printed(t, "deadletter", "resolve", string(step.ID), "--by", "olga@example.com", "--reason", "done"); code != 1 || !strings.Contains(out, "does not fit") {
		t.Errorf("what did not fail is resolved: %d %s", code, out)
	}
}
