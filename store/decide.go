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

// authority is whose limits a decision draws on.
func (b *By) authority() guardrails.PersonID {
	if b.OnBehalfOf != 0 {
		return b.OnBehalfOf
	}
	return b.Person
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
	var c *command
	err := db.inTwo(ctx,
		func(q *pgx.Batch) { c = queueCommand(q, id, by, cmd) },
		func(q *pgx.Batch) (err error) {
			after, err = db.queueOutcome(q, c)
			return err
		})
	if r, ok := errors.AsType[*guardrails.Refusal](err); ok {
		err = errors.Join(pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error { return c.noteRefusal(ctx, tx, r) }), r)
	}
	if err != nil {
		return Step{}, fmt.Errorf("step %s: %w", id, err)
	}
	return after, nil
}

// decideIn is Decide within a transaction, which must commit also when the
// command was refused.
func (db *DB) decideIn(ctx context.Context, tx pgx.Tx, id guardrails.StepID, by By, cmd guardrails.Command) (after Step, refused, err error) {
	q := &pgx.Batch{}
	c := queueCommand(q, id, by, cmd)
	if err := tx.SendBatch(ctx, q).Close(); err != nil {
		return Step{}, nil, err
	}
	q = &pgx.Batch{}
	after, err = db.queueOutcome(q, c)
	if r, ok := errors.AsType[*guardrails.Refusal](err); ok {
		return Step{}, r, c.noteRefusal(ctx, tx, r)
	}
	if err != nil {
		return Step{}, nil, err
	}
	return after, nil, tx.SendBatch(ctx, q).Close()
}

// command is a command on a step, with what it is judged by.
type command struct {
	guardrails.Command
	by      By
	step    Step
	context guardrails.Context
}

// queueCommand queues the locks and then the reading of what a command is judged
// by. Each statement sees what was committed when it begins.
func queueCommand(q *pgx.Batch, id guardrails.StepID, by By, cmd guardrails.Command) *command {
	c := &command{Command: cmd, by: by}
	queueLock(q, id, &c.step)
	queueTurn(q, id, by, cmd)
	queueContext(q, id, by, cmd, &c.context)
	return c
}

// queueOutcome judges a command and queues what follows from it.
func (db *DB) queueOutcome(q *pgx.Batch, c *command) (after Step, err error) {
	t, err := guardrails.Decide(c.step.Step, c.context, c.Command)
	if err != nil {
		return Step{}, err
	}
	return c.step.after(&t, c.context.Now), db.queueTransition(q, &c.step, &t, c.by.String(), c.context.Now)
}

func (c *command) noteRefusal(ctx context.Context, tx pgx.Tx, r *guardrails.Refusal) error {
	return noteRefusal(ctx, tx, &c.step, r, c.by.String(), c.context.Now)
}

// queueTurn makes approvals wait for each other that draw on the same limit: what
// an authority may approve in a day and, last, how often a site's glass is
// broken. Their steps differ, so that the steps' locks do not.
func queueTurn(q *pgx.Batch, id guardrails.StepID, by By, cmd guardrails.Command) {
	approve, ok := cmd.(guardrails.Approve)
	if !ok {
		return
	}
	q.Queue(`select pg_advisory_xact_lock(hashtext('daily limit'), hashtext($1))`, fmt.Sprint(by.authority()))
	if approve.Incident != "" {
		q.Queue(`select pg_advisory_xact_lock(hashtext('glass'), hashtext(site)) from step where id = $1`, id)
	}
}

// noteRefusal writes down an attempt that the guards stopped.
func noteRefusal(ctx context.Context, tx pgx.Tx, s *Step, r *guardrails.Refusal, actor string, now time.Time) error {
	return appendEntry(ctx, tx, audit.Entry{
		Stream: string(s.ID) + "/refused", At: now, Event: "refused", Actor: actor,
		Facts: []audit.Fact{{Name: "code", Value: string(r.Code)}, {Name: "detail", Value: r.Detail}},
	})
}

// contextOf reads what a command on a step is judged by.
func contextOf(ctx context.Context, tx pgx.Tx, id guardrails.StepID, by By, cmd guardrails.Command) (x guardrails.Context, err error) {
	q := &pgx.Batch{}
	queueContext(q, id, by, cmd, &x)
	return x, tx.SendBatch(ctx, q).Close()
}

// queueContext queues the reading of what a command is judged by. The clock is read
// first, after the step's lock; everything else may only be newer.
func queueContext(q *pgx.Batch, id guardrails.StepID, by By, cmd guardrails.Command, x *guardrails.Context) {
	x.ModelInForce = true
	x.Actor = guardrails.Actor{Machine: by.Machine, Session: by.Session, AuthenticatedAt: by.AuthenticatedAt}
	q.Queue(`select clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&x.Now) })
	q.Queue(decisionsQuery, id).Query(func(rows pgx.Rows) (err error) {
		x.Decisions, err = pgx.CollectRows(rows, scanDecision)
		return err
	})
	ids := []guardrails.PersonID{by.Person, by.OnBehalfOf}
	if r, ok := cmd.(guardrails.Reassign); ok {
		ids = append(ids, r.To)
	}
	queuePeople(q, ids, id, func(found map[guardrails.PersonID]guardrails.Person) {
		x.People, x.Actor.Person = found, found[by.Person]
		if by.OnBehalfOf != 0 {
			principal := found[by.OnBehalfOf]
			x.Actor.Principal = &principal
		}
	})
	if by.OnBehalfOf != 0 {
		queueDelegation(q, id, by, &x.Actor.Delegation)
	}
	switch cmd := cmd.(type) {
	case guardrails.Approve:
		queueSpent(q, id, by.authority(), &x.Spent)
		if cmd.Incident != "" {
			queueGlass(q, id, x)
		}
	case guardrails.Dispatch, guardrails.Replay:
		queueHolds(q, x)
	default:
	}
}

const decisionsQuery = `
	select person_id, coalesce(on_behalf_of, 0), verdict, coalesce(slot, ''), binding, roles, strength = 'fresh',
		session, reason, coalesce(incident, ''), decided_at, coalesce(as_role, '')
	from decision
	where step_id = $1
	order by id`

func scanDecision(row pgx.CollectableRow) (d guardrails.Decision, err error) {
	var binding []byte
	var fresh bool
	err = row.Scan(&d.Person, &d.OnBehalfOf, &d.Verdict, &d.Slot, &binding, &d.Roles, &fresh, &d.Session, &d.Reason, &d.BreakGlass, &d.At, &d.As)
	copy(d.Binding[:], binding)
	if fresh {
		d.Strength = guardrails.Fresh
	}
	return d, err
}

func decisionsOf(ctx context.Context, q querier, id guardrails.StepID) ([]guardrails.Decision, error) {
	rows, _ := q.Query(ctx, decisionsQuery, id)
	return pgx.CollectRows(rows, scanDecision)
}

// spentQuery sums what an authority approved in 24 hours.
const spentQuery = `
	select least(coalesce(sum(s.value_minor), 0), 9223372036854775807)::bigint
	from decision d
	join step s on s.id = d.step_id and s.binding = d.binding
	where coalesce(d.on_behalf_of, d.person_id) = $1 and d.verdict = 'approve'
		and d.decided_at > statement_timestamp() - interval '24 hours'`

// spentForQuery is [spentQuery] for one more step. Approvals that were voided since
// count as well as long as nobody is beyond a daily limit by that.
const spentForQuery = `
	with approved as (
		select coalesce(sum(value_minor), 0) as minor
		from decision
		where coalesce(on_behalf_of, person_id) = $1 and verdict = 'approve'
			and decided_at > statement_timestamp() - interval '24 hours')
	select case
		when exists (
			select from role_grant g
			where g.person_id = $1 and g.revoked_at is null and not g.unlimited and g.daily_minor < approved.minor + s.value_minor)
		then (` + spentQuery + `)
		else least(approved.minor, 9223372036854775807)::bigint
	end
	from approved, step s
	where s.id = $2`

func queueSpent(q *pgx.Batch, id guardrails.StepID, who guardrails.PersonID, sum *int64) {
	q.Queue(spentForQuery, who, id).QueryRow(func(row pgx.Row) error { return row.Scan(sum) })
}

func spent(ctx context.Context, q querier, who guardrails.PersonID) (sum int64, err error) {
	return sum, q.QueryRow(ctx, spentQuery, who).Scan(&sum)
}

// queueHolds queues the reading of what keeps a step from being sent: switches and
// freezes.
func queueHolds(q *pgx.Batch, x *guardrails.Context) {
	q.Queue(`
		select coalesce(kind, ''), coalesce(site, ''), coalesce(model_id, 0), coalesce(target, ''), reason
		from kill_switch
		where lifted_at is null`).Query(func(rows pgx.Rows) (err error) {
		x.Switches, err = pgx.CollectRows(rows, pgx.RowToStructByPos[guardrails.Switch])
		return err
	})
	q.Queue(`
		select coalesce(kind, ''), coalesce(site, ''), begins_at, ends_at, reason
		from freeze_window
		where lifted_at is null and ends_at > clock_timestamp()`).Query(func(rows pgx.Rows) (err error) {
		x.Freezes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[guardrails.Freeze])
		return err
	})
}

// queueGlass queues the reading of how often the glass was broken at a step's site.
func queueGlass(q *pgx.Batch, id guardrails.StepID, x *guardrails.Context) {
	q.Queue(`
		select count(*) filter (where approved_at > clock_timestamp() - interval '720 hours'),
			coalesce(bool_or(approved_at < clock_timestamp() - interval '24 hours'
				and (select count(*) from glass_review g where g.step_id = step.id) < $2), false)
		from step
		where site = (select site from step where id = $1) and break_glass`, id, guardrails.GlassReviews).
		QueryRow(func(row pgx.Row) error { return row.Scan(&x.GlassBroken, &x.ReviewLate) })
}
