package jobs

// The oracle is the journal of a receiver, which says what was really carried
// out and how often, and the invariants that the database is asked for after
// every attack. Attempts are made one by one; what would be waited for is made
// due by the owner of the tables.

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
	"tallyman/webhook"
)

// world is a database, one target "wms" and the worker that sends to it.
type world struct {
	*testing.T
	db       *store.DB
	owner    *pgx.Conn
	sender   *sender
	receiver *webhook.Receiver
	mu       sync.Mutex
	effects  map[string][]string // bodies by key
}

type option func(*store.Target)

func careless(t *store.Target) { t.Idempotent, t.QueryURL = false, "" }

func newWorld(t *testing.T, options ...option) *world {
	t.Helper()
	dsn := storetest.DSN(t)
	db := storetest.Open(t, dsn)
	owner, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.WithoutCancel(t.Context())) })
	w := &world{T: t, db: db, owner: owner, effects: map[string][]string{}}
	w.receiver = &webhook.Receiver{Now: time.Now, Journal: func(line []byte) error {
		var e webhook.Effect
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.effects[e.Key] = append(w.effects[e.Key], string(e.Body))
		return nil
	}}
	server := httptest.NewServer(w.receiver)
	t.Cleanup(server.Close)
	target := store.Target{
		Name: "wms", URL: server.URL, QueryURL: server.URL, Idempotent: true, Private: true,
		Sites: []warehouse.Site{"*"}, Kinds: []guardrails.Kind{guardrails.KindCountPosition, guardrails.KindInventoryAdjustment},
	}
	for _, o := range options {
		o(&target)
	}
	w.receiver.Careless = !target.Idempotent
	secret, err := db.AddTarget(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	w.receiver.Secrets = [][]byte{secret}
	w.sender = &sender{db: db, out: webhook.NewClient(500 * time.Millisecond), clock: time.Now, log: slog.New(slog.DiscardHandler)}
	return w
}

func (w *world) exec(sql string, args ...any) {
	w.Helper()
	if _, err := w.owner.Exec(w.Context(), sql, args...); err != nil {
		w.Fatalf("%s: %v", sql, err)
	}
}

func (w *world) fail(texts ...string) {
	w.Helper()
	var faults []webhook.Fault
	for _, text := range texts {
		f, err := webhook.ParseFault(text)
		if err != nil {
			w.Fatal(err)
		}
		faults = append(faults, f)
	}
	w.receiver.Fail(faults...)
}

func (w *world) person(role guardrails.Role) store.By {
	w.Helper()
	var id guardrails.PersonID
	err := w.owner.QueryRow(w.Context(), `
		with p as (insert into person (name, refs_known) values ('p', true) returning id)
		insert into role_grant (person_id, role, site, unlimited, origin)
		select id, $1, '*', true, 'command' from p
		returning person_id`, role).Scan(&id)
	if err != nil {
		w.Fatal(err)
	}
	return store.By{Person: id, Session: "s", AuthenticatedAt: time.Now().Add(-time.Second)}
}

func (w *world) propose(a guardrails.Action) store.Step {
	w.Helper()
	s, err := w.db.Propose(w.Context(), recommendation(a), store.Source{})
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func recommendation(a guardrails.Action) guardrails.Recommendation {
	return guardrails.Recommendation{
		Site: "DC-1", Action: a,
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "key:k"}, {Part: guardrails.Counter, Ref: "floor-1"}},
		Facts:   guardrails.Facts{ValueMinor: 1000, Currency: "EUR", VariancePPM: 1000, Class: "B"},
	}
}

func count(sku string) guardrails.Action {
	return &guardrails.CountPosition{Location: "A-1", SKU: warehouse.SKU(sku)}
}

// approve has as many people approve as the step asks for.
func (w *world) approve(s store.Step) store.Step {
	w.Helper()
	var err error
	for _, slot := range s.Requirement.Slots {
		for range slot.Count {
			s, err = w.db.Decide(w.Context(), s.ID, w.person(slot.Role), guardrails.Approve{Binding: s.Binding, Slot: slot.Role})
			if err != nil {
				w.Fatal(err)
			}
		}
	}
	if s.State != guardrails.Approved {
		w.Fatalf("step %s is %s: %s", s.ID, s.State, s.Reason)
	}
	return s
}

// work makes one attempt.
func (w *world) work(s store.Step) error {
	return w.sender.Work(w.Context(), &river.Job[store.ExecuteArgs]{Args: store.ExecuteArgs{Step: string(s.ID)}, JobRow: &rivertype.JobRow{}})
}

// run makes attempts until nothing is on its way, at most n.
func (w *world) run(s store.Step, n int) store.Step {
	w.Helper()
	for range n {
		w.due()
		if err := w.work(s); err != nil {
			w.Fatal(err)
		}
		w.sender.breakers = webhook.Breakers{}
	}
	return w.step(s)
}

func (w *world) due() {
	w.Helper()
	w.exec(`update execution set next_attempt_at = clock_timestamp() where state in ('queued', 'unknown')`)
}

// crash makes a worker claim and never report, and time pass.
func (w *world) crash(s store.Step) store.Execution {
	w.Helper()
	e, err := w.db.ClaimExecution(w.Context(), s.ID, "dead")
	if err != nil {
		w.Fatal(err)
	}
	w.exec(`update execution set changed_at = changed_at - interval '10 minutes' where state = 'sending'`)
	return e
}

func (w *world) reconcile() {
	w.Helper()
	if _, err := w.db.ReconcileExecutions(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) step(s store.Step) store.Step {
	w.Helper()
	s, err := w.db.Step(w.Context(), s.ID)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// ends asserts the state of a step, how often its operation was carried out, and
// every invariant.
func (w *world) ends(s store.Step, want guardrails.State, effects int) {
	w.Helper()
	s = w.step(s)
	key := guardrails.IdempotencyKey(s.ID, 0, s.Payload, false)
	w.mu.Lock()
	got := len(w.effects[key])
	w.mu.Unlock()
	if s.State != want || got != effects {
		w.Errorf("the step is %s (%s) and was carried out %d times; want %s and %d", s.State, s.Reason, got, want, effects)
	}
	w.sound()
}

func (w *world) sound() {
	w.Helper()
	found, err := w.db.Invariants(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	for _, v := range found {
		w.Errorf("%s is broken (%s): %s", v.Invariant, v.Means, v.Row)
	}
}

func codeOf(err error) guardrails.Code {
	if r, ok := errors.AsType[*guardrails.Refusal](err); ok {
		return r.Code
	}
	return ""
}
