package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/audit"
	"tallyman/guardrails"
)

// clock reads the database's clock: after the lock that a deadline depends on.
func clock(ctx context.Context, q querier) (now time.Time, err error) {
	err = q.QueryRow(ctx, `select clock_timestamp()`).Scan(&now)
	return now, err
}

func violates(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == constraint
}

// saveTransition writes a transition: the step, the decision, the executions of an
// approved step, and the audit entry. The step's row is locked.
func (db *DB) saveTransition(ctx context.Context, tx pgx.Tx, was *Step, t *guardrails.Transition, actor string, now time.Time) error {
	q := &pgx.Batch{}
	if err := queueTransition(q, was, t, now); err != nil {
		return err
	}
	prev, err := lastLeaf(ctx, tx, string(t.Step.ID))
	if err != nil {
		return err
	}
	if err := queueAudit(q, transitionEntry(was, t, actor, now, prev)); err != nil {
		return err
	}
	if err := tx.SendBatch(ctx, q).Close(); err != nil {
		return err
	}
	if t.Event != guardrails.Authorised && t.Event != guardrails.Replayed {
		return nil
	}
	return db.enqueueExecutions(ctx, tx, t.Step.ID)
}

func queueTransition(q *pgx.Batch, was *Step, t *guardrails.Transition, now time.Time) error {
	requirement, err := writeRequirement(t.Step.Requirement)
	if err != nil {
		return err
	}
	if d := t.Decision; d != nil {
		queueDecision(q, t.Step.ID, d)
	}
	s := &t.Step
	q.Queue(`
		update step
		set state = $2, version = $3, policy = $4, requirement = $5, binding = $6, waits_since = $16, expires_at = $7, approved_at = $8,
			assignee_id = nullif($9::bigint, 0), escalation = $10, break_glass = $11, superseded_by = nullif($12, ''), reason = $13,
			touched_at = case when $14 then coalesce(touched_at, $15) else touched_at end,
			audited = audited + 1, changed_at = $15
		where id = $1 and version = $3 - 1`,
		s.ID, s.State, s.Version, s.Policy, requirement, s.Binding[:], s.ExpiresAt, present(s.ApprovedAt, !s.ApprovedAt.IsZero()),
		s.Assignee, s.Escalation, s.BreakGlass, s.SupersededBy, t.Reason, t.Decision != nil || s.Assignee != 0, now, s.WaitsSince)
	if t.Event == guardrails.Authorised {
		queueExecutions(q, was, now)
	}
	queueFollowing(q, was, t, now)
	return nil
}

func queueDecision(q *pgx.Batch, step guardrails.StepID, d *guardrails.Decision) {
	q.Queue(`
		insert into decision (step_id, person_id, on_behalf_of, verdict, slot, binding, roles, strength, session, reason, incident, decided_at, as_role)
		values ($1, $2, nullif($3::bigint, 0), $4, nullif($5, ''), $6, coalesce($7, '{}'::text[]), $8, $9, $10, nullif($11, ''), $12, nullif($13, ''))`,
		step, d.Person, d.OnBehalfOf, d.Verdict, d.Slot, d.Binding[:], d.Roles, strengths[d.Strength], d.Session, d.Reason, d.BreakGlass, d.At, d.As)
}

// queueExecutions queues what was approved, byte for byte.
func queueExecutions(q *pgx.Batch, s *Step, now time.Time) {
	for n := range s.Targets {
		q.Queue(`
			insert into execution (step_id, operation, idempotency_key, target, lane, body, next_attempt_at)
			select $1, n, $3, target, $4, body, $5
			from operation
			where recommendation_id = $6 and n = $2`,
			s.ID, n, guardrails.IdempotencyKey(s.ID, n, s.Payload, false), s.lane, now, s.Recommendation)
	}
}

// queueFollowing cancels the executions of a step that will not be sent, and
// queues those again that are replayed: the same bytes under the same key.
func queueFollowing(q *pgx.Batch, was *Step, t *guardrails.Transition, now time.Time) {
	switch t.Event {
	case guardrails.WithdrawnBy, guardrails.FoundInvalid:
		if was.ApprovedAt.IsZero() {
			return
		}
		q.Queue(`
			update execution
			set state = 'cancelled', changed_at = $2
			where step_id = $1 and state = 'queued'`, was.ID, now)
	case guardrails.Replayed:
		q.Queue(`
			update execution
			set state = 'queued', attempt = 0, next_attempt_at = $2, changed_at = $2
			where step_id = $1 and state = 'refused' and compensation = $3`, was.ID, now, was.State == guardrails.CompensationFailed)
	default:
	}
}

func transitionEntry(was *Step, t *guardrails.Transition, actor string, now time.Time, prev audit.Hash) audit.Entry {
	e := audit.Entry{
		Stream: string(t.Step.ID), Seq: was.audited + 1, Prev: prev, At: now, Event: string(t.Event), Actor: actor,
		Facts: []audit.Fact{
			{Name: "from", Value: string(t.From)},
			{Name: "to", Value: string(t.Step.State)},
			{Name: "version", Value: strconv.Itoa(t.Step.Version)},
			{Name: "binding", Value: t.Step.Binding.String()},
			{Name: "reason", Value: t.Reason},
		},
	}
	if d := t.Decision; d != nil {
		e.Facts = append(e.Facts,
			audit.Fact{Name: "slot", Value: string(d.Slot)},
			audit.Fact{Name: "stood_in_as", Value: string(d.As)},
			audit.Fact{Name: "strength", Value: strengths[d.Strength]},
			audit.Fact{Name: "roles", Value: fmt.Sprint(d.Roles)},
			audit.Fact{Name: "incident", Value: d.BreakGlass})
	}
	return e
}

// noteChange adds an entry to a stream that no row's lock protects.
func noteChange(ctx context.Context, tx pgx.Tx, stream, event, actor string, facts []audit.Fact) error {
	return appendEntry(ctx, tx, audit.Entry{Stream: stream, Event: event, Actor: actor, Facts: facts})
}

// appendEntry adds an entry at the end of its stream, at the time by the database's
// clock unless it has one. Entries of one stream take turns.
func appendEntry(ctx context.Context, tx pgx.Tx, e audit.Entry) error {
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('audit'), hashtext($1))`, e.Stream); err != nil {
		return err
	}
	var now time.Time
	err := tx.QueryRow(ctx, `select coalesce(max(seq), 0) + 1, clock_timestamp() from audit_entry where stream = $1`, e.Stream).Scan(&e.Seq, &now)
	if err != nil {
		return err
	}
	if e.At.IsZero() {
		e.At = now
	}
	if e.Prev, err = lastLeaf(ctx, tx, e.Stream); err != nil {
		return err
	}
	q := &pgx.Batch{}
	if err := queueAudit(q, e); err != nil {
		return err
	}
	return tx.SendBatch(ctx, q).Close()
}

// lastLeaf returns the leaf that the next entry of a stream follows on. The
// caller holds the lock that makes entries of the stream take turns.
func lastLeaf(ctx context.Context, q querier, stream string) (leaf audit.Hash, err error) {
	var b []byte
	err = q.QueryRow(ctx, `
		select leaf
		from audit_entry
		where stream = $1
		order by seq desc
		limit 1`, stream).Scan(&b)
	if errors.Is(err, pgx.ErrNoRows) {
		return leaf, nil
	}
	copy(leaf[:], b)
	return leaf, err
}

func queueAudit(q *pgx.Batch, e audit.Entry) error {
	body, err := e.Body()
	if err != nil {
		return err
	}
	q.Queue(`insert into audit_entry (stream, seq, prev, body, at) values ($1, $2, $3, $4, $5)`, e.Stream, e.Seq, e.Prev[:], body, e.At)
	return nil
}
