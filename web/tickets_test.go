package web_test

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/triage"
	"tallyman/warehouse"
)

var desk = triage.NewDesk(triage.DefaultTaxonomy(), false)

// file sends a ticket in as the API does.
func (s *site) file(code warehouse.Site, text string) store.TicketID {
	s.t.Helper()
	in := &store.Intake{
		ID: store.NewTicketID(), Site: code, Text: text, Reporter: "u17", ReceivedAt: time.Now().Add(-40 * time.Minute).UTC().Truncate(time.Microsecond),
		By: store.Asker{APIKey: "test", IdempotencyKey: string(store.NewTicketID()), Fingerprint: sha256.Sum256([]byte(text))},
	}
	err := s.db.Examine(s.t.Context(), desk, in)
	if err == nil {
		_, err = s.db.TakeTicket(s.t.Context(), desk.Taxonomy, in, func(*store.TicketLabel) ([]byte, error) { return []byte("{}"), nil })
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return in.ID
}

func (s *site) ticket(id store.TicketID) store.TicketView {
	s.t.Helper()
	v, err := s.db.TicketView(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// role makes somebody with one role.
func (s *site) role(login string, role guardrails.Role, code warehouse.Site) guardrails.PersonID {
	s.t.Helper()
	id := s.person(login)
	storetest.Grant(s.t, s.db, id, code, role)
	return id
}

const (
	shortText  = "ASN says 18 cartons, only 16 on the pallet, driver signed"
	stolenText = "Seal was cut and three phones were stolen from the trailer"
	vagueText  = "pls call <b>me</b>"
)

func TestCorrectingATicket(t *testing.T) {
	s := start(t, time.Now())
	s.role("sam", "supervisor", "DC-1")
	s.role("pat", "procurement", "DC-1")
	s.role("tom", "transportation", "DC-1")
	id := s.file("DC-1", vagueText)
	sam := s.signIn("sam")
	if _, page, _ := sam.open("/tickets"); !strings.Contains(page, "pls call &lt;b&gt;me&lt;/b&gt;") || !strings.Contains(page, "Unclear") {
		t.Errorf("the list:\n%s", page)
	}
	path := "/tickets/" + string(id)
	_, page, _ := sam.open(path)
	says(t, page, "What was written", "One key says what it is", "Nothing: no language model was asked", "waits for approval")

	status, _, to := sam.post(path+"/label", "seen", "1", "label", "inbound.short")
	if status != http.StatusSeeOther || to != path+"?did=label" {
		t.Fatalf("correcting: %d to %q", status, to)
	}
	v := s.ticket(id)
	if v.Current.Label != "inbound.short" || v.Current.Path != store.ByHuman || v.Current.Routing.Owner != "procurement" || len(v.Labels) != 2 {
		t.Errorf("after correcting: %+v", v.Current)
	}
	step, err := s.db.Step(t.Context(), v.Current.Step)
	if err != nil || step.State != guardrails.Pending || !strings.Contains(string(step.PayloadBytes), "procurement") {
		t.Errorf("the step %s %s, %v", step.State, step.PayloadBytes, err)
	}
	if first, err := s.db.Step(t.Context(), v.Labels[0].Step); err != nil || first.State != guardrails.Superseded {
		t.Errorf("the step before is %s, %v", first.State, err)
	}
	if status, page, _ = sam.post(path+"/label", "seen", "1", "label", "inbound.over"); status != http.StatusConflict {
		t.Errorf("correcting what changed: %d", status)
	}
	says(t, page, "Somebody was faster")
	for _, c := range []struct {
		who, verb, field, value string
		status                  int
	}{
		{"sam", "label", "label", "made.up", http.StatusUnprocessableEntity},
		{"tom", "label", "label", "inbound.over", http.StatusForbidden},
		{"tom", "resolve", "resolution", "x", http.StatusForbidden},
		{"pat", "label", "label", "inbound.short", http.StatusSeeOther}, // confirms
		{"pat", "nonsense", "x", "y", http.StatusBadRequest},
		{"pat", "resolve", "resolution", " ", http.StatusUnprocessableEntity},
		{"pat", "resolve", "resolution", "supplier sends the rest", http.StatusSeeOther},
		{"pat", "resolve", "resolution", "again", http.StatusConflict},
		{"pat", "reopen", "x", "y", http.StatusSeeOther},
	} {
		if status, _, _ := s.signIn(c.who).post(path+"/"+c.verb, "seen", "2", c.field, c.value); status != c.status {
			t.Errorf("%s %s %s: %d, want %d", c.who, c.verb, c.value, status, c.status)
		}
	}
	_, page, _ = sam.open(path)
	says(t, page, "a person confirmed it", "by Pat", "supplier sends the rest", "reopened")
}

func TestRestrictedTicketsInTheBrowser(t *testing.T) {
	s := start(t, time.Now())
	s.role("sam", "supervisor", "DC-1")
	s.role("pat", "procurement", "DC-1")
	s.role("eve", "supervisor", "DC-2")
	id := s.file("DC-1", stolenText)
	step := "/steps/" + string(s.ticket(id).Current.Step)
	for who, want := range map[string]int{"sam": http.StatusOK, "pat": http.StatusNotFound, "eve": http.StatusNotFound} {
		c := s.signIn(who)
		if status, _, _ := c.open("/tickets/" + string(id)); status != want {
			t.Errorf("%s opens it: %d, want %d", who, status, want)
		}
		for _, path := range []string{"/tickets", "/steps?show=open", step} {
			if _, page, _ := c.open(path); strings.Contains(page, "stolen") != (want == http.StatusOK) {
				t.Errorf("%s reads %s:\n%s", who, path, page)
			}
		}
		if want != http.StatusOK {
			if status, _, _ := c.post("/tickets/"+string(id)+"/resolve", "resolution", "x"); status != http.StatusNotFound {
				t.Errorf("%s resolves it: %d", who, status)
			}
		}
	}
	routed, err := s.db.Step(t.Context(), s.ticket(id).Current.Step)
	if err != nil || strings.Contains(string(routed.EvidenceBytes), "suspected_loss") || strings.Contains(string(routed.EvidenceBytes), "stolen") {
		t.Errorf("the step tells what is restricted: %s, %v", routed.EvidenceBytes, err)
	}
	// A wrong label neither opens it nor makes it less urgent.
	sam := s.signIn("sam")
	if status, _, _ := sam.post("/tickets/"+string(id)+"/label", "seen", "1", "label", "inbound.label_noncompliant"); status != http.StatusSeeOther {
		t.Fatalf("label: %d", status)
	}
	if r := s.ticket(id).Current.Routing; r.Severity != triage.S1 || !r.Restricted {
		t.Errorf("after a wrong label: %+v", r)
	}
}

func TestMergingTickets(t *testing.T) {
	s := start(t, time.Now())
	by := store.By{Person: s.role("sam", "supervisor", "*"), Session: "test"}
	first, second := s.file("DC-1", shortText), s.file("DC-1", shortText+" today")
	hurt, elsewhere := s.file("DC-1", "picker injured, bleeding, dock 4"), s.file("DC-2", shortText)
	sam := s.signIn("sam")
	_, page, _ := sam.open("/tickets/" + string(second))
	says(t, page, "May be the same event", "Merge into that one")
	for _, c := range []struct {
		id, into store.TicketID
		want     error
	}{
		{first, first, store.ErrMerge}, {hurt, first, store.ErrMerge}, {first, elsewhere, store.ErrNotFound}, {first, "tkt_none", store.ErrNotFound},
	} {
		if err := s.db.MergeTicket(t.Context(), c.id, c.into, by); !errors.Is(err, c.want) {
			t.Errorf("merge %s into %s: %v, want %v", c.id, c.into, err, c.want)
		}
	}
	if status, _, to := sam.post("/tickets/"+string(second)+"/merge", "into", "http://x.example/tickets/"+string(first)); status != http.StatusSeeOther || !strings.Contains(to, "did=merge") {
		t.Errorf("merge: %d to %q", status, to)
	}
	v := s.ticket(second)
	if v.Status != store.TicketMerged || v.MergedInto != first || v.StepState != guardrails.Superseded {
		t.Errorf("merged: %s into %s, step %s", v.Status, v.MergedInto, v.StepState)
	}
	if err := s.db.MergeTicket(t.Context(), first, second, by); !errors.Is(err, store.ErrMerge) {
		t.Errorf("merging back: %v", err)
	}
	if into := s.ticket(first); len(into.Merged) != 1 || into.Events[0].Kind != "took_in" {
		t.Errorf("the other ticket: %+v", into.Events)
	}
	if found, err := s.db.Invariants(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("invariants: %+v, %v", found, err)
	}
}
