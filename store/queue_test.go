package store_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

// queue returns n rows, the first positions of a site in another order for
// every shift.
func queue(n, shift int) []store.QueueRow {
	rows := make([]store.QueueRow, n)
	for i := range rows {
		p := (i + shift) % n
		rows[i] = store.QueueRow{
			Rank:     i + 1,
			Position: warehouse.Position{Site: "DC-1", Location: warehouse.Location(fmt.Sprintf("A-%02d", p)), SKU: `S,"1"`},
			Zone:     string(rune('A' + i%3)), Class: string(rune('X' + i%2)),
			Probability: 0.5, Size: 12.5, Loss: warehouse.Money{Minor: int64(1000 - i), Currency: "EUR"},
			Minutes: 2.5, ValuePerMinute: 4, LastCount: noon.Add(-time.Hour), Book: warehouse.Some(-3000),
			Reasons: []store.Reason{
				{Code: "DAYS_SINCE_COUNT", Text: `Not counted for 90 "days".`, Contribution: 0.4, Value: 90},
				{Code: "FEATURE_MISSING", Text: "No supplier.", Contribution: -0.1, Value: math.NaN()},
			},
			Control: i%20 == 0, Propensity: 0.05, Vector: []float32{1, float32(math.NaN())},
			State: guardrails.Pending,
		}
	}
	return rows
}

func replace(t *testing.T, db *store.DB, watermark store.Seq, rows []store.QueueRow) store.RankingID {
	t.Helper()
	id, err := db.ReplaceQueue(t.Context(), store.Ranking{Site: "DC-1", AsOf: noon, Watermark: watermark}, rows)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func read(t *testing.T, db *store.DB, id store.RankingID, f store.QueueFilter, after, limit int) []store.QueueRow {
	t.Helper()
	rows, err := db.Queue(t.Context(), id, f, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func queueDB(t *testing.T) (*store.DB, string) {
	t.Helper()
	dsn := storetest.DSN(t)
	db := open(t, dsn)
	ingest(t, db, count("e", "DC-1", 1))
	return db, dsn
}

func TestQueueReadsBack(t *testing.T) {
	db, _ := queueDB(t)
	if _, err := db.Ranking(t.Context(), "DC-1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no ranking yet: %v", err)
	}
	want := queue(50, 0)
	want[3].LastCount, want[3].Book, want[3].Loss, want[3].Reasons = time.Time{}, warehouse.MaybeQty{}, warehouse.Money{}, nil
	id := replace(t, db, 1, want)
	r, err := db.Ranking(t.Context(), "DC-1")
	if err != nil || r.ID != id || r.Watermark != 1 || !r.AsOf.Equal(noon) || r.Model != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	var got []store.QueueRow
	for after := 0; ; {
		page := read(t, db, id, store.QueueFilter{}, after, 7)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		after = page[len(page)-1].Rank
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(store.QueueRow{}, "Step"), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s, err := db.Step(t.Context(), got[4].Step); err != nil || s.State != guardrails.Pending ||
		cmp.Diff([]string{"A-04", `S,"1"`}, s.Subject) != "" || s.Kind != guardrails.KindCountPosition {
		t.Errorf("step %+v, %v", s, err)
	}
	if got := read(t, db, id, store.QueueFilter{Zone: "B", Class: "Y"}, 0, 100); len(got) != 9 || got[0].Rank != 2 || got[1].Rank != 8 {
		t.Errorf("zone B, class Y: %d rows", len(got))
	}
	zones, classes, err := db.QueueFacets(t.Context(), id)
	if err != nil || cmp.Diff([]store.Facet{{"A", 17}, {"B", 17}, {"C", 16}}, zones) != "" || cmp.Diff([]store.Facet{{"X", 25}, {"Y", 25}}, classes) != "" {
		t.Errorf("zones %v, classes %v, %v", zones, classes, err)
	}
}

// supervisor makes a person who may decide about counts at DC-1.
func supervisor(tb testing.TB, conn *pgx.Conn) guardrails.PersonID {
	tb.Helper()
	var id guardrails.PersonID
	err := conn.QueryRow(tb.Context(), `
		with p as (insert into person (name, refs_known) values ('Sam', true) returning id)
		insert into role_grant (person_id, role, site, unlimited, origin)
		select id, 'supervisor', 'DC-1', true, 'command'
		from p
		returning person_id`).Scan(&id)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func binding(t *testing.T, db *store.DB, id guardrails.StepID) guardrails.Hash {
	t.Helper()
	s, err := db.Step(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s.Binding
}

func TestReplaceQueue(t *testing.T) {
	db, dsn := queueDB(t)
	conn := connect(t, dsn)
	first := replace(t, db, 1, queue(10, 0))
	taken := read(t, db, first, store.QueueFilter{}, 0, 3)
	p := supervisor(t, conn)
	by := store.By{Person: p, Session: "s", AuthenticatedAt: time.Now()}
	for i, cmd := range []guardrails.Command{
		guardrails.Reassign{To: p},
		guardrails.AskChanges{Binding: binding(t, db, taken[1].Step), Reason: "which lot?"},
		guardrails.Reject{Binding: binding(t, db, taken[2].Step), Reason: "counted this morning"},
	} {
		if _, err := db.Decide(t.Context(), taken[i].Step, by, cmd); err != nil {
			t.Fatal(err)
		}
	}

	second := replace(t, db, 2, queue(10, 5))
	for i, want := range []guardrails.State{guardrails.Pending, guardrails.ChangesRequested, guardrails.Rejected} {
		if s, err := db.Step(t.Context(), taken[i].Step); err != nil || s.State != want {
			t.Errorf("a step that was %s is %s, %v", want, s.State, err)
		}
	}
	rows := read(t, db, second, store.QueueFilter{}, 0, 100)
	if len(rows) != 7 {
		t.Fatalf("%d rows, want 10 less the assigned, the returned and the rejected one", len(rows))
	}
	for _, r := range rows {
		if l := r.Position.Location; l == "A-00" || l == "A-01" || l == "A-02" {
			t.Errorf("%s is proposed again while people are at it, or right after their no", l)
		}
	}
	for _, r := range read(t, db, first, store.QueueFilter{}, 3, 100) {
		if r.State != guardrails.Superseded {
			t.Errorf("rank %d of the first ranking is %s", r.Rank, r.State)
		}
	}
	stale := store.Ranking{Site: "DC-1", AsOf: noon, Watermark: 1}
	if _, err := db.ReplaceQueue(t.Context(), stale, queue(10, 0)); !errors.Is(err, store.ErrStaleRanking) {
		t.Errorf("an older ranking: %v", err)
	}
	if r, err := db.Ranking(t.Context(), "DC-1"); err != nil || r.ID != second {
		t.Errorf("current is %+v, %v", r, err)
	}
	replace(t, db, 2, nil) // nothing to count
	if n, err := db.PruneQueues(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d proposals are pruned that may be on a screen, %v", n, err)
	}
	exec(t, conn, `update ranking set created_at = created_at - interval '2 hours'`)
	if n, err := db.PruneQueues(t.Context()); n == 0 || err != nil {
		t.Fatalf("%d proposals are pruned, %v", n, err)
	}
	var steps, rankings int
	if err := conn.QueryRow(t.Context(), `select (select count(*) from step), (select count(*) from ranking)`).Scan(&steps, &rankings); err != nil || steps != 3 || rankings != 2 {
		t.Errorf("%d steps and %d rankings after pruning, %v; want the three touched and their ranking beside the current", steps, rankings, err)
	}
}

func TestReplaceQueueRace(t *testing.T) {
	db, dsn := queueDB(t)
	var group errgroup.Group
	for i := range 12 {
		group.Go(func() error {
			r := store.Ranking{Site: "DC-1", AsOf: noon, Watermark: store.Seq(1 + i/2)}
			_, err := db.ReplaceQueue(t.Context(), r, queue(40, i))
			if errors.Is(err, store.ErrStaleRanking) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	r, err := db.Ranking(t.Context(), "DC-1")
	if err != nil || r.Watermark != 6 {
		t.Errorf("current %+v, %v; want watermark 6", r, err)
	}
	if got := read(t, db, r.ID, store.QueueFilter{}, 0, 100); len(got) != 40 || got[0].State != guardrails.Pending {
		t.Errorf("%d rows", len(got))
	}
	var live int
	if err := connect(t, dsn).QueryRow(t.Context(), `select count(*) from step where state = 'pending'`).Scan(&live); err != nil || live != 40 {
		t.Errorf("%d pending steps, %v", live, err)
	}
}
