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

const executionColumns = `id, step_id, operation, compensation, idempotency_key, target, lane, body, state, attempt, claim_epoch`

// ErrNothingToSend says that a step has no operation to send now: it is settled,
// its turn in the lane has not come, or another worker has it.
var ErrNothingToSend = errors.New("nothing to send now")

// ClaimExecution takes the next operation of a step to be sent: the step is
// judged once more by [guardrails.Dispatch] before its first. What no longer
// holds becomes invalidated, its executions are cancelled, and the answer is
// [ErrNothingToSend]; a kill switch or freeze is a [*guardrails.Refusal].
func (db *DB) ClaimExecution(ctx context.Context, id guardrails.StepID, worker string) (Execution, error) {
	var claimed Execution
	var outcome error
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		s, err := readStep(ctx, tx, id, `for update of s`)
		if err != nil {
			return err
		}
		x, err := contextOf(ctx, tx, &s, By{Machine: worker}, guardrails.Dispatch{})
		if err != nil {
			return err
		}
		e, err := nextExecution(ctx, tx, id, x.Now)
		if errors.Is(err, pgx.ErrNoRows) {
			outcome = ErrNothingToSend
			return nil
		}
		if err != nil {
			return err
		}
		if s.State == guardrails.Approved {
			t, err := guardrails.Decide(s.Step, x, guardrails.Dispatch{})
			if err != nil {
				return err
			}
			if err := db.saveTransition(ctx, tx, &s, &t, worker, x.Now); err != nil {
				return err
			}
			if t.Step.State == guardrails.Invalidated {
				outcome = ErrNothingToSend
				_, err = tx.Exec(ctx, `update execution set state = 'cancelled', changed_at = $2 where step_id = $1`, id, x.Now)
				return err
			}
		}
		claimed, err = claim(ctx, tx, e.ID, x.Now)
		return err
	})
	if err = errors.Join(err, outcome); err != nil {
		return Execution{}, fmt.Errorf("claim the execution of step %s: %w", id, err)
	}
	return claimed, nil
}

// nextExecution returns the first operation of a step that waits, unless an
// earlier one of its lane is still under way.
func nextExecution(ctx context.Context, tx pgx.Tx, id guardrails.StepID, now time.Time) (Execution, error) {
	rows, _ := tx.Query(ctx, `
		select `+executionColumns+`
		from execution e
		where step_id = $1 and state = 'queued' and next_attempt_at <= $2
			and not exists (
				select from execution before
				where before.lane = e.lane and before.id < e.id and before.state in ('queued', 'sending', 'unknown'))
		order by id
		limit 1
		for update`, id, now)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Execution])
}

func claim(ctx context.Context, tx pgx.Tx, id int64, now time.Time) (Execution, error) {
	rows, _ := tx.Query(ctx, `
		update execution
		set state = 'sending', attempt = attempt + 1, claim_epoch = claim_epoch + 1, changed_at = $2
		where id = $1
		returning `+executionColumns, id, now)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Execution])
}
