package jobs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/webhook"
)

// Execution settings.
const (
	senders  = 8                // operations on their way at once, in one process
	heldFor  = 15 * time.Second // until what a switch, a pause or a breaker holds is looked at again
	tendEach = 5 * time.Second  // between two rounds of upkeep
	rescue   = 90 * time.Second // until River takes a job for stuck
	finish   = 12 * time.Second // for what is being sent when the program ends: longer than an attempt
	stopFor  = 15 * time.Second // for all of it to end
)

// Execute sends the operations of approved steps and tends to steps that time
// has overtaken, until ctx ends. Any number of processes may do so on one
// database.
func Execute(ctx context.Context, db *store.DB, clock func() time.Time, log *slog.Logger) error {
	s := &sender{db: db, out: webhook.NewClient(webhook.Timeout), clock: clock, log: log}
	workers := river.NewWorkers()
	river.AddWorker(workers, s)
	client, err := startRiver(ctx, db, &river.Config{
		Queues:  map[string]river.QueueConfig{store.QueueExecute: {MaxWorkers: senders}},
		Workers: workers, Logger: log, RescueStuckJobsAfter: rescue, JobTimeout: rescue / 2, SoftStopTimeout: finish,
	}, log)
	if err != nil {
		return err
	}
	// What jobs alone would lose. It is no job itself, because it is what puts right
	// the job queue.
	keepUp(ctx, tendEach, log,
		upkeep{"executions put right", db.ReconcileExecutions}, upkeep{"steps that people carried out", db.SettleSeen},
		upkeep{"steps expired", db.ExpireDue}, upkeep{"steps escalated", db.EscalateDue},
		upkeep{"reviews of broken glass asked for", db.CallReviewers})
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFor)
	defer cancel()
	return client.Stop(ending)
}

type sender struct {
	river.WorkerDefaults[store.ExecuteArgs]
	db       *store.DB
	out      *webhook.Client
	breakers webhook.Breakers
	clock    func() time.Time
	log      *slog.Logger
}

// worker is how executions name whoever sent them.
const worker = "sender"

// Work makes one attempt at the next operation of a step.
func (w *sender) Work(ctx context.Context, job *river.Job[store.ExecuteArgs]) error {
	id := guardrails.StepID(job.Args.Step)
	target, err := w.db.NextTarget(ctx, id)
	if errors.Is(err, store.ErrNothingToSend) {
		return nil
	}
	if err != nil {
		return err
	}
	done, ok := w.breakers.Allow(target)
	if !ok {
		return river.JobSnooze(heldFor)
	}
	came, err := w.attempt(ctx, id)
	done(came)
	var held *guardrails.Refusal
	switch {
	case errors.Is(err, store.ErrNothingToSend) || errors.Is(err, store.ErrFenced):
		return nil
	case errors.Is(err, store.ErrTargetPaused) || errors.As(err, &held):
		return river.JobSnooze(heldFor)
	}
	return err
}

// attempt claims, sends or asks, and settles. The outcome is that of the target,
// "" when it was not spoken to.
func (w *sender) attempt(ctx context.Context, id guardrails.StepID) (webhook.Outcome, error) {
	e, err := w.db.ClaimExecution(ctx, id, worker)
	if err != nil {
		return "", err
	}
	switch e.Target {
	case guardrails.TargetManual:
		return "", nil // people report it
	case guardrails.TargetInternal:
		return "", w.db.SettleExecution(ctx, e, w.db.CarryOut(ctx, e), worker)
	}
	target, secrets, err := w.db.Target(ctx, e.Target)
	if err != nil {
		return "", err
	}
	m := &webhook.Message{URL: target.URL, Key: e.Key, Body: e.Body, Secrets: secrets, Private: target.Private}
	var answer webhook.Answer
	var r store.Report
	if e.State == guardrails.Uncertain {
		m.URL = target.QueryURL
		answer, r = w.ask(ctx, m)
	} else {
		answer = w.out.Deliver(ctx, m, w.clock())
		r = reportOf(&answer)
	}
	r.Spread = rand.Float64()        //nolint:gosec // it spreads load
	ctx = context.WithoutCancel(ctx) // what came of it is written down, whatever ends
	if r, err = w.db.AmbiguityOf(ctx, &e, r); err != nil {
		return answer.Outcome, err
	}
	w.log.Info("operation", slog.String("step", string(e.Step)), slog.Int("operation", e.Operation), slog.String("target", e.Target),
		slog.Int("attempt", e.Attempt), slog.String("outcome", string(r.Outcome)), slog.String("detail", r.Detail))
	return answer.Outcome, w.db.SettleExecution(ctx, e, r, worker)
}

// ask finds out whether a target applied an operation.
func (w *sender) ask(ctx context.Context, m *webhook.Message) (webhook.Answer, store.Report) {
	applied, err := w.out.Ask(ctx, m, w.clock())
	switch {
	case err != nil:
		return webhook.Answer{Outcome: webhook.Unknown}, store.Report{Outcome: store.ReportUnknown, Detail: "asked, and it did not say: " + err.Error()}
	case applied:
		return webhook.Answer{Outcome: webhook.Applied}, store.Report{Outcome: store.ReportApplied, Detail: "asked: it was applied"}
	}
	return webhook.Answer{Outcome: webhook.Applied}, store.Report{Outcome: store.ReportAbsent, Detail: "asked: it was never applied"}
}

var reportOutcomes = map[webhook.Outcome]store.ReportOutcome{
	webhook.Applied: store.ReportApplied, webhook.Retry: store.ReportRetry, webhook.Unknown: store.ReportUnknown,
	webhook.Refused: store.ReportRefused, webhook.Paused: store.ReportPaused,
}

func reportOf(a *webhook.Answer) store.Report {
	return store.Report{Outcome: reportOutcomes[a.Outcome], Status: a.Status, Answer: a.Body, Detail: a.Detail, After: a.RetryAfter}
}
