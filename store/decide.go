package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

// By says who gives a command: a person who is signed in, or a machine.
type By struct {
	Person          guardrails.PersonID
	OnBehalfOf      guardrails.PersonID // 0 for themselves
	Session         string              // public id of the session
	AuthenticatedAt time.Time
	Operator        bool   // the command line acts in the person's name
	Machine         string // "" for a person
}

func (b *By) String() string {
	switch {
	case b.Machine != "":
		return b.Machine
	case b.Operator:
		return fmt.Sprintf("operator for person:%d", b.Person)
	case b.OnBehalfOf != 0:
		return fmt.Sprintf("person:%d for person:%d", b.Person, b.OnBehalfOf)
	}
	return fmt.Sprintf("person:%d", b.Person)
}

// Decide carries out a command on a step: the step is locked, the clock read,
// the command judged on what is true now, and everything that follows is
// written, or nothing. A command that the guards do not let through is a
// [*guardrails.Refusal]; that it was tried is in the audit log.
func (db *DB) Decide(ctx context.Context, id guardrails.StepID, by By, cmd guardrails.Command) (Step, error) {
	var after Step
	var refused error
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) (err error) {
		after, refused, err = db.decideIn(ctx, tx, id, by, cmd)
		return err
	})
	if err = errors.Join(err, refused); err != nil {
		return Step{}, fmt.Errorf("step %s: %w", id, err)
	}
	return after, nil
}

// decideIn is Decide within a transaction, which must commit also when the
// command was refused.
func (db *DB) decideIn(ctx context.Context, tx pgx.Tx, id guardrails.StepID, by By, cmd guardrails.Command) (after Step, refused, err error) {
	s, err := readStep(ctx, tx, id, `for update of s`)
	if err != nil {
		return Step{}, nil, err
	}
	if err := takeTurn(ctx, tx, &s, by, cmd); err != nil {
		return Step{}, nil, err
	}
	x, err := contextOf(ctx, tx, &s, by, cmd)
	if err != nil {
		return Step{}, nil, err
	}
	t, err := guardrails.Decide(s.Step, x, cmd)
	if r, ok := errors.AsType[*guardrails.Refusal](err); ok {
		return Step{}, r, noteRefusal(ctx, tx, &s, r, by.String(), x.Now)
	}
	if err != nil {
		return Step{}, nil, err
	}
	if err := db.saveTransition(ctx, tx, &s, &t, by.String(), x.Now); err != nil {
		return Step{}, nil, err
	}
	after, err = readStep(ctx, tx, id, "")
	return after, nil, err
}

// takeTurn makes approvals wait for each other that draw on the same limit: what
// an authority may approve in a day and, last, how often a site's glass is
// broken. Their steps differ, so that the steps' locks do not.
func takeTurn(ctx context.Context, tx pgx.Tx, s *Step, by By, cmd guardrails.Command) error {
	approve, ok := cmd.(guardrails.Approve)
	if !ok {
		return nil
	}
	authority := by.Person
	if by.OnBehalfOf != 0 {
		authority = by.OnBehalfOf
	}
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('daily limit'), hashtext($1))`, fmt.Sprint(authority)); err != nil {
		return err
	}
	if approve.Incident == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('glass'), hashtext($1))`, s.Site)
	return err
}

// noteRefusal writes down an attempt that the guards stopped.
func noteRefusal(ctx context.Context, tx pgx.Tx, s *Step, r *guardrails.Refusal, actor string, now time.Time) error {
	return appendEntry(ctx, tx, audit.Entry{
		Stream: string(s.ID) + "/refused", At: now, Event: "refused", Actor: actor,
		Facts: []audit.Fact{{Name: "code", Value: string(r.Code)}, {Name: "detail", Value: r.Detail}},
	})
}

// contextOf reads what a command is judged by. The clock is read first, after
// the step's lock; everything else may only be newer.
func contextOf(ctx context.Context, tx pgx.Tx, s *Step, by By, cmd guardrails.Command) (guardrails.Context, error) {
	now, err := clock(ctx, tx)
	if err != nil {
		return guardrails.Context{}, err
	}
	x := guardrails.Context{Now: now, ModelInForce: true}
	if x.Decisions, err = decisionsOf(ctx, tx, s.ID); err != nil {
		return x, err
	}
	ids := []guardrails.PersonID{by.Person, by.OnBehalfOf}
	for _, d := range x.Decisions {
		ids = append(ids, d.Person, d.OnBehalfOf)
	}
	if r, ok := cmd.(guardrails.Reassign); ok {
		ids = append(ids, r.To)
	}
	if x.People, err = people(ctx, tx, ids); err != nil {
		return x, err
	}
	x.Actor = guardrails.Actor{Person: x.People[by.Person], Machine: by.Machine, Session: by.Session, AuthenticatedAt: by.AuthenticatedAt}
	if by.OnBehalfOf != 0 {
		principal := x.People[by.OnBehalfOf]
		x.Actor.Principal = &principal
		if x.Actor.Delegation, err = delegationOf(ctx, tx, s, by, now); err != nil {
			return x, err
		}
	}
	if x.Spent, err = spent(ctx, tx, x.Actor); err != nil {
		return x, err
	}
	return x, addWorld(ctx, tx, s, &x)
}

func decisionsOf(ctx context.Context, q querier, id guardrails.StepID) ([]guardrails.Decision, error) {
	rows, _ := q.Query(ctx, `
		select person_id, coalesce(on_behalf_of, 0), verdict, coalesce(slot, ''), binding, roles, strength = 'fresh',
			session, reason, coalesce(incident, ''), decided_at, coalesce(as_role, '')
		from decision
		where step_id = $1
		order by id`, id)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d guardrails.Decision, err error) {
		var binding []byte
		var fresh bool
		err = row.Scan(&d.Person, &d.OnBehalfOf, &d.Verdict, &d.Slot, &binding, &d.Roles, &fresh, &d.Session, &d.Reason, &d.BreakGlass, &d.At, &d.As)
		copy(d.Binding[:], binding)
		if fresh {
			d.Strength = guardrails.Fresh
		}
		return d, err
	})
}

// spent sums what the authority that the actor uses approved in 24 hours.
func spent(ctx context.Context, q querier, a guardrails.Actor) (int64, error) {
	who := a.Person.ID
	if a.Principal != nil {
		who = a.Principal.ID
	}
	var sum int64
	err := q.QueryRow(ctx, `
		select least(coalesce(sum(s.value_minor), 0), 9223372036854775807)::bigint
		from decision d
		join step s on s.id = d.step_id and s.binding = d.binding
		where coalesce(d.on_behalf_of, d.person_id) = $1 and d.verdict = 'approve'
			and d.decided_at > clock_timestamp() - interval '24 hours'`, who).Scan(&sum)
	return sum, err
}

// addWorld reads switches, freezes, broken glass, the policy's denials and
// whether the facts still hold.
func addWorld(ctx context.Context, q querier, s *Step, x *guardrails.Context) error {
	rows, _ := q.Query(ctx, `
		select coalesce(kind, ''), coalesce(site, ''), coalesce(model_id, 0), coalesce(target, ''), reason
		from kill_switch
		where lifted_at is null`)
	var err error
	if x.Switches, err = pgx.CollectRows(rows, pgx.RowToStructByPos[guardrails.Switch]); err != nil {
		return err
	}
	rows, _ = q.Query(ctx, `
		select coalesce(kind, ''), coalesce(site, ''), begins_at, ends_at, reason
		from freeze_window
		where lifted_at is null and ends_at > clock_timestamp()`)
	if x.Freezes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[guardrails.Freeze]); err != nil {
		return err
	}
	return q.QueryRow(ctx, `
		select count(*) filter (where approved_at > clock_timestamp() - interval '720 hours'),
			coalesce(bool_or(approved_at < clock_timestamp() - interval '24 hours'
				and (select count(*) from glass_review g where g.step_id = step.id) < $2), false)
		from step
		where site = $1 and break_glass`, s.Site, guardrails.GlassReviews).Scan(&x.GlassBroken, &x.ReviewLate)
}
