package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"tallyman/guardrails"
)

// RankArgs asks for the count queue of a site to be made anew. One such job per
// site waits or runs at a time. A job that is already running may have read the
// events before the newest came, so its worker looks again at the end: the
// queue is fresh when [Ranking].Watermark is at least [Site].LastSeq.
type RankArgs struct {
	Site string `json:"site" river:"unique"`
}

// Kind names the job.
func (RankArgs) Kind() string { return "rank" }

// InsertOpts keeps one job per site.
func (RankArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{
		ByArgs: true,
		ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
			rivertype.JobStateRetryable, rivertype.JobStateScheduled,
		},
	}}
}

// enqueueRanks wakes the ranking of the sites when the transaction commits.
func (db *DB) enqueueRanks(ctx context.Context, tx pgx.Tx, sites []string) error {
	if len(sites) == 0 {
		return nil
	}
	jobs := make([]river.InsertManyParams, len(sites))
	for i, site := range sites {
		jobs[i].Args = RankArgs{Site: site}
	}
	if _, err := db.jobs.InsertManyTx(ctx, tx, jobs); err != nil {
		return fmt.Errorf("enqueue ranking: %w", err)
	}
	return nil
}

// ExecuteArgs asks for the operations of a step to be sent. It is a wake-up: the
// executions are the record.
type ExecuteArgs struct {
	Step string `json:"step" river:"unique"`
}

// Kind names the job.
func (ExecuteArgs) Kind() string { return "execute" }

// QueueExecute is the queue of [ExecuteArgs]: what waits for other systems does
// not keep the rest waiting.
const QueueExecute = "execute"

// InsertOpts names the queue.
func (ExecuteArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: QueueExecute} }

// executeInsert is what River inserts for an [ExecuteArgs], as one plain statement
// that is sent together with others.
const executeInsert = `
	insert into river_job (kind, queue, args)
	values ('execute', 'execute', jsonb_build_object('step', $1::text))`

// wakeEach is the shortest time between two notifications: they make transactions
// commit one after the other. A sender that heard of none looks once a second.
const wakeEach = 100 * time.Millisecond

// queueExecute queues what [DB.enqueueExecutions] does.
func (db *DB) queueExecute(q *pgx.Batch, id guardrails.StepID, now time.Time) {
	q.Queue(executeInsert, id)
	last, at := db.woken.Load(), now.UnixMicro()
	if at-last >= wakeEach.Microseconds() && db.woken.CompareAndSwap(last, at) {
		q.Queue(`select pg_notify(current_schema() || '.river_insert', '{"queue": "execute"}')`)
	}
}

// enqueueExecutions wakes the execution of a step when the transaction commits.
func (db *DB) enqueueExecutions(ctx context.Context, tx pgx.Tx, id guardrails.StepID) error {
	if _, err := db.jobs.InsertTx(ctx, tx, ExecuteArgs{Step: string(id)}, nil); err != nil {
		return fmt.Errorf("enqueue execution: %w", err)
	}
	return nil
}

// River returns a client of the job queue on this database, for whoever works
// the jobs.
func (db *DB) River(config *river.Config) (*river.Client[pgx.Tx], error) {
	return river.NewClient(riverpgxv5.New(db.pool), config)
}

// RefitArgs asks for the model of tickets to be fitted anew.
type RefitArgs struct{}

// Kind names the job.
func (RefitArgs) Kind() string { return "refit_tickets" }

// QueueRefit is the queue of [RefitArgs]: it takes minutes, and one at a time.
const QueueRefit = "refit"

// InsertOpts keeps one job for each day.
func (RefitArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueRefit, MaxAttempts: 3, UniqueOpts: river.UniqueOpts{ByPeriod: 24 * time.Hour}}
}

// EnqueueRefit asks for a refit, once a day (UTC) however often it is called.
func (db *DB) EnqueueRefit(ctx context.Context) error {
	if _, err := db.jobs.Insert(ctx, RefitArgs{}, nil); err != nil {
		return fmt.Errorf("enqueue refit: %w", err)
	}
	return nil
}
