package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// DeadLetter is an operation that waits for a human: it was refused for good, or
// nobody can say whether it was applied.
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

// DeadLetters returns the dead letters since an instant, the oldest first.
func (db *DB) DeadLetters(ctx context.Context, since time.Time, limit int) ([]DeadLetter, error) {
	rows, _ := db.pool.Query(ctx, `
		select s.id, s.action, s.site, s.state, e.operation, e.target, e.idempotency_key, e.state, e.attempt, coalesce(e.error, ''), e.changed_at
		from execution e
		join step s on s.id = e.step_id
		left join target t on t.name = e.target
		where (s.state = 'failed' and e.state = 'refused'
				or s.state = 'compensation_failed' and e.state = 'refused' and e.compensation
				or e.state = 'unknown' and t.query_url is null)
			and e.changed_at >= $1
		order by e.changed_at, e.id
		limit $2`, since, limit)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DeadLetter])
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return all, nil
}

// ErrNoReport says that a step has nothing that a human could report on.
var ErrNoReport = errors.New("it has no operation that waits for a human's word")

// ReportByHand records what a human says of an operation: that they carried out
// what is theirs to do, or, of one that nobody can be sure of, whether the target
// applied it. done false gives up the former and sends the latter again. It asks
// for a role at the site, and of the latter for one that the step needs.
func (db *DB) ReportByHand(ctx context.Context, id guardrails.StepID, by By, done bool, note string) error {
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		s, err := readStep(ctx, tx, id, `for update of s`)
		if err != nil {
			return err
		}
		x, err := contextOf(ctx, tx, &s, by, guardrails.Resolve{})
		if err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `
			select `+executionColumns+`
			from execution e
			where step_id = $1 and (state = 'unknown' or state = 'sending' and target = 'manual')
			order by id
			limit 1
			for update`, id)
		e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Execution])
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNoReport
		}
		if err != nil {
			return err
		}
		if err := mayReport(&s, &e, &x); err != nil {
			return err
		}
		outcome := ReportApplied
		switch {
		case !done && e.State == guardrails.Uncertain:
			outcome = ReportAbsent
		case !done:
			outcome = ReportRefused
		}
		// The claim of a worker that is still asking ends here.
		if _, err := tx.Exec(ctx, `update execution set claim_epoch = claim_epoch + 1 where id = $1`, e.ID); err != nil {
			return err
		}
		return db.settle(ctx, tx, &s, &e, Report{Outcome: outcome, Detail: by.String() + " says: " + note}, by.String(), x.Now)
	})
	if err != nil {
		return fmt.Errorf("report on step %s: %w", id, err)
	}
	return nil
}

func mayReport(s *Step, e *Execution, x *guardrails.Context) error {
	p := &x.Actor.Person
	if x.Actor.Machine != "" || p.ID == 0 || !p.Active {
		return &guardrails.Refusal{Code: guardrails.CodeInactive, Detail: "only people whose access has not ended report"}
	}
	allowed := slices.ContainsFunc(p.Grants, func(g guardrails.Grant) bool {
		needed := e.Target == guardrails.TargetManual ||
			slices.ContainsFunc(s.Requirement.Slots, func(slot guardrails.Slot) bool { return slot.Role == g.Role })
		return needed && (g.Site == s.Site || g.Site == guardrails.Everywhere)
	})
	if !allowed {
		return &guardrails.Refusal{Code: guardrails.CodeRoleMissing, Detail: fmt.Sprintf("this needs a role at %s, such as %s", s.Site, s.Requirement)}
	}
	return nil
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
