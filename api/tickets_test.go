package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/store"
)

const ticketShort = `{"site":"DC-1","text":"ASN says 18 cartons, only 16 ctns on the pallet, driver signed. PO 4471882","reporter":"u17"}`

type ticket struct {
	ID, Site, Status, Severity, Owner string
	Text                              string
	Restricted, Immediate             bool
	Copies, Secondary, Signals, Facts []string
	Label                             struct {
		ID, Path, Why string
		Confidence    *float64
		Alternatives  []struct {
			ID         string
			Confidence float64
		}
	}
	Entities []struct {
		Kind, Value, Unit string
		Verified          bool
	}
	Similar, Duplicates []struct{ ID, Label, Resolution string }
	LanguageModel       string `json:"language_model"`
	Workflow            struct {
		StepID string `json:"step_id"`
		State  string
	}
	History []struct{ ID, Path string }
}

func (s *service) ticket(key, body, idempotency string) ticket {
	s.t.Helper()
	return read[ticket](s.t, s.call("POST", "/v1/tickets", key, body, "Idempotency-Key", idempotency))
}

func body(text string, more string) string {
	return fmt.Sprintf(`{"site":"DC-1","text":%q%s}`, text, more)
}

func TestATicketAnswersWithLabelAndStep(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	made := s.ticket(key, ticketShort, "k1")
	if made.Status != "open" || made.Label.Path != "embedded" || made.Label.Why == "" || len(made.Label.Alternatives) == 0 ||
		made.Workflow.StepID == "" || made.Owner == "" || made.Severity == "" || made.LanguageModel != "no" {
		t.Errorf("answer %+v", made)
	}
	got := map[string]string{}
	for _, e := range made.Entities {
		got[e.Kind] = e.Value + e.Unit
	}
	if got["po"] != "4471882" || !strings.HasSuffix(got["quantity"], "cs") {
		t.Errorf("entities %+v", made.Entities)
	}
	stored := read[ticket](t, s.call("GET", "/v1/tickets/"+made.ID, key, ""))
	if stored.Workflow.State != "pending" || len(stored.History) != 1 || stored.Text == "" {
		t.Errorf("stored %+v", stored)
	}
	stored.Workflow.State, stored.History, stored.Text = "", nil, ""
	if diff := cmp.Diff(made, stored); diff != "" {
		t.Errorf("what was answered is not what is stored:\n%s", diff)
	}
}

func TestATicketIsTakenOnce(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	first := s.call("POST", "/v1/tickets", key, ticketShort, "Idempotency-Key", "k1")
	again := s.call("POST", "/v1/tickets", key, ticketShort, "Idempotency-Key", "k1")
	if first.Code != 200 || !bytes.Equal(first.Body.Bytes(), again.Body.Bytes()) {
		t.Errorf("the same request twice: %d %s, %d %s", first.Code, first.Body, again.Code, again.Body)
	}
	other := s.call("POST", "/v1/tickets", key, ticketShort+" ", "Idempotency-Key", "k1")
	if code, field := problem(t, other); other.Code != 422 || code != "idempotency_key_reused" || field != "Idempotency-Key" {
		t.Errorf("the key with another body: %d %s", other.Code, other.Body)
	}
	if w := s.call("POST", "/v1/tickets", s.key(store.Scopes), ticketShort, "Idempotency-Key", "k1"); bytes.Equal(w.Body.Bytes(), first.Body.Bytes()) {
		t.Error("another API key's idempotency key is the same")
	}
	list := read[struct{ Data []ticket }](t, s.call("GET", "/v1/tickets?site=DC-1", key, ""))
	if len(list.Data) != 2 {
		t.Errorf("%d tickets, want 2", len(list.Data))
	}
}

func TestTicketsThatAreRefused(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	for _, c := range []struct{ name, body, field string }{
		{"no site", `{"text":"x"}`, "site"},
		{"every site", `{"site":"*","text":"x"}`, "site"},
		{"no text", `{"site":"DC-1"}`, "text"},
		{"blank", body(" \n\t ", ""), "text"},
		{"zero character", `{"site":"DC-1","text":"a\u0000b"}`, "text"},
		{"too long", body(strings.Repeat("x", 33<<10), ""), "text"},
		{"unknown member", body("x", `,"severity":"S4"`), "severity"},
		{"unknown fact", body("x", `,"facts":["sunny"]`), "facts"},
		{"fact twice", body("x", `,"facts":["recall","recall"]`), "facts"},
		{"share", body("x", `,"share_percent":101`), "share_percent"},
		{"value", body("x", `,"value":{"amount":"much","currency":"USD"}`), "value"},
		{"value below zero", body("x", `,"value":{"amount":"-3","currency":"USD"}`), "value"},
		{"reference", body("x", `,"references":{"load":"`+strings.Repeat("9", 300)+`"}`), "references.load"},
	} {
		w := s.call("POST", "/v1/tickets", key, c.body, "Idempotency-Key", "k")
		if code, field := problem(t, w); w.Code != http.StatusBadRequest || code != "invalid_request" || field != c.field {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	if w := s.call("POST", "/v1/tickets", key, body(strings.Repeat("x", 97<<10), ""), "Idempotency-Key", "k"); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 97 KiB: %d", w.Code)
	}
	if w := s.call("POST", "/v1/tickets", key, ticketShort); w.Code != http.StatusBadRequest {
		t.Errorf("without an idempotency key: %d", w.Code)
	}
}

// Severity is the rules': words and structured facts raise it.
func TestSeverityOfTickets(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	hurt := s.ticket(key, body("Forklift hit a picker in aisle 7, he is bleeding", ""), "1")
	if hurt.Severity != "S1" || !strings.Contains(strings.Join(append(hurt.Copies, hurt.Owner), " "), "ehs") {
		t.Errorf("an injury: %+v", hurt)
	}
	plain, due := s.ticket(key, body("pls call", ""), "2"), s.ticket(key, body("pls call", `,"facts":["order_due_today"]`), "3")
	if plain.Severity != "S4" || due.Severity != "S3" || len(due.Facts) != 1 {
		t.Errorf("plain %s, with an order due today %s %v", plain.Severity, due.Severity, due.Facts)
	}
	for i := range 3 {
		got := s.ticket(key, body("pls call", `,"references":{"supplier":"ACME"}`), fmt.Sprint("r", i))
		if third := got.Severity == "S3"; third != (i == 2) {
			t.Errorf("ticket %d of one supplier has severity %s", i+1, got.Severity)
		}
	}
}

func TestRestrictedTicketsAreForWhoSentThem(t *testing.T) {
	s := start(t)
	mine, other := s.key(store.Scopes), s.key(store.Scopes)
	stolen := s.ticket(mine, body("Seal was cut and three phones were stolen from the trailer", ""), "1")
	if !stolen.Restricted || stolen.Severity != "S1" {
		t.Fatalf("a theft: %+v", stolen)
	}
	read[ticket](t, s.call("GET", "/v1/tickets/"+stolen.ID, mine, ""))
	theirs, nobodys := s.call("GET", "/v1/tickets/"+stolen.ID, other, ""), s.call("GET", "/v1/tickets/tkt_nobody", other, "")
	if theirs.Code != 404 || !bytes.Equal(theirs.Body.Bytes(), nobodys.Body.Bytes()) {
		t.Errorf("a restricted ticket can be told from none: %d %s", theirs.Code, theirs.Body)
	}
	for key, want := range map[string]int{mine: 1, other: 0} {
		if got := read[struct{ Data []ticket }](t, s.call("GET", "/v1/tickets", key, "")); len(got.Data) != want {
			t.Errorf("%d restricted tickets, want %d", len(got.Data), want)
		}
	}
	again := s.ticket(other, body("Seal was cut and three phones were stolen from the trailer", ""), "2")
	if len(again.Duplicates) != 0 {
		t.Errorf("a restricted ticket shows as a duplicate: %+v", again.Duplicates)
	}
}

func TestDuplicatesOfATicket(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	first := s.ticket(key, ticketShort, "1")
	second := s.ticket(key, strings.Replace(ticketShort, "driver signed", "driver has signed", 1), "2")
	if len(second.Duplicates) != 1 || second.Duplicates[0].ID != first.ID {
		t.Errorf("duplicates %+v, want %s", second.Duplicates, first.ID)
	}
	elsewhere := s.ticket(key, strings.Replace(ticketShort, "DC-1", "DC-2", 1), "3")
	if len(elsewhere.Duplicates) != 0 {
		t.Errorf("a ticket of another site is a duplicate: %+v", elsewhere.Duplicates)
	}
}

func TestEntitiesAreVerifiedByEvents(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	if w := s.call("POST", "/v1/events?source=wms", key, `[`+event("1", "DC-1")+`]`); w.Code != 200 {
		t.Fatal(w.Body)
	}
	for {
		more, err := s.db.NoteCodes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
	}
	got := s.ticket(key, body("item A-1 is not in its bin, and item A-9944 neither; 5 pcs", ""), "1")
	verified := map[string]bool{}
	for _, e := range got.Entities {
		verified[e.Value] = e.Verified
	}
	if !verified["A-1"] || verified["A-9944"] {
		t.Errorf("entities %+v", got.Entities)
	}
}

func TestPagesOfTickets(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	for i := range 5 {
		s.ticket(key, body(fmt.Sprintf("pls call %d", i), ""), fmt.Sprint(i))
	}
	hurt := s.ticket(key, body("man down, injured at dock 4", ""), "hurt")
	type page struct {
		Data       []ticket
		NextCursor string `json:"next_cursor"`
	}
	var ids []string
	for cursor := ""; ; {
		p := read[page](t, s.call("GET", "/v1/tickets?limit=2&cursor="+cursor, key, ""))
		for _, x := range p.Data {
			ids = append(ids, x.ID)
		}
		if cursor = p.NextCursor; cursor == "" {
			break
		}
	}
	if len(ids) != 6 || ids[0] != hurt.ID {
		t.Errorf("%d tickets in pages, the first is %s, want the injury %s", len(ids), ids[0], hurt.ID)
	}
	if got := read[page](t, s.call("GET", "/v1/tickets?owner=nobody", key, "")); len(got.Data) != 0 {
		t.Errorf("%d tickets of nobody", len(got.Data))
	}
	w := s.call("GET", "/v1/tickets?cursor=x", key, "")
	if code, field := problem(t, w); w.Code != 400 || code != "invalid_request" || field != "cursor" {
		t.Errorf("a wrong cursor: %d %s", w.Code, w.Body)
	}
	for _, beyond := range []string{"99999999999.1", "1.9223372036854775807"} {
		if w := s.call("GET", "/v1/tickets?cursor="+beyond, key, ""); w.Code != 200 && w.Code != 400 {
			t.Errorf("a cursor beyond every ticket: %d %s", w.Code, w.Body)
		}
	}
}
