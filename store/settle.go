package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"tallyman/guardrails"
)

// ReportOutcome is what a worker reports of an operation.
type ReportOutcome string

// The outcomes.
const (
	ReportApplied ReportOutcome = "applied" // the target did it
	ReportRetry   ReportOutcome = "retry"   // it did not, and may later
	ReportAbsent  ReportOutcome = "absent"  // it was asked, and never did it
	ReportUnknown ReportOutcome = "unknown" // nobody can say
	ReportRefused ReportOutcome = "refused" // it will not
	ReportPaused  ReportOutcome = "paused"  // it lets nothing of ours pass; the attempt does not count
)

// Report is what came of an attempt, or of asking.
type Report struct {
	Outcome   ReportOutcome
	Status    int    // of HTTP, 0 without one
	Answer    []byte // at most 64 KiB
	Detail    string
	After     time.Duration // the target asked for at least this pause
	Spread    float64       // in [0, 1): moves the pause of a retry
	Uncounted bool          // the attempt is not held against the target
}

// ErrFenced says that another worker, or a human, dealt with the execution
// meanwhile. Nothing was written.
var ErrFenced = errors.New("the claim is not in force any more")

// SettleExecution records what came of a claimed execution: the attempt, the
// execution, the step where it moves, its audit entry, and the job for what
// follows. Only the newest claim can settle.
func (db *DB) SettleExecution(ctx context.Context, e Execution, r Report, worker string) error {
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		s, err := lockStep(ctx, tx, e.Step)
		if err != nil {
			return err
		}
		now, err := clock(ctx, tx)
		if err != nil {
			return err
		}
		held, err := readExecution(ctx, tx, e.ID)
		if err != nil {
			return err
		}
		if held.Epoch != e.Epoch || held.State != e.State {
			return ErrFenced
		}
		return db.settle(ctx, tx, &s, &held, r, worker, now)
	})
	if err != nil {
		return fmt.Errorf("settle execution %d of step %s: %w", e.ID, e.Step, err)
	}
	return nil
}

func readExecution(ctx context.Context, tx pgx.Tx, id int64) (Execution, error) {
	rows, _ := tx.Query(ctx, `
		select `+executionColumns+`
		from execution e
		where id = $1
		for update`, id)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Execution])
}

// settle writes a report. Step and execution are locked.
func (db *DB) settle(ctx context.Context, tx pgx.Tx, s *Step, e *Execution, r Report, worker string, now time.Time) error {
	next := after(e, &r, now)
	if e.State != guardrails.Queued {
		if err := insertAttempt(ctx, tx, e, &r, now); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `
		update execution
		set state = $2, attempt = $3, next_attempt_at = $4, answer_status = nullif($5, 0), answer = $6, error = nullif($7, ''), changed_at = $8
		where id = $1`, e.ID, next.state, next.attempt, next.due, r.Status, r.Answer, next.fault, now)
	if err != nil {
		return err
	}
	if r.Outcome == ReportPaused {
		if err := db.pause(ctx, tx, e.Target, r.Detail, worker, now); err != nil {
			return err
		}
	}
	if err := db.follow(ctx, tx, s, e, next, r.Detail, worker, now); err != nil {
		return err
	}
	if next.state.Settled() {
		return db.wakeLane(ctx, tx, e)
	}
	return db.enqueueAt(ctx, tx, e.Step, next.due)
}

// standing is where an execution stands after a report.
type standing struct {
	state   guardrails.ExecutionState
	attempt int
	due     time.Time
	fault   string
}

const (
	pausedFor = time.Minute      // until a paused target's operation is looked at again
	firstAsk  = time.Second      // after an attempt without an answer
	nextAsk   = 30 * time.Second // after a target did not say, and then twice as long each time
	lastAsk   = 30 * time.Minute // at most
)

func after(e *Execution, r *Report, now time.Time) standing {
	n := standing{attempt: e.Attempt, due: now, fault: r.Detail}
	switch r.Outcome {
	case ReportApplied:
		n.state, n.fault = guardrails.Applied, ""
	case ReportRetry, ReportAbsent:
		pause, again := pauseAfter(e.Attempt, r)
		if !again {
			n.state, n.fault = guardrails.Refused, fmt.Sprintf("given up after %d attempts: %s", e.Attempt, r.Detail)
			break
		}
		n.state, n.due = guardrails.Queued, now.Add(pause)
	case ReportUnknown:
		n.state, n.due = guardrails.Uncertain, now.Add(firstAsk)
		if e.State == guardrails.Uncertain {
			asked := min(max(0, e.Epoch-e.Attempt-1), 10)
			n.due = now.Add(min(nextAsk<<asked, lastAsk))
		}
	case ReportPaused:
		n.state, n.attempt, n.due = guardrails.Queued, max(0, e.Attempt-1), now.Add(pausedFor)
	case ReportRefused:
		n.state = guardrails.Refused
	}
	if r.Uncounted {
		n.attempt = max(0, e.Attempt-1)
	}
	return n
}

// pauseAfter returns the pause before an operation is sent again, and false when
// it was sent often enough. What got lost once on the way goes at once.
func pauseAfter(attempt int, r *Report) (time.Duration, bool) {
	if r.Outcome == ReportAbsent && attempt <= 1 || attempt == 0 {
		return 0, true
	}
	return guardrails.RetryAfter(attempt, r.Spread, r.After)
}

var attemptOutcomes = map[ReportOutcome]string{
	ReportApplied: "applied", ReportRetry: "retry", ReportAbsent: "retry", ReportUnknown: "unknown", ReportRefused: "refused", ReportPaused: "retry",
}

func insertAttempt(ctx context.Context, tx pgx.Tx, e *Execution, r *Report, now time.Time) error {
	_, err := tx.Exec(ctx, `
		insert into execution_attempt (execution_id, claim_epoch, sent_at, answered_at, outcome, answer_status, detail)
		select id, claim_epoch, changed_at, $2, $3, nullif($4, 0), $5
		from execution
		where id = $1`, e.ID, now, attemptOutcomes[r.Outcome], r.Status, r.Detail)
	return err
}

// follow makes the transition of the step that follows from its execution.
func (db *DB) follow(ctx context.Context, tx pgx.Tx, s *Step, e *Execution, n standing, detail, worker string, now time.Time) error {
	event, err := eventAfter(ctx, tx, s, e, n.state)
	if err != nil || event == "" {
		return err
	}
	if n.fault != "" {
		detail = n.fault
	}
	x := guardrails.Context{Now: now, Actor: guardrails.Actor{Machine: worker}}
	t, err := guardrails.Decide(s.Step, x, guardrails.Settle{Outcome: event, Detail: fmt.Sprintf("operation %d at %s: %s", e.Operation, e.Target, detail)})
	if err != nil {
		return err
	}
	if err := db.saveTransition(ctx, tx, s, &t, worker, now); err != nil {
		return err
	}
	switch event {
	case guardrails.CompensationBegun:
		return db.compensate(ctx, tx, s, now)
	case guardrails.Retried:
		if n.state == guardrails.Applied {
			return db.enqueueAt(ctx, tx, s.ID, now)
		}
	default:
	}
	return nil
}

// eventAfter returns what happens to the step when one of its executions comes
// to a state, "" when nothing does.
func eventAfter(ctx context.Context, tx pgx.Tx, s *Step, e *Execution, state guardrails.ExecutionState) (guardrails.Event, error) {
	var left, applied, reversible int
	err := tx.QueryRow(ctx, `
		select count(*) filter (where e.state <> 'applied'),
			count(*) filter (where e.state = 'applied'),
			count(*) filter (where e.state = 'applied' and o.compensate is not null)
		from execution e
		join operation o on o.recommendation_id = $2 and o.n = e.operation
		where e.step_id = $1 and e.compensation = $3`, s.ID, s.Recommendation, e.Compensation).Scan(&left, &applied, &reversible)
	if err != nil {
		return "", err
	}
	switch state {
	case guardrails.Applied:
		switch {
		case left > 0:
			return guardrails.Retried, nil
		case e.Compensation:
			return guardrails.CompensationDone, nil
		}
		return guardrails.Confirmed, nil
	case guardrails.Uncertain:
		switch s.State {
		case guardrails.Executing:
			return guardrails.Lost, nil
		case guardrails.Compensating:
			return guardrails.Retried, nil
		default:
			return "", nil
		}
	case guardrails.Refused:
		switch {
		case e.Compensation:
			return guardrails.CompensationGaveUp, nil
		case applied > 0 && reversible == applied:
			return guardrails.CompensationBegun, nil
		}
		return guardrails.GaveUp, nil
	case guardrails.Queued:
		return guardrails.Retried, nil
	case guardrails.Sending, guardrails.Cancelled:
	}
	return "", nil
}

// compensate queues what takes the applied operations back, the last one first,
// and cancels those that were not sent.
func (db *DB) compensate(ctx context.Context, tx pgx.Tx, s *Step, now time.Time) error {
	rows, _ := tx.Query(ctx, `
		select operation
		from execution
		where step_id = $1 and not compensation and state = 'applied'
		order by operation desc`, s.ID)
	applied, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return err
	}
	q := &pgx.Batch{}
	q.Queue(`
		update execution
		set state = 'cancelled', changed_at = $2
		where step_id = $1 and state = 'queued'`, s.ID, now)
	for _, n := range applied {
		q.Queue(`
			insert into execution (step_id, operation, compensation, idempotency_key, target, lane, body, next_attempt_at)
			select $1, n, true, $3, target, $4, compensate, $5
			from operation
			where recommendation_id = $6 and n = $2`,
			s.ID, n, guardrails.IdempotencyKey(s.ID, n, s.Payload, true), s.lane, now, s.Recommendation)
	}
	if err := tx.SendBatch(ctx, q).Close(); err != nil {
		return err
	}
	return db.enqueueAt(ctx, tx, s.ID, now)
}

// wakeLane wakes what waits behind an execution.
func (db *DB) wakeLane(ctx context.Context, tx pgx.Tx, e *Execution) error {
	var next guardrails.StepID
	err := tx.QueryRow(ctx, `
		select step_id
		from execution
		where lane = $1 and step_id <> $2 and state = 'queued'
		order by id
		limit 1`, e.Lane, e.Step).Scan(&next)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return db.enqueueExecutions(ctx, tx, next)
}

// enqueueAt wakes the execution of a step at an instant.
func (db *DB) enqueueAt(ctx context.Context, tx pgx.Tx, id guardrails.StepID, at time.Time) error {
	if _, err := db.jobs.InsertTx(ctx, tx, ExecuteArgs{Step: string(id)}, &river.InsertOpts{Queue: QueueExecute, ScheduledAt: at}); err != nil {
		return fmt.Errorf("enqueue execution: %w", err)
	}
	return nil
}
