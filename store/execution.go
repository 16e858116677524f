package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
)

// Execution is one operation of an approved step on its way to a target.
type Execution struct {
	ID           int64
	Step         guardrails.StepID
	Operation    int
	Compensation bool
	Key          string // idempotency key: the same for ever
	Target       string
	Lane         string
	Body         []byte // exactly what was approved
	State        guardrails.ExecutionState
	Attempt      int
	Epoch        int // of the claim; who holds an older one cannot settle
}

const executionColumns = `e.id, e.step_id, e.operation, e.compensation, e.idempotency_key, e.target, e.lane, e.body, e.state, e.attempt, e.claim_epoch`

// Errors of claiming. A kill switch or a freeze is a [*guardrails.Refusal].
var (
	ErrNothingToSend = errors.New("nothing to send now") // settled, not its turn, not due, or another worker has it
	ErrTargetPaused  = errors.New("the target is paused")
)

// askFor is how long a worker may take to ask a target.
const askFor = 30 * time.Second

// ClaimExecution takes the next operation of a step: one to be sent, which then
// is [guardrails.Sending], or one in [guardrails.Uncertain] that its target can
// be asked about. Before every attempt the step is judged once more. One that no
// longer holds is invalidated before its first attempt, and refused after that,
// and the answer is [ErrNothingToSend].
func (db *DB) ClaimExecution(ctx context.Context, id guardrails.StepID, worker string) (Execution, error) {
	var claimed Execution
	var outcome error
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		s, err := lockStep(ctx, tx, id)
		if err != nil {
			return err
		}
		x, err := contextOf(ctx, tx, s.ID, By{Machine: worker}, guardrails.Dispatch{})
		if err != nil {
			return err
		}
		e, paused, err := nextExecution(ctx, tx, &s, x.Now)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			outcome = ErrNothingToSend
			return nil
		case err != nil:
			return err
		case paused:
			outcome = ErrTargetPaused
			return nil
		case e.State == guardrails.Uncertain:
			claimed, err = claimQuestion(ctx, tx, e.ID, x.Now)
			return err
		}
		if outcome, err = db.dispatch(ctx, tx, &s, &e, x, worker); err != nil || outcome != nil {
			return err
		}
		claimed, err = claim(ctx, tx, e.ID, x.Now)
		return err
	})
	if err = errors.Join(err, outcome); err != nil {
		return Execution{}, fmt.Errorf("claim the execution of step %s: %w", id, err)
	}
	return claimed, nil
}

// dispatch judges an operation that is about to be sent. outcome is why it is
// not.
func (db *DB) dispatch(ctx context.Context, tx pgx.Tx, s *Step, e *Execution, x guardrails.Context, worker string) (outcome, err error) {
	if err := db.addRecheck(ctx, tx, s, &x); err != nil {
		return nil, err
	}
	judged := s.Step
	if s.State != guardrails.Approved {
		// A later attempt: the approval's age was judged at the first one, and the
		// schedule of retries bounds what follows.
		judged.State, judged.ApprovedAt = guardrails.Approved, x.Now
	}
	t, err := guardrails.Decide(judged, x, guardrails.Dispatch{})
	switch {
	case err != nil:
		return nil, err
	case s.State == guardrails.Approved:
		if err := db.saveTransition(ctx, tx, s, &t, worker, x.Now); err != nil {
			return nil, err
		}
		if t.Step.State == guardrails.Invalidated {
			return ErrNothingToSend, db.wakeLane(ctx, tx, e)
		}
	case t.Step.State == guardrails.Invalidated && !e.Compensation:
		why := t.Reason
		if e.Attempt > 0 {
			why += "; an earlier attempt may have been applied"
		}
		return ErrNothingToSend, db.settle(ctx, tx, s, e, Report{Outcome: ReportRefused, Detail: why}, worker, x.Now)
	}
	return nil, nil
}

// sendingStates are those of a step whose operations may be on their way.
const sendingStates = `('approved', 'executing', 'unknown', 'compensating')`

// isNext is a condition of an execution e: it waits for nothing. It may for the
// operation before it, and for what is earlier in its lane; effects are taken back
// before anything else of the lane goes on. What people carry out by hand holds up
// nobody.
const isNext = `not exists (
		select from execution before
		where before.step_id = e.step_id and before.compensation = e.compensation and before.id < e.id
			and before.state not in ('applied', 'cancelled'))
	and (e.compensation or not exists (
		select from execution before
		join step other on other.id = before.step_id
		where before.lane = e.lane and before.step_id <> e.step_id and before.target <> 'manual'
			and (before.id < e.id or before.compensation)
			and before.state in ('queued', 'sending', 'unknown') and other.state in ` + sendingStates + `))`

// nextExecution returns the first operation of a step that is due and next.
func nextExecution(ctx context.Context, tx pgx.Tx, s *Step, now time.Time) (e Execution, paused bool, err error) {
	err = tx.QueryRow(ctx, `
		select `+executionColumns+`, t.paused_at is not null
		from execution e
		left join target t on t.name = e.target
		where e.step_id = $1 and e.next_attempt_at <= $2 and $3 in `+sendingStates+`
			and e.compensation = ($3 = 'compensating')
			and (e.state = 'queued' or e.state = 'unknown' and t.query_url is not null)
			and `+isNext+`
		order by e.id
		limit 1
		for update of e`, s.ID, now, s.State).
		Scan(&e.ID, &e.Step, &e.Operation, &e.Compensation, &e.Key, &e.Target, &e.Lane, &e.Body, &e.State, &e.Attempt, &e.Epoch, &paused)
	return e, paused, err
}

func claim(ctx context.Context, tx pgx.Tx, id int64, now time.Time) (Execution, error) {
	rows, _ := tx.Query(ctx, `
		update execution e
		set state = 'sending', attempt = attempt + 1, claim_epoch = claim_epoch + 1, changed_at = $2
		where id = $1
		returning `+executionColumns, id, now)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Execution])
}

func claimQuestion(ctx context.Context, tx pgx.Tx, id int64, now time.Time) (Execution, error) {
	rows, _ := tx.Query(ctx, `
		update execution e
		set claim_epoch = claim_epoch + 1, changed_at = $2, next_attempt_at = $3
		where id = $1
		returning `+executionColumns, id, now, now.Add(askFor))
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Execution])
}

// NextTarget returns where the next operation of a step goes, or
// [ErrNothingToSend].
func (db *DB) NextTarget(ctx context.Context, id guardrails.StepID) (string, error) {
	var name string
	err := db.pool.QueryRow(ctx, `
		select target
		from execution
		where step_id = $1 and state in ('queued', 'unknown')
		order by id
		limit 1`, id).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNothingToSend
	}
	return name, err
}

// Executions returns the operations of a step in order, compensation last.
func (db *DB) Executions(ctx context.Context, id guardrails.StepID) ([]Execution, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+executionColumns+`
		from execution e
		where step_id = $1
		order by id`, id)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Execution])
	if err != nil {
		return nil, fmt.Errorf("executions of step %s: %w", id, err)
	}
	return all, nil
}
