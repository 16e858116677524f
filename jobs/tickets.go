package jobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"tallyman/llm"
	"tallyman/store"
	"tallyman/triage"
)

// Upkeep of tickets.
const (
	askers     = 4 // tickets asked about at once, in one process
	askTime    = time.Minute
	codesEvery = 5 * time.Second
	wakeEvery  = time.Minute
	probeEvery = 6 * time.Hour
	refitHour  = 2 // of the day, UTC

	rehearseTime = 20 * time.Second
)

// Budget makes a budget of a day and site out of the database's.
func Budget(db *store.DB, day store.Spend, log *slog.Logger) llm.Reserve {
	return func(ctx context.Context, site string, most llm.Usage) (func(context.Context, llm.Usage), error) {
		id, err := db.ReserveSpend(ctx, site, store.Spend{Tokens: most.Tokens(), Nanos: most.Nanos}, day)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, used llm.Usage) {
			if err := db.SettleSpend(ctx, id, store.Spend{Tokens: used.Tokens(), Nanos: used.Nanos}); err != nil {
				log.Error("settling the budget; the reservation stands", slog.Int64("request", id), slog.Any("error", err))
			}
		}, nil
	}
}

// Tickets asks a language model about unsure tickets, if there is one, and keeps
// what labels them up to date, until ctx ends. client may be nil. basis is what
// models of the desk's taxonomy learn from.
func Tickets(ctx context.Context, db *store.DB, desk *triage.Desk, basis Basis, client *llm.Client, clock func() time.Time, log *slog.Logger) error {
	probe := make(chan struct{}, 1)
	workers := river.NewWorkers()
	river.AddWorker(workers, &askWorker{db: db, desk: desk, client: client, clock: clock, log: log, probe: probe})
	river.AddWorker(workers, &refitWorker{db: db, desk: desk, basis: basis, clock: clock, log: log})
	started, err := startRiver(ctx, db, &river.Config{
		Queues:  map[string]river.QueueConfig{store.QueueTickets: {MaxWorkers: askers}, store.QueueRefit: {MaxWorkers: 1}},
		Workers: workers, Logger: log, JobTimeout: askTime,
	}, log)
	if err != nil {
		return err
	}
	tendTickets(ctx, db, desk, client, clock, probe, log)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFor)
	defer cancel()
	return started.Stop(ending)
}

// tendTickets does what comes round again and again.
func tendTickets(ctx context.Context, db *store.DB, desk *triage.Desk, client *llm.Client, clock func() time.Time, probe <-chan struct{}, log *slog.Logger) {
	say := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			log.Error("upkeep of tickets", slog.String("of", what), slog.Any("error", err))
		}
	}
	codes, wake, again := time.NewTicker(codesEvery), time.NewTicker(wakeEvery), time.NewTicker(probeEvery)
	defer codes.Stop()
	defer wake.Stop()
	defer again.Stop()
	adopt := func() {
		say("model of tickets", AdoptTicketModel(ctx, db, desk))
		say("memory of tickets", db.RecallTickets(ctx, desk, 1)) // a model that is new in force has none
	}
	adopt()
	probeServer(ctx, client, log)
	for {
		select {
		case <-ctx.Done():
			return
		case <-codes.C:
			more, err := true, error(nil)
			for more && err == nil && ctx.Err() == nil {
				more, err = db.NoteCodes(ctx)
			}
			say("codes of events", err)
		case <-wake.C:
			_, err := db.WakeAsks(ctx)
			say("waking asks", err)
			adopt()
			if clock().UTC().Hour() == refitHour {
				say("refit of tickets", db.EnqueueRefit(ctx))
			}
		case <-again.C:
			probeServer(ctx, client, log)
		case <-probe:
			probeServer(ctx, client, log)
		}
	}
}

// probeServer finds out what the server enforces. It may fail: then answers are
// asked for in plain text, and checked here as strictly.
func probeServer(ctx context.Context, client *llm.Client, log *slog.Logger) {
	if client == nil {
		return
	}
	caps, err := client.Probe(ctx)
	if err != nil {
		if ctx.Err() == nil {
			log.Warn("the language model could not be probed; it is asked in plain text", slog.Any("error", err))
		}
		return
	}
	log.Info("language model", slog.String("model", caps.Model), slog.String("path", string(caps.Path)), slog.Bool("log_probabilities", caps.LogProbs))
}

// RehearseTickets makes the first ticket that a process takes as quick as later
// ones: it recalls what came before and takes some tickets that it does not
// keep. When that fails or takes longer than rehearseTime, the first ticket is
// slow and nothing else.
func RehearseTickets(ctx context.Context, db *store.DB, desk *triage.Desk, threads int, now time.Time, log *slog.Logger) {
	short, cancel := context.WithTimeout(ctx, rehearseTime)
	defer cancel()
	err := db.RecallTickets(short, desk, threads)
	if err == nil {
		err = db.RehearseTickets(short, desk, now)
	}
	if err != nil && ctx.Err() == nil {
		log.Warn("rehearsing tickets; the first one will be slow", slog.Any("error", err))
	}
}

// AdoptTicketModel puts the champion of the registry in force on a desk, unless
// there is none or an earlier version of the program made it.
func AdoptTicketModel(ctx context.Context, db *store.DB, desk *triage.Desk) error {
	m, err := db.TicketChampion(ctx, desk.Taxonomy)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, hash := desk.InForce(); hash == [sha256.Size]byte(m.ArtifactHash) {
		return nil
	}
	artifact, err := db.Artifact(ctx, m.ID)
	if err != nil {
		return err
	}
	err = desk.AdoptFile(int64(m.ID), artifact)
	if errors.Is(err, triage.ErrOldModel) {
		return nil // the first model labels until people approve a newer one
	}
	if err != nil {
		return fmt.Errorf("model %d of tickets: %w", m.ID, err)
	}
	return nil
}

type askWorker struct {
	river.WorkerDefaults[store.AskArgs]
	db     *store.DB
	desk   *triage.Desk
	client *llm.Client
	clock  func() time.Time
	log    *slog.Logger
	probe  chan<- struct{}
}

// Work asks about the ticket, and again later while the server is away.
func (w *askWorker) Work(ctx context.Context, job *river.Job[store.AskArgs]) error {
	again, err := Ask(ctx, w.db, w.desk, w.client, store.TicketID(job.Args.Ticket), w.clock())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return river.JobCancel(err)
	case err != nil:
		return err
	case again:
		select {
		case w.probe <- struct{}{}: // the server, or its model, may be another one
		default:
		}
		return river.JobSnooze(askAgain)
	}
	return nil
}
