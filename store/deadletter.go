package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// DeadLetter is an operation that waits for a human: it was refused for good,
// nobody can say whether it was applied, or nobody has said that people did it.
type DeadLetter struct {
	Step      guardrails.StepID
	Kind      guardrails.Kind
	Site      warehouse.Site
	StepState guardrails.State
	Operation int
	Target    string
	Key       string
	State     guardrails.ExecutionState
	Attempts  int
	Reason    string
	Since     time.Time
}

// Until it is taken for a dead letter.
const (
	unknownFor = 10 * time.Minute // asked again and again, and the target does not say
	byHandFor  = 24 * time.Hour   // approved, and nobody says that it is done
)

// DeadLetters returns the dead letters since an instant, the oldest first.
func (db *DB) DeadLetters(ctx context.Context, since time.Time, limit int) ([]DeadLetter, error) {
	rows, _ := db.pool.Query(ctx, `
		select s.id, s.action, s.site, s.state, e.operation, e.target, e.idempotency_key, e.state, e.attempt,
			coalesce(e.error, case when e.state = 'sending' then 'nobody has said whether it is done' else '' end), dead.since
		from execution e
		join step s on s.id = e.step_id
		left join target t on t.name = e.target
		cross join lateral (
			select case
				when e.state = 'unknown' then coalesce((
					select min(a.answered_at)
					from execution_attempt a
					where a.execution_id = e.id and a.outcome = 'unknown'), e.changed_at)
				else e.changed_at
			end as since) dead
		where (s.state = 'failed' and e.state = 'refused'
				or s.state = 'compensation_failed' and e.state = 'refused' and e.compensation
				or e.state = 'unknown' and (t.query_url is null or dead.since < clock_timestamp() - $3::interval)
				or e.state = 'sending' and e.target = 'manual' and dead.since < clock_timestamp() - $4::interval)
			and dead.since >= $1
		order by dead.since, e.id
		limit $2`, since, limit, unknownFor, byHandFor)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DeadLetter])
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return all, nil
}

// CarryOut does what an operation on [guardrails.TargetInternal] asks for. It may
// be repeated. A policy that is to change says so in its own step.
func (db *DB) CarryOut(ctx context.Context, e Execution) Report {
	_, action, err := guardrails.ParsePayload(e.Body)
	if err != nil {
		return Report{Outcome: ReportRefused, Detail: err.Error()}
	}
	switch a := action.(type) {
	case *guardrails.PromoteModel:
		return db.carryOutPromotion(ctx, e.Step, a)
	case *guardrails.ChangePolicy:
		return db.carryOutPolicy(ctx, a)
	default:
		return Report{Outcome: ReportRefused, Detail: string(action.Kind()) + " is not the program's own to do"}
	}
}

func (db *DB) carryOutPolicy(ctx context.Context, a *guardrails.ChangePolicy) Report {
	err := db.SchedulePolicy(ctx, a)
	var never *guardrails.Refusal
	switch {
	case errors.As(err, &never):
		return Report{Outcome: ReportRefused, Detail: never.Detail}
	case err != nil:
		return Report{Outcome: ReportRetry, Detail: err.Error()}
	}
	return Report{Outcome: ReportApplied, Detail: fmt.Sprintf("policy %s is in force from %s", a.Version, a.Effective)}
}
