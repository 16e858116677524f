package jobs_test

// The oracle of these tests is the store: what is in it decides what the live
// state knows, what is in force and what a site is told to count.

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"math"
	"testing"
	"time"

	"tallyman/features"
	"tallyman/fixtures"
	"tallyman/jobs"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

func logger(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
}

// history imports a simulated one that ends the day before now.
func history(t *testing.T, db *store.DB, skus, days int) {
	t.Helper()
	world, err := fixtures.New(fixtures.Config{Sites: 2, SKUs: skus, Days: days, Seed: 3, End: now.AddDate(0, 0, -1), CountEvery: [3]int{7, 14, 28}})
	if err != nil {
		t.Fatal(err)
	}
	next, stop := iter.Pull(world.Events())
	defer stop()
	err = db.Import(t.Context(), func() (warehouse.Event, error) {
		e, ok := next()
		if !ok {
			return e, io.EOF
		}
		return e, nil
	}, func(store.Imported) {})
	if err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, db *store.DB) *scoring.Engine {
	t.Helper()
	engine, err := jobs.Load(t.Context(), db, now)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func ingest(t *testing.T, db *store.DB, events ...warehouse.Event) store.Seq {
	t.Helper()
	outcomes, err := db.Ingest(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes[len(outcomes)-1].Seq
}

// receipt puts ten units at a place.
func receipt(id string, at time.Time) warehouse.Event {
	return warehouse.Event{Source: "wms", ID: id, Type: warehouse.Receipt, OccurredAt: at, Site: "S", SKU: "A", To: "L", Qty: warehouse.Some(10_000)}
}

// book is what the engine takes for the stock of that place.
func book(engine *scoring.Engine, at time.Time) float32 {
	e, _ := engine.Evaluate(scoring.Request{Kind: scoring.StockPosition, Site: "S", Lines: []scoring.LineRequest{{SKU: "A", Location: "L"}}}, at)
	schema := features.NewSchema(features.PositionSubject)
	return e.Lines[0].Vector[schema.Index("book")]
}

func TestLoadKnowsWhatIsRecorded(t *testing.T) {
	db := storetest.DB(t)
	if engine := load(t, db); engine.Watermark() != 0 {
		t.Errorf("an empty store has watermark %d", engine.Watermark())
	}
	ingest(t, db, receipt("1", now.AddDate(0, -1, 0)), receipt("2", now.Add(time.Hour)))
	engine := load(t, db)
	if got := engine.Watermark(); got != 2 {
		t.Errorf("watermark %d, want 2", got)
	}
	if got := book(engine, now); got != 10 {
		t.Errorf("before the second receipt the book is %g, want 10", got)
	}
	if got := book(engine, now.Add(2*time.Hour)); got != 20 {
		t.Errorf("after it the book is %g, want 20", got)
	}
}

func TestFollowFoldsWhatComes(t *testing.T) {
	db := storetest.DB(t)
	engine := load(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		jobs.Follow(ctx, db, engine, clock, logger(t))
	}()
	ingest(t, db, receipt("1", now.AddDate(0, 0, -1)))
	seq := ingest(t, db, receipt("late", now.AddDate(0, 0, -30)))
	await(t, func() bool { return engine.Watermark() == int64(seq) })
	if got := book(engine, now); got != 20 {
		t.Errorf("the book is %g, want 20", got)
	}
	cancel()
	<-ended
	ingest(t, db, receipt("3", now.AddDate(0, 0, -1)))
	if got := engine.Watermark(); got != int64(seq) {
		t.Errorf("after its end it went on to %d", got)
	}
}

// await returns when something that another goroutine does has happened.
func await(t *testing.T, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-tick.C:
		}
	}
}

func TestRankMakesAQueue(t *testing.T) {
	db := storetest.DB(t)
	history(t, db, 30, 60)
	engine := load(t, db)
	sites, err := db.Sites(t.Context())
	if err != nil || len(sites) != 2 {
		t.Fatalf("sites %v: %v", sites, err)
	}
	site := sites[0]
	rank := func(engine *scoring.Engine, at time.Time) (store.Ranking, []store.QueueRow) {
		t.Helper()
		if err := jobs.Rank(t.Context(), db, engine, site.Code, at); err != nil {
			t.Fatal(err)
		}
		r, err := db.Ranking(t.Context(), site.Code)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := db.Queue(t.Context(), r.ID, store.QueueFilter{}, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return r, rows
	}
	r, rows := rank(engine, now)
	if int64(r.Watermark) != engine.Watermark() || !r.AsOf.Equal(now) || r.Model != 0 || len(rows) < 20 {
		t.Fatalf("ranking %+v of %d rows", r, len(rows))
	}
	seen := map[warehouse.Position]bool{}
	for i, row := range rows {
		if row.Rank != i+1 || seen[row.Position] || row.Position.Site != site.Code || row.State != "pending" {
			t.Errorf("row %d: %+v", i, row)
		}
		if row.Loss.Currency != "" && row.Loss.Currency != site.Currency {
			t.Errorf("row %d: loss in %s at a site that counts in %s", i, row.Loss.Currency, site.Currency)
		}
		if !(row.Propensity > 0 && row.Propensity <= 1) || !(row.Probability >= 0 && row.Probability <= 1) || !(row.Minutes > 0) {
			t.Errorf("row %d: propensity %g, probability %g, %g minutes", i, row.Propensity, row.Probability, row.Minutes)
		}
		seen[row.Position] = true
	}

	ingest(t, db, receipt("new", now.Add(-time.Hour)))
	newer, _ := rank(load(t, db), now)
	if newer.ID == r.ID || newer.Watermark <= r.Watermark {
		t.Errorf("after a new event the ranking is %+v", newer)
	}
	if kept, _ := rank(engine, now.Add(time.Hour)); kept.ID != newer.ID {
		t.Errorf("a ranking that knows less took the place of ranking %d", newer.ID)
	}
}

func TestRankOfASiteNeverHeardOf(t *testing.T) {
	db := storetest.DB(t)
	if err := jobs.Rank(t.Context(), db, load(t, db), "NOWHERE", now); err == nil {
		t.Error("no error")
	}
}

func TestWorkRanksSitesAsEventsCome(t *testing.T) {
	db := storetest.DB(t)
	ingest(t, db, receipt("before", now.AddDate(0, 0, -2)))
	engine := load(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- jobs.Work(ctx, db, engine, clock, logger(t)) }()
	go jobs.Follow(ctx, db, engine, clock, logger(t))
	seq := ingest(t, db, receipt("after", now.AddDate(0, 0, -1)))
	await(t, func() bool {
		r, err := db.Ranking(t.Context(), "S")
		return err == nil && r.Watermark == seq
	})
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTrainNeedsHistory(t *testing.T) {
	db := storetest.DB(t)
	history(t, db, 10, 10)
	done, err := jobs.Train(t.Context(), db, now, 1, true, slog.New(slog.DiscardHandler))
	if err != nil || len(done.Skipped) != 3 {
		t.Errorf("skipped %v: %v", done.Skipped, err)
	}
	if champions, err := db.Champions(t.Context()); err != nil || len(champions) != 0 {
		t.Errorf("in force: %v, %v", champions, err)
	}
}

func TestTrainPutsTheFirstModelsInForce(t *testing.T) {
	db := storetest.DB(t)
	history(t, db, 40, 90)
	log := slog.New(slog.DiscardHandler)
	if done, err := jobs.Train(t.Context(), db, now, 1, false, log); err != nil || len(done.Waiting) != 3 || len(done.Installed) != 0 {
		t.Fatalf("without a word of the operator: %+v, %v", done, err)
	}
	if _, err := jobs.Train(t.Context(), db, now, 1, true, log); err != nil {
		t.Fatal(err)
	}
	champions, err := db.Champions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	engine := load(t, db)
	inForce := map[int64]bool{}
	for _, v := range engine.Versions() {
		inForce[v.Model] = true
	}
	found := false
	for _, m := range champions {
		found = found || m.Outcome == string(scoring.Variance)
		if !inForce[int64(m.ID)] || len(m.SchemaHash) == 0 || !m.DataUntil.After(m.DataFrom) || m.DataUntil.After(now) {
			t.Errorf("champion %+v; in force are %v", m, inForce)
		}
	}
	if !found {
		t.Fatalf("no model of variances among %+v", champions)
	}
	scored := 0
	sites, _ := db.Sites(t.Context())
	err = engine.Positions(sites[0].Code, now, func(c scoring.Candidate) bool {
		scored++
		if !(c.Probability > 0 && c.Probability < 1) || math.IsNaN(c.Units) {
			t.Errorf("%+v", c)
		}
		return true
	})
	if err != nil || scored == 0 {
		t.Errorf("%d positions: %v", scored, err)
	}
}
