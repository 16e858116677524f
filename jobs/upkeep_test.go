package jobs

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

func (w *world) count(query string, args ...any) (n int) {
	w.Helper()
	if err := w.owner.QueryRow(w.Context(), query, args...).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// later does something as if hours had passed: what the triggers hold is not asked.
func (w *world) later(sql string, args ...any) {
	w.Helper()
	w.exec(`set session_replication_role = replica`)
	w.exec(sql, args...)
	w.exec(`set session_replication_role = origin`)
}

// A service that runs ranks a quiet site anew before its queue runs out, and does not
// keep every queue that there ever was.
func TestWorkKeepsQueues(t *testing.T) {
	w := newWorld(t)
	at := time.Now().Add(-48 * time.Hour)
	w.ingest(
		warehouse.Event{Type: warehouse.Receipt, ID: "1", Source: "wms", Site: "DC-1", SKU: "S", To: "A-1", OccurredAt: at, Qty: warehouse.Some(10_000)},
		warehouse.Event{Type: warehouse.Receipt, ID: "2", Source: "wms", Site: "DC-1", SKU: "T", To: "A-2", OccurredAt: at, Qty: warehouse.Some(10_000)})
	engine, err := Load(t.Context(), w.db, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := Rank(t.Context(), w.db, engine, "DC-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	// One of the replaced proposals had been taken up: it stays.
	w.later(`update step set touched_at = now(), audited = 1 where id = (select min(id) from step where state = 'superseded')`)
	w.later(`update ranking set created_at = created_at - interval '13 hours'`)
	quiet, err := w.db.Ranking(t.Context(), "DC-1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Work(ctx, w.db, engine, time.Now, w.sender.log) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := w.db.Ranking(t.Context(), "DC-1")
		if err == nil && r.ID != quiet.ID && w.count(`select count(*) from step where state = 'superseded'`) <= 3 && w.count(`select count(*) from ranking`) <= 3 {
			break
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the queue was left alone")
		case <-tick.C:
		}
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := w.count(`select count(*) from step where touched_at is not null`); n != 1 {
		t.Errorf("%d steps that people touched are left", n)
	}
}

// Proposals with half of their life behind them are stale too, whatever the policy says.
func TestProposalsDoNotRunOut(t *testing.T) {
	w := newWorld(t)
	s, _ := w.ranked()
	stale := func() int {
		t.Helper()
		n, err := w.db.RankStale(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := stale(); n != 0 {
		t.Errorf("%d stale sites right after ranking", n)
	}
	life := `update step set created_at = now() - $2::interval, expires_at = now() + $3::interval where id = $1`
	w.later(life, s.ID, 31*time.Minute, 29*time.Minute)
	if n := stale(); n != 1 {
		t.Errorf("%d stale sites when proposals are half over", n)
	}
	w.later(life, s.ID, time.Hour, -time.Minute)
	if n, err := w.db.ExpireDue(t.Context()); n != 0 || err != nil {
		t.Errorf("%d untouched proposals expired one by one, %v", n, err)
	}
}

func TestAnExpiredHoldIsProposedAnewOrNotExpired(t *testing.T) {
	w := newWorld(t)
	s, other := w.propose(&guardrails.InventoryAdjustment{Location: "A-1", SKU: "S", Book: 10_000, Counted: 9_000, Reason: "count"}), w.propose(count("T"))
	w.later(`update step set expires_at = clock_timestamp() - interval '1 second' where id = $1`, s.ID)
	w.exec(`create function fail() returns trigger language plpgsql as $$ begin raise exception 'disk full'; end $$`)
	w.later(`update step set expires_at = clock_timestamp() where id = $1`, other.ID)
	w.exec(`create trigger fail before insert on recommendation for each row execute function fail()`)
	if n, err := w.db.ExpireDue(t.Context()); n != 1 || err == nil {
		t.Errorf("%d steps expired, %v; want the other alone", n, err)
	}
	w.ends(other, guardrails.Expired, 0)
	if got := w.step(s); got.State != guardrails.Pending {
		t.Errorf("what could not be proposed anew is %s", got.State)
	}
	w.exec(`drop trigger fail on recommendation`)
	if n, err := w.db.ExpireDue(t.Context()); n != 1 || err != nil {
		t.Errorf("%d steps expired, %v", n, err)
	}
	w.ends(s, guardrails.Expired, 0)
	again, err := w.db.InboxSteps(t.Context(), store.Viewer{Person: w.person("supervisor").Person}, store.StepFilter{Live: true}, store.StepCursor{}, 10)
	if err != nil || len(again) != 1 || again[0].State != guardrails.Pending || again[0].Escalation != 1 || again[0].Payload != s.Payload {
		t.Errorf("proposed anew: %+v, %v", again, err)
	}
}

// A site whose ranking failed is not left alone for hours: nothing else ranks it.
func TestAFailedRankingIsSoonTriedAgain(t *testing.T) {
	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	w := &rankWorker{clock: func() time.Time { return at }}
	for attempt := 1; attempt <= 25; attempt++ {
		next := w.NextRetry(&river.Job[store.RankArgs]{JobRow: &rivertype.JobRow{Attempt: attempt}})
		if !next.After(at) || next.Sub(at) > 30*time.Second {
			t.Errorf("after attempt %d the next is at %s", attempt, next)
		}
	}
}
