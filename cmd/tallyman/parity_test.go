package main

// A simulated year is lived through with the real store, follower, rankings,
// models and API: records come late and back-dated, the service is started
// again, models are fitted and put in force. The oracle is history itself: what
// was stored with an answer must be, to the bit, what a replay of every event
// then known gives.

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/api"
	"tallyman/fixtures"
	"tallyman/jobs"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/triage"
	"tallyman/warehouse"
)

func TestWhatWasStoredIsWhatTheHistoryOfThenGives(t *testing.T) {
	l := newLife(t)
	l.live()
	l.stop()
	if l.late < 100 || len(l.asked) < 300 || len(l.rankings) < 20 {
		t.Fatalf("%d late records, %d evaluations, %d rankings: too few to show anything", l.late, len(l.asked), len(l.rankings))
	}
	l.check()
}

// life is a service in simulated time.
type life struct {
	t      *testing.T
	db     *store.DB
	owner  *pgx.Conn
	key    string
	rng    *rand.Rand
	clock  atomic.Int64 // microseconds
	engine *scoring.Engine
	api    http.Handler
	end    func() // of the follower

	now      time.Time
	days     int
	posted   []warehouse.Event // not yet ingested
	held     map[int][]warehouse.Event
	late     int
	newest   store.Seq // ingested
	asked    map[store.EvaluationID]scoring.Request
	heads    map[store.EvaluationID]store.Seq // what was ingested when it was answered
	rankings []store.RankingID
	ranked   map[store.RankingID]store.Ranking
}

func newLife(t *testing.T) *life {
	t.Helper()
	dsn := storetest.DSN(t)
	db := storetest.Open(t, dsn)
	owner, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.WithoutCancel(t.Context())) })
	l := &life{
		t: t, db: db, owner: owner, heads: map[store.EvaluationID]store.Seq{}, rng: rand.New(rand.NewPCG(7, 7)), held: map[int][]warehouse.Event{},
		asked: map[store.EvaluationID]scoring.Request{}, ranked: map[store.RankingID]store.Ranking{},
	}
	if l.key, _, err = l.db.CreateKey(t.Context(), store.APIKey{Name: "test", Env: "test", Scopes: store.Scopes}, time.Hour); err != nil {
		t.Fatal(err)
	}
	l.now = time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC)
	l.start()
	return l
}

// start is what a new process does.
func (l *life) start() {
	l.t.Helper()
	l.clock.Store(l.now.UnixMicro())
	clock := func() time.Time { return time.UnixMicro(l.clock.Load()) }
	log := slog.New(slog.NewTextHandler(l.t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	var err error
	if l.engine, err = jobs.Load(l.t.Context(), l.db, l.now); err != nil {
		l.t.Fatal(err)
	}
	l.api = api.New(l.db, l.engine, triage.NewDesk(triage.DefaultTaxonomy(), false), clock, log)
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		jobs.Follow(ctx, l.db, l.engine, clock, log)
	}()
	l.end = func() { cancel(); <-ended }
}

func (l *life) stop() {
	l.ingest()
	l.end()
}

func (l *life) live() {
	world, err := fixtures.New(fixtures.Config{Sites: 2, SKUs: 20, Days: 365, Seed: 5, End: l.now.AddDate(0, 0, 364)})
	if err != nil {
		l.t.Fatal(err)
	}
	for e := range world.Events() {
		if e.OccurredAt.After(l.now) {
			l.until(e.OccurredAt)
		}
		switch odd := l.rng.IntN(2) == 0; {
		case e.Type == warehouse.Receipt && odd:
			l.ingest()
			l.ask(l.load(&e))
		case e.Type == warehouse.Count && odd:
			l.ingest()
			l.ask(position(&e))
		}
		l.post(e)
	}
}

// until lets time pass, day by day.
func (l *life) until(to time.Time) {
	for day := l.now.Truncate(24*time.Hour).AddDate(0, 0, 1); !day.After(to); day = day.AddDate(0, 0, 1) {
		l.now = day
		l.clock.Store(day.UnixMicro())
		l.posted = append(l.posted, l.held[l.days]...)
		delete(l.held, l.days)
		l.ingest()
		switch l.days++; {
		case l.days == 200:
			l.end()
			if _, err := jobs.Train(l.t.Context(), l.db, l.now, 1, true, quiet()); err != nil {
				l.t.Fatal(err)
			}
			l.start()
		case l.days%30 == 0:
			l.rank()
		}
	}
	l.now = to
	l.clock.Store(to.UnixMicro())
}

// post sends a record, one in fifty of them days late. One in two hundred is
// a correction of what was weeks ago.
func (l *life) post(e warehouse.Event) {
	switch n := l.rng.IntN(200); {
	case n < 4:
		day := l.days + l.rng.IntN(20)
		l.held[day] = append(l.held[day], e)
		l.late++
		return
	case n == 4 && e.Reason != "opening":
		e.OccurredAt = e.OccurredAt.Add(-time.Duration(1+l.rng.IntN(2400)) * time.Hour)
		l.late++
	}
	l.posted = append(l.posted, e)
}

// ingest records what was posted. Every other time it waits until it is folded
// in: an answer may as well be given before that.
func (l *life) ingest() {
	l.t.Helper()
	outcomes, err := l.db.Ingest(l.t.Context(), l.posted)
	if err != nil {
		l.t.Fatal(err)
	}
	l.posted = l.posted[:0]
	if len(outcomes) == 0 {
		return
	}
	// The store stamps what it takes in by the clock on the wall.
	_, err = l.owner.Exec(l.t.Context(), `
		update event set known_at = greatest(occurred_at, $1::timestamptz - interval '1 microsecond')
		where seq > $2`, l.now, l.newest)
	if err != nil {
		l.t.Fatal(err)
	}
	l.newest = outcomes[len(outcomes)-1].Seq
	if l.rng.IntN(2) == 0 {
		return
	}
	newest := int64(l.newest)
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for l.engine.Watermark() < newest && l.t.Context().Err() == nil {
		<-tick.C
	}
}

func (l *life) rank() {
	l.t.Helper()
	sites, err := l.db.Sites(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, s := range sites {
		if err := jobs.Rank(l.t.Context(), l.db, l.engine, s.Code, l.now); err != nil {
			l.t.Fatal(err)
		}
		r, err := l.db.Ranking(l.t.Context(), s.Code)
		if err != nil {
			l.t.Fatal(err)
		}
		l.rankings, l.ranked[r.ID] = append(l.rankings, r.ID), r
	}
}

// load is the question at the first receipt of a load.
func (l *life) load(e *warehouse.Event) scoring.Request {
	return scoring.Request{
		Kind: scoring.InboundLoad, Site: e.Site, OccurredAt: l.now, Load: e.Load, Supplier: e.Supplier, Carrier: e.Carrier,
		Lines: []scoring.LineRequest{
			{Line: e.Line, SKU: e.SKU, Expected: e.Expected, Cost: e.Cost, Attrs: e.Attrs},
			{Line: "unannounced", SKU: "NEVER-SEEN", Scanned: e.Qty},
		},
	}
}

func position(e *warehouse.Event) scoring.Request {
	return scoring.Request{Kind: scoring.StockPosition, Site: e.Site, OccurredAt: e.OccurredAt, Lines: []scoring.LineRequest{
		{SKU: e.SKU, Location: e.Location.At()}, {SKU: e.SKU, Location: "NOWHERE"},
	}}
}

// ask sends the request over HTTP.
func (l *life) ask(q scoring.Request) {
	l.t.Helper()
	type object map[string]any
	var lines []object
	for _, x := range q.Lines {
		line := object{"line": x.Line, "sku": x.SKU, "location": x.Location, "qty_asn": text(x.Expected), "qty_scanned": text(x.Scanned)}
		if x.Cost.Known() {
			line["unit_cost"] = object{"amount": x.Cost.String(), "currency": x.Cost.Currency}
		}
		attrs := object{}
		for _, a := range x.Attrs {
			attrs[a.Name] = a.Value
		}
		line["attributes"] = attrs
		lines = append(lines, line)
	}
	body, err := json.Marshal(object{
		"kind": q.Kind, "site": q.Site, "occurred_at": q.OccurredAt, "lines": lines,
		"references": object{"asn": q.Load}, "parties": object{"supplier": q.Supplier, "carrier_scac": q.Carrier},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(l.t.Context(), http.MethodPost, "/v1/risk-evaluations", strings.NewReader(string(body)))
	r.Header.Set("Authorization", "Bearer "+l.key)
	r.Header.Set("Idempotency-Key", fmt.Sprint(len(l.asked)))
	w := httptest.NewRecorder()
	l.api.ServeHTTP(w, r)
	var answer struct{ ID store.EvaluationID }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		l.t.Fatalf("%s: %d %s", body, w.Code, w.Body)
	}
	l.asked[answer.ID] = q
	l.heads[answer.ID] = l.newest
}

func text(q warehouse.MaybeQty) string {
	if !q.Known {
		return ""
	}
	return q.String()
}

// check replays history once for every evaluation and every ranking.
func (l *life) check() {
	h := readHistory(l.t, l.db)
	learned := readLearned(l.t, l.db)
	var todo []func()
	trained, compared := 0, 0
	err := l.db.Evaluations(l.t.Context(), func(e *store.Evaluation) error {
		kept := *e
		if len(e.Models) > 0 {
			trained++
		}
		todo = append(todo, func() { h.compare(&kept, l.asked[kept.ID]) })
		if kept.Watermark == l.heads[kept.ID] {
			compared += learned.compare(&kept, l.asked[kept.ID])
		}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	if len(todo) != len(l.asked) || trained < 100 {
		l.t.Errorf("%d evaluations are stored of %d, %d with a model", len(todo), len(l.asked), trained)
	}
	if compared < 50 {
		l.t.Errorf("%d answers were compared with what training reads", compared)
	}
	for _, id := range l.rankings {
		todo = append(todo, func() { h.compareQueue(l.db, l.ranked[id]) })
	}
	work := make(chan func())
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for do := range work {
				do()
			}
		})
	}
	for _, do := range todo {
		work <- do
	}
	close(work)
	workers.Wait()
}
