package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
)

// Lease is how long a worker may take from its claim to its report. After that
// it is taken for dead. It must be longer than an attempt.
const Lease = 20 * time.Second

// batchOf bounds what one round of upkeep takes on.
const batchOf = 200

// ReconcileExecutions puts right what crashes leave: claims whose worker did not
// report, and operations whose turn it is and for which no job waits. Jobs are
// wake-ups, so that any that River lost or gave up are simply made anew. It
// returns how many steps it touched.
func (db *DB) ReconcileExecutions(ctx context.Context) (int, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+executionColumns+`
		from execution e
		where state = 'sending' and target <> 'manual' and changed_at < clock_timestamp() - $1::interval
		order by id
		limit $2`, Lease, batchOf)
	abandoned, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Execution])
	if err != nil {
		return 0, fmt.Errorf("abandoned executions: %w", err)
	}
	var failed error // of some; they do not hold up the others
	for i := range abandoned {
		if err := db.giveUpClaim(ctx, &abandoned[i]); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	woken, err := db.wakeForgotten(ctx)
	return len(abandoned) + woken, errors.Join(failed, err)
}

// giveUpClaim reports for a worker that did not.
func (db *DB) giveUpClaim(ctx context.Context, e *Execution) error {
	r := Report{Outcome: ReportUnknown, Uncounted: true, Detail: "the worker did not report; it may have been sent"}
	if e.Target == guardrails.TargetInternal {
		r.Outcome = ReportRetry
	}
	r, err := db.AmbiguityOf(ctx, e, r)
	if err == nil {
		err = db.SettleExecution(ctx, *e, r, "reconciler")
	}
	if errors.Is(err, ErrFenced) {
		return nil
	}
	return err
}

// applyFor is how long a target that does not apply a key once may still be at work
// on what it did not answer. Until then its "not applied" is no reason to send again.
const applyFor = 5 * time.Minute

// AmbiguityOf turns a report that nobody can make sure of into another attempt,
// where the target applies a key once and cannot be asked; and one that an operation
// was never applied into an unknown one, where the target would apply it twice and
// may still be at work on it.
func (db *DB) AmbiguityOf(ctx context.Context, e *Execution, r Report) (Report, error) {
	if r.Outcome != ReportUnknown && r.Outcome != ReportAbsent {
		return r, nil
	}
	var again, early bool
	err := db.pool.QueryRow(ctx, `
		select idempotent and query_url is null, not idempotent and exists (
			select from execution_attempt
			where execution_id = $2 and outcome = 'unknown' and sent_at > clock_timestamp() - $3::interval
				and claim_epoch = (
					select min(a.claim_epoch)
					from execution_attempt a
					where a.execution_id = $2 and a.outcome = 'unknown' and a.claim_epoch > coalesce((
						select max(b.claim_epoch)
						from execution_attempt b
						where b.execution_id = $2 and b.outcome <> 'unknown'), 0)))
		from target
		where name = $1`, e.Target, e.ID, applyFor).Scan(&again, &early)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return r, fmt.Errorf("target %s: %w", e.Target, err)
	}
	switch {
	case r.Outcome == ReportUnknown && again:
		r.Outcome = ReportRetry
	case r.Outcome == ReportAbsent && early:
		r.Outcome = ReportUnknown
		r.Detail += fmt.Sprintf("; it would apply it twice, so that it is not sent again within %s", applyFor)
	}
	return r, nil
}

func (db *DB) wakeForgotten(ctx context.Context) (int, error) {
	var forgotten []guardrails.StepID
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var alone bool
		if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtext('reconcile'))`).Scan(&alone); err != nil || !alone {
			return err
		}
		rows, _ := tx.Query(ctx, `
			select distinct e.step_id
			from execution e
			join step s on s.id = e.step_id
			left join target t on t.name = e.target
			where e.state in ('queued', 'unknown') and e.next_attempt_at < clock_timestamp() - interval '5 seconds'
				and s.state in `+sendingStates+` and t.paused_at is null
				and (e.state = 'queued' or t.query_url is not null)
				and `+isNext+`
				and not exists (
					select from river_job j
					where j.kind = 'execute' and j.args @> jsonb_build_object('step', e.step_id)
						and (j.state in ('available', 'pending', 'scheduled', 'retryable')
							or j.state = 'running' and j.attempted_at > clock_timestamp() - $2::interval))
			limit $1`, batchOf, Lease)
		var err error
		if forgotten, err = pgx.CollectRows(rows, pgx.RowTo[guardrails.StepID]); err != nil {
			return err
		}
		for _, id := range forgotten {
			if err := db.enqueueExecutions(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("forgotten executions: %w", err)
	}
	return len(forgotten), nil
}

// ExpireDue ends the steps that nobody decided in time. What goes on regardless,
// such as a hold, is proposed anew and escalated in the same transaction: silence is
// neither consent nor an end to it. Proposals of a ranking that nobody took up are
// left alone: nobody can approve them any more, and the next ranking replaces them.
func (db *DB) ExpireDue(ctx context.Context) (int, error) {
	rows, _ := db.pool.Query(ctx, `
		select s.id
		from step s
		join recommendation r on r.id = s.recommendation_id
		where s.state in ('blocked', 'pending', 'changes_requested') and s.expires_at <= clock_timestamp()
			and (s.touched_at is not null or r.ranking_id is null)
		order by s.expires_at, s.id
		limit $1`, batchOf)
	due, err := pgx.CollectRows(rows, pgx.RowTo[guardrails.StepID])
	if err != nil {
		return 0, fmt.Errorf("steps that are due: %w", err)
	}
	n := 0
	var failed error // of some; they do not hold up the others
	for _, id := range due {
		err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error { return db.expire(ctx, tx, id) })
		switch {
		case err == nil:
			n++
		case !ignorable(err):
			failed = errors.Join(failed, fmt.Errorf("step %s expires: %w", id, err))
		}
	}
	return n, failed
}

var clockwork = By{Machine: "clock"}

// expire ends a step and makes another one of it where its kind asks for that, with
// everything that it rested on.
func (db *DB) expire(ctx context.Context, tx pgx.Tx, id guardrails.StepID) error {
	// In the order in which proposals take their locks.
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('lane'), hashtext(lane)) from step where id = $1`, id); err != nil {
		return err
	}
	s, refused, err := db.decideIn(ctx, tx, id, clockwork, guardrails.Expire{})
	if err = errors.Join(err, refused); err != nil || !s.Kind.Reproposed() {
		return err
	}
	r, err := recordedRecommendation(ctx, tx, &s)
	if err != nil {
		return err
	}
	again, err := db.propose(ctx, tx, NewStepID(), *r, Source{})
	if err != nil || again.State != guardrails.Pending {
		return err
	}
	_, refused, err = db.decideIn(ctx, tx, again.ID, clockwork, guardrails.Escalate{})
	return errors.Join(err, refused)
}

// EscalateDue calls for more attention to steps at a quarter, half and three
// quarters of their life, and when somebody may stand in from then on. Proposals of a ranking that nobody took up are left
// alone: the next ranking replaces them.
func (db *DB) EscalateDue(ctx context.Context) (int, error) {
	rows, _ := db.pool.Query(ctx, `
		select s.id
		from step s
		join recommendation r on r.id = s.recommendation_id
		where s.state = 'pending' and s.expires_at > clock_timestamp() and (s.touched_at is not null or r.ranking_id is null)
			and s.escalation < floor(4 * extract(epoch from clock_timestamp() - s.created_at) / extract(epoch from s.expires_at - s.created_at))
				+ (select count(*) from stand_ins(s.requirement) x where s.waits_since + x.after <= clock_timestamp())
		order by s.expires_at, s.id
		limit $1`, batchOf)
	due, err := pgx.CollectRows(rows, pgx.RowTo[guardrails.StepID])
	if err != nil {
		return 0, fmt.Errorf("steps to escalate: %w", err)
	}
	var failed error // of some; they do not hold up the others
	for _, id := range due {
		if _, err := db.Decide(ctx, id, clockwork, guardrails.Escalate{}); err != nil && !ignorable(err) {
			failed = errors.Join(failed, err)
		}
	}
	return len(due), failed
}

// ignorable reports whether a step was decided, or replaced, in between.
func ignorable(err error) bool {
	var r *guardrails.Refusal
	return errors.As(err, &r) || errors.Is(err, ErrNotFound)
}
