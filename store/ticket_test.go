package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/triage"
	"tallyman/warehouse"
)

// The oracle is what the database must refuse, whatever program connects, and
// that a ticket and its step are there together or not at all.

func take(t *testing.T, db *store.DB, desk *triage.Desk, text, key string) (store.TicketID, error) {
	t.Helper()
	in := &store.Intake{
		ID: store.NewTicketID(), Site: "DC-1", Text: text, ReceivedAt: noon,
		By: store.Asker{APIKey: "k", IdempotencyKey: key, Fingerprint: sha256.Sum256([]byte(text))},
	}
	if err := db.Examine(t.Context(), desk, in); err != nil {
		return "", err
	}
	answer, err := db.TakeTicket(t.Context(), desk.Taxonomy, in, func(*store.TicketLabel) ([]byte, error) { return []byte(in.ID), nil })
	return store.TicketID(answer), err
}

func TestATicketIsTakenOnceWhoeverIsFaster(t *testing.T) {
	db, desk := storetest.DB(t), triage.NewDesk(triage.DefaultTaxonomy(), true)
	var group sync.WaitGroup
	var mu sync.Mutex
	answers := map[store.TicketID]int{}
	for range 8 {
		group.Go(func() {
			id, err := take(t, db, desk, "pls call", "one")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[id]++
		})
	}
	group.Wait()
	if len(answers) != 1 {
		t.Errorf("one key has %d answers", len(answers))
	}
	if _, err := take(t, db, desk, "pls call me", "one"); !errors.Is(err, store.ErrIdempotencyMismatch) {
		t.Errorf("the key with another text: %v", err)
	}
	list, err := db.Tickets(t.Context(), store.TicketFilter{Key: &store.APIKey{}}, store.TicketCursor{}, 10)
	if err != nil || len(list) != 1 || list[0].StepState != guardrails.Pending {
		t.Errorf("%d tickets, %v", len(list), err)
	}
}

func TestOnlyPeopleLowerWhatTheEmbeddedModelRaised(t *testing.T) {
	db, desk := storetest.DB(t), triage.NewDesk(triage.DefaultTaxonomy(), true)
	verdict := triage.Verdict{
		Choice: triage.Choice{Label: "inbound.damaged", P: 0.5}, Abstain: true,
		Alternatives: []triage.Choice{{Label: "safety.incident_or_hazard", P: 0.3}},
	}
	in := &store.Intake{
		ID: store.NewTicketID(), Site: "DC-1", Text: "it came down again", ReceivedAt: noon, Asks: true,
		By:      store.Asker{APIKey: "k", IdempotencyKey: "1"},
		Opinion: triage.Opinion{Verdict: verdict, Settled: desk.Taxonomy.Settle(verdict)},
	}
	_, err := db.TakeTicket(t.Context(), desk.Taxonomy, in, func(*store.TicketLabel) ([]byte, error) { return []byte(in.ID), nil })
	if err != nil {
		t.Fatal(err)
	}
	ask := &store.TicketAsk{Sent: in.Text, Shortlist: []string{"inbound.damaged"}}
	if err := db.BeginAsk(t.Context(), in.ID, ask); err != nil {
		t.Fatal(err)
	}
	score := 0.9
	ask.Reason, ask.PromptHash, ask.Score, ask.Label = store.Answered, "p", &score, "inbound.damaged"
	if err := db.SettleAsk(t.Context(), desk.Taxonomy, in.ID, ask, &store.TicketLabel{Label: "inbound.damaged", Path: store.ByLLM, Why: "it says so"}, true); err != nil {
		t.Fatal(err)
	}
	ticket, err := db.Ticket(t.Context(), in.ID)
	if r := ticket.Current.Routing; err != nil || r.Label != "inbound.damaged" || r.Severity != triage.S1 || !r.Immediate {
		t.Errorf("the language model's label routes %+v, want damaged with the signal of safety: %v", r, err)
	}
}

func TestATicketWithoutAnAnswerLeavesNothing(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := openBoth(t, dsn)
	desk := triage.NewDesk(triage.DefaultTaxonomy(), true)
	in := &store.Intake{ID: store.NewTicketID(), Site: "DC-1", Text: "pls call", ReceivedAt: noon, By: store.Asker{APIKey: "k", IdempotencyKey: "1"}}
	if err := db.Examine(t.Context(), desk, in); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("no answer")
	_, err := db.TakeTicket(t.Context(), desk.Taxonomy, in, func(*store.TicketLabel) ([]byte, error) { return nil, failed })
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	var steps int
	if err := conn.QueryRow(t.Context(), `select count(*) from step`).Scan(&steps); err != nil || steps != 0 {
		t.Errorf("%d steps are left, %v", steps, err)
	}
	if _, err := db.Ticket(t.Context(), in.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the ticket: %v", err)
	}
}

// openBoth opens a database as the program, and as its owner.
func openBoth(t *testing.T, dsn string) (*store.DB, *pgx.Conn) {
	t.Helper()
	db := storetest.Open(t, dsn)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return db, conn
}

func TestWhatTheDatabaseHoldsOfTickets(t *testing.T) {
	db, conn := openBoth(t, storetest.DSN(t))
	desk := triage.NewDesk(triage.DefaultTaxonomy(), true)
	hurt, err := take(t, db, desk, "picker injured, bleeding, dock 4; seal was cut and phones stolen", "1")
	if err != nil {
		t.Fatal(err)
	}
	other, err := take(t, db, desk, "pls call", "2")
	if err != nil {
		t.Fatal(err)
	}
	relabel := `insert into ticket_label (ticket_id, seq, taxonomy, label, path, alternatives, why, secondary, owner, copies, severity, restricted,
			immediate, signals, facts, model_hash, step_id)
		select ticket_id, %d, taxonomy, '%s', 'embedded', '[]', 'x', '{}', 'triage', '{}', %d, %t, false, '{}', '{}', model_hash, step_id
		from ticket_label where ticket_id = '` + string(hurt) + `' and seq = 1`
	for _, c := range []struct{ name, sql, constraint string }{
		{"a label that no taxonomy has", fmt.Sprintf(relabel, 2, "made.up", 1, true), "ticket_label_taxonomy_label_fkey"},
		{"a less urgent label", fmt.Sprintf(relabel, 2, "unclear", 2, true), "ticket_label_floor"},
		{"a label with more readers", fmt.Sprintf(relabel, 2, "unclear", 1, false), "ticket_label_floor"},
		{"a label out of order", fmt.Sprintf(relabel, 3, "unclear", 1, true), "ticket_label_order"},
		{"another text", `update ticket set body = 'x' where id = '` + string(hurt) + `'`, "ticket_immutable"},
		{"another answer", `update ticket set answer = 'x' where id = '` + string(hurt) + `'`, "ticket_immutable"},
		{"a label rewritten", `update ticket_label set label = 'unclear'`, "ticket_label_immutable"},
		{"a label deleted", `delete from ticket_label`, "ticket_label_immutable"},
		{"a ticket deleted", `delete from ticket`, "ticket_immutable"},
		{"merged into a less urgent one", `update ticket set status = 'merged', merged_into = '` + string(other) + `' where id = '` + string(hurt) + `'`, "ticket_merge"},
		{"merged into itself", `update ticket set status = 'merged', merged_into = id where id = '` + string(other) + `'`, "ticket_merged"},
		{"resolved without words", `update ticket set status = 'resolved' where id = '` + string(other) + `'`, "ticket_resolved"},
		{"asked anew", `update ticket set asking = 'no' where id = '` + string(other) + `'`, "ticket_asking_once"},
		{"a label skipped", `update ticket set label_seq = 3 where id = '` + string(other) + `'`, "ticket_label_order"},
		{"an entity with a wrong check digit", `insert into ticket_entity values ('` + string(other) + `', 90, 'sscc', '1', '', false)`, "ticket_entity_verified"},
		{"a ticket like itself", `insert into ticket_link values ('DC-1', '` + string(other) + `', '` + string(other) + `', 'similar', 1)`, "ticket_link_self"},
	} {
		_, err := conn.Exec(t.Context(), c.sql)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.ConstraintName != c.constraint {
			t.Errorf("%s: %v, want constraint %s", c.name, err, c.constraint)
		}
	}
	for _, table := range []string{"ticket_label", "ticket_event", "ticket_entity", "ticket_link", "taxonomy"} {
		if _, err := conn.Exec(t.Context(), `set role tallyman_app; delete from `+table); err == nil {
			t.Errorf("the program may delete from %s", table)
		}
		if _, err := conn.Exec(t.Context(), `reset role`); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := db.Invariants(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("invariants: %+v, %v", found, err)
	}
}

// Requests side by side spend what there is, and not one more.
func TestBudgetsHoldToOneRequest(t *testing.T) {
	db := storetest.DB(t)
	most, day := store.Spend{Tokens: 100, Nanos: 7}, store.Spend{Tokens: 1050, Nanos: 1000}
	for round, want := range []int64{10, 9} { // each uses 10 of the 100 tokens that it may
		var granted, refused atomic.Int64
		var group sync.WaitGroup
		var mu sync.Mutex
		var reservations []int64
		for range 32 {
			group.Go(func() {
				id, err := db.ReserveSpend(t.Context(), "DC-1", most, day)
				switch {
				case errors.Is(err, store.ErrBudget):
					refused.Add(1)
				case err != nil:
					t.Error(err)
				default:
					granted.Add(1)
					mu.Lock()
					reservations = append(reservations, id)
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if granted.Load() != want || refused.Load() != 32-want {
			t.Errorf("round %d: %d granted, %d refused of 32, want %d granted", round, granted.Load(), refused.Load(), want)
		}
		for _, id := range reservations {
			for range 2 { // settling twice is settling once
				if err := db.SettleSpend(t.Context(), id, store.Spend{Tokens: 10, Nanos: 1}); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if _, err := db.ReserveSpend(t.Context(), "DC-1", store.Spend{Tokens: 1, Nanos: 1001}, day); !errors.Is(err, store.ErrBudget) {
		t.Errorf("more money than there is: %v", err)
	}
	if _, err := db.ReserveSpend(t.Context(), "DC-2", most, day); err != nil {
		t.Errorf("another site: %v", err)
	}
	requests, spent, err := db.Spent(t.Context(), "DC-1", time.Now())
	if err != nil || requests != 19 || spent != (store.Spend{Tokens: 190, Nanos: 19}) {
		t.Errorf("spent %+v in %d requests, %v", spent, requests, err)
	}
	if found, err := db.Invariants(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("invariants: %+v, %v", found, err)
	}
}

func TestCodesAreThoseOfTheEvents(t *testing.T) {
	db := storetest.DB(t)
	e := count("1", "DC-1", 3)
	e.SKU, e.Lot, e.Order, e.Load = "sku-9x", "LOT7", "PO-1", "ASN-5"
	if _, err := db.Ingest(t.Context(), []warehouse.Event{e}); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		var err error
		if more, err = db.NoteCodes(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	asked := []store.Code{{triage.StockItem, "SKU-9X"}, {triage.Lot, "LOT7"}, {triage.PurchaseOrder, "PO-1"}, {triage.ShipNotice, "ASN-5"}, {triage.StockItem, "LOT7"}}
	known, err := db.KnownCodes(t.Context(), "DC-1", asked)
	if err != nil || len(known) != 4 || known[asked[4]] {
		t.Errorf("known %+v, %v", known, err)
	}
	if known, err := db.KnownCodes(t.Context(), "DC-2", asked); err != nil || len(known) != 0 {
		t.Errorf("at another site %+v, %v", known, err)
	}
}

func TestARehearsalLeavesNothing(t *testing.T) {
	db := storetest.DB(t)
	desk := triage.NewDesk(triage.DefaultTaxonomy(), true)
	if err := db.RehearseTickets(t.Context(), desk, time.Now()); err != nil {
		t.Fatal(err)
	}
	sites, err := db.Sites(t.Context())
	if err != nil || len(sites) != 0 {
		t.Errorf("sites %+v, %v, want none", sites, err)
	}
	found, err := db.Tickets(t.Context(), store.TicketFilter{}, store.TicketCursor{}, 10)
	if err != nil || len(found) != 0 {
		t.Errorf("tickets %+v, %v, want none", found, err)
	}
	if found, err := db.Invariants(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("invariants: %+v, %v", found, err)
	}
}
