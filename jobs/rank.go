package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"tallyman/counting"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/warehouse"
)

// queueLength is how many positions a site is told to count: more than a day's
// work, so that a supervisor can choose.
const queueLength = 200

// Rank makes the count queue of a site anew.
func Rank(ctx context.Context, db *store.DB, engine *scoring.Engine, site warehouse.Site, now time.Time) error {
	books, err := booksOf(ctx, db)
	if err != nil {
		return err
	}
	asked, err := db.AskedCounts(ctx, site)
	if err != nil {
		return err
	}
	var candidates []counting.Candidate
	err = engine.Positions(site, now, func(c scoring.Candidate) bool {
		if c.Cost.Known() {
			c.Cost.Currency = books[site]
		}
		if candidate := counting.Candidate(c); candidate.Countable() && !asked.Rests(c.Position, c.LastCount) {
			candidates = append(candidates, candidate)
		}
		return ctx.Err() == nil
	})
	if err = errors.Join(err, ctx.Err()); err != nil {
		return fmt.Errorf("rank %s: %w", site, err)
	}
	rows := counting.Rank(candidates, counting.Default(queueLength, uint64(now.UnixNano())), now)
	evaluation, watermark := engine.Evaluate(request(site, rows), now)
	ranking := store.Ranking{Site: site, AsOf: evaluation.AsOf, Watermark: store.Seq(watermark)}
	for _, v := range evaluation.Models {
		if v.Outcome == scoring.Variance {
			ranking.Model = store.ModelID(v.Model)
		}
	}
	_, err = db.ReplaceQueue(ctx, ranking, queueRows(rows, &evaluation))
	if errors.Is(err, store.ErrStaleRanking) {
		return nil // another process knew more
	}
	return err
}

// request asks for the reasons of the rows that are shown.
func request(site warehouse.Site, rows []counting.Row) scoring.Request {
	req := scoring.Request{Kind: scoring.StockPosition, Site: site}
	for _, r := range rows {
		req.Lines = append(req.Lines, scoring.LineRequest{SKU: r.SKU, Location: r.Location})
	}
	return req
}

func queueRows(rows []counting.Row, e *scoring.Evaluation) []store.QueueRow {
	out := make([]store.QueueRow, len(rows))
	for i, r := range rows {
		line := &e.Lines[i]
		out[i] = store.QueueRow{
			Rank: i + 1, Position: r.Position, Zone: r.Zone, Class: string(r.Class),
			Probability: r.Probability, Size: r.Units, Loss: r.Loss, Minutes: r.Minutes, ValuePerMinute: r.ValuePerMinute,
			LastCount: r.LastCount, Book: warehouse.Some(r.Book), Control: r.Control, Propensity: r.Propensity, Vector: line.Vector,
		}
		for _, reason := range line.Reasons {
			out[i].Reasons = append(out[i].Reasons, store.Reason(reason))
		}
	}
	return out
}

// Work ranks sites as their events come in, until ctx ends. A database that is
// away at the start is waited for.
func Work(ctx context.Context, db *store.DB, engine *scoring.Engine, clock func() time.Time, log *slog.Logger) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &rankWorker{db: db, engine: engine, clock: clock})
	client, err := startRiver(ctx, db, &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2}},
		Workers: workers, Logger: log, SoftStopTimeout: 5 * time.Second,
	}, log)
	if err != nil {
		return err
	}
	return workUntil(ctx, db, client.Stop, log)
}

// startRiver starts workers. A database that is away is waited for.
func startRiver(ctx context.Context, db *store.DB, config *river.Config, log *slog.Logger) (*river.Client[pgx.Tx], error) {
	for {
		client, err := db.River(config)
		if err != nil {
			return nil, err
		}
		if err = client.Start(ctx); err == nil {
			return client, nil
		}
		if ctx.Err() == nil {
			log.Error("starting background work", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retryAfter):
		}
	}
}

// queuesEach is how often the queues are looked after.
const queuesEach = time.Minute

// workUntil lets the started workers work until ctx ends, and looks after the
// queues: what is stale is ranked, what was replaced is deleted.
func workUntil(ctx context.Context, db *store.DB, stop func(context.Context) error, log *slog.Logger) error {
	keepUp(ctx, queuesEach, log, upkeep{"sites ranked anew", db.RankStale}, upkeep{"replaced proposals deleted", db.PruneQueues})
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return stop(ending)
}

type rankWorker struct {
	river.WorkerDefaults[store.RankArgs]
	db     *store.DB
	engine *scoring.Engine
	clock  func() time.Time
}

// rankPause is how long a site's events may gather before it is ranked again.
const rankPause = 2 * time.Second

// NextRetry keeps the pause after a failure short: until it is over no other ranking
// of the site is made.
func (w *rankWorker) NextRetry(job *river.Job[store.RankArgs]) time.Time {
	return w.clock().Add(min(time.Duration(job.Attempt)*rankPause, rankRetry))
}

// rankRetry is the longest such pause.
const rankRetry = 30 * time.Second

// Work ranks the site, and once more later where events came meanwhile.
func (w *rankWorker) Work(ctx context.Context, job *river.Job[store.RankArgs]) error {
	site := warehouse.Site(job.Args.Site)
	if err := Adopt(ctx, w.db, w.engine); err != nil { // a new model wakes the rankings
		return err
	}
	ranked := w.engine.Watermark() // at least; what is folded in meanwhile is ranked once more
	if err := Rank(ctx, w.db, w.engine, site, w.clock()); err != nil {
		return err
	}
	sites, err := w.db.Sites(ctx)
	if err != nil {
		return err
	}
	for _, s := range sites {
		if s.Code == site && int64(s.LastSeq) > ranked {
			return river.JobSnooze(rankPause)
		}
	}
	return nil
}
