package jobs_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/jobs"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/triage"
)

// taught is a site that calls things by names of its own, which the model that
// comes with the program has never heard of, and people who say what they mean.
func taught(t *testing.T, n int) (*store.DB, *triage.Desk, jobs.Basis) {
	t.Helper()
	db, desk := storetest.DB(t), triage.NewDesk(triage.DefaultTaxonomy(), false)
	var by []store.By
	for _, login := range []string{"sam", "ola", "kim"} {
		id := storetest.Person(t, db, login, login)
		storetest.Grant(t, db, id, "DC-1", "supervisor")
		by = append(by, store.By{Person: id, Session: "test"})
	}
	words := []string{"blorb", "frimp", "quazle", "snerk", "tovish", "wumple", "yaggle", "zindar"}
	base := []triage.Example{}
	for i := range 80 {
		x := []triage.Example{{Text: fmt.Sprintf("carton %d crushed and wet", i), Label: "inbound.damaged"}, {Text: fmt.Sprintf("no truck at door %d, carrier late", i), Label: "ship.carrier_issue"}}
		base = append(base, x[i%2])
	}
	for i := range n {
		label, stem := "inbound.damaged", "flimzy"
		if i%2 == 1 {
			label, stem = "ship.carrier_issue", "grobnik"
		}
		text := fmt.Sprintf("%s %s %s at %s", words[i%8], stem, words[(i/8)%8], words[(i/3)%8]+fmt.Sprint(i))
		in := &store.Intake{
			ID: store.NewTicketID(), Site: "DC-1", Text: text, Reporter: fmt.Sprint("u", i%20), ReceivedAt: time.Now().UTC().Truncate(time.Microsecond),
			By: store.Asker{APIKey: "k", IdempotencyKey: fmt.Sprint(i), Fingerprint: sha256.Sum256([]byte(text))},
		}
		err := db.Examine(t.Context(), desk, in)
		if err == nil {
			_, err = db.TakeTicket(t.Context(), desk.Taxonomy, in, func(*store.TicketLabel) ([]byte, error) { return []byte("{}"), nil })
		}
		if err == nil {
			err = db.CorrectTicket(t.Context(), desk.Taxonomy, in.ID, by[i%3], 1, label)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return db, desk, jobs.Basis{Examples: base, Settings: refitSettings()}
}

func refitSettings() triage.Settings {
	s := triage.DefaultSettings()
	s.OutOfScope = ""
	return s
}

func TestABetterModelOfTicketsWaitsForPeople(t *testing.T) {
	db, desk, basis := taught(t, 120)
	r, err := jobs.Refit(t.Context(), db, desk, basis, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Contest.Better() || r.Step == "" || !strings.HasPrefix(r.Outcome, "proposed") {
		t.Fatalf("refit %+v", r)
	}
	if err := jobs.AdoptTicketModel(t.Context(), db, desk); err != nil {
		t.Fatal(err)
	}
	if id, _ := desk.InForce(); id != 0 {
		t.Errorf("model %d is in force before anybody approved it", id)
	}
	step, err := db.Step(t.Context(), r.Step)
	if err != nil || step.Kind != guardrails.KindPromoteModel || step.State != guardrails.Pending {
		t.Fatalf("step %+v, %v", step, err)
	}
	var shown jobs.RefitReport
	if err := json.Unmarshal(step.EvidenceBytes, &shown); err != nil || shown.Contest != r.Contest {
		t.Errorf("the evidence %s, %v", step.EvidenceBytes, err)
	}
	for _, role := range []guardrails.Role{guardrails.PolicyOwner, "inventory_control"} {
		if _, err := db.Decide(t.Context(), step.ID, approver(t, db, role), guardrails.Approve{Binding: step.Binding}); err != nil {
			t.Fatal(err)
		}
	}
	e, err := db.ClaimExecution(t.Context(), step.ID, "test")
	if err != nil {
		t.Fatal(err)
	}
	if report := db.CarryOut(t.Context(), e); report.Outcome != store.ReportApplied {
		t.Fatalf("carried out: %+v", report)
	}
	if err := jobs.AdoptTicketModel(t.Context(), db, desk); err != nil {
		t.Fatal(err)
	}
	if id, _ := desk.InForce(); id == 0 || id != step.Model {
		t.Errorf("model %d is in force, want %d", id, step.Model)
	}
	if got := desk.Judge("blorb grobnik quazle").Label; got != "ship.carrier_issue" {
		t.Errorf("the new model says %s", got)
	}
	again, err := jobs.Refit(t.Context(), db, desk, basis, time.Now())
	if err != nil || again.Step != "" {
		t.Errorf("a model that is no better: %+v, %v", again, err)
	}
}

func TestTooFewLabelsTeachNothing(t *testing.T) {
	db, desk, basis := taught(t, 20)
	r, err := jobs.Refit(t.Context(), db, desk, basis, time.Now())
	if err != nil || r.Taught != 20 || r.Step != "" || !strings.Contains(r.Outcome, "too few") {
		t.Errorf("refit %+v, %v", r, err)
	}
}

// approver makes somebody who may approve everywhere as a role, just signed in.
func approver(t *testing.T, db *store.DB, role guardrails.Role) store.By {
	t.Helper()
	id := storetest.Person(t, db, string(role), string(role))
	storetest.Grant(t, db, id, guardrails.Everywhere, role)
	return store.By{Person: id, Session: "test", AuthenticatedAt: time.Now()}
}
