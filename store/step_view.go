package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

// StepView is a step with everything that is known about it.
type StepView struct {
	Step
	Now        time.Time // the database's
	Stake      int64     // what is at stake in this step alone
	Facts      json.RawMessage
	Plan       guardrails.Plan
	Decisions  []guardrails.Decision
	Standing   []guardrails.Decision // the approvals that count now
	Executions []ExecutionView
	History    []audit.Entry // refusals included, the latest first
	Earlier    int           // entries that are not in History
	Successor  guardrails.StepID
	Names      map[guardrails.PersonID]string // of everybody in it
	Deciders   []Decider                      // who could approve it by role
}

// ExecutionView is how far an operation got.
type ExecutionView struct {
	Operation    int
	Compensation bool
	Key          string
	Target       string
	State        guardrails.ExecutionState
	Attempt      int
	NextAt       time.Time
	Status       *int // HTTP, of the last answer
	Error        *string
}

// Waits returns the operation that waits for a human's word, nil for none.
func (v *StepView) Waits() *ExecutionView {
	for i := range v.Executions {
		e := &v.Executions[i]
		if e.State == guardrails.Uncertain || e.State == guardrails.Sending && e.Target == guardrails.TargetManual {
			return e
		}
	}
	return nil
}

// Decider is a person whom a step can be given to.
type Decider struct {
	ID   guardrails.PersonID
	Name string
}

// How much of its history a view of a step has. Refusals count by themselves, so
// that any number of attempts hides nothing that was decided.
const (
	mostHistory = 500
	mostRefused = 50
)

// StepView returns a step with what is known about it. One that the viewer may not
// see is not there.
func (db *DB) StepView(ctx context.Context, viewer Viewer, id guardrails.StepID) (StepView, error) {
	var v StepView
	err := db.read(ctx, viewer, func(tx pgx.Tx) (err error) {
		if v.Step, err = readStep(ctx, tx, id, ""); err != nil {
			return err
		}
		if v.Now, err = clock(ctx, tx); err != nil {
			return err
		}
		for _, read := range []func(context.Context, pgx.Tx) error{v.readPlan, v.readDecisions, v.readExecutions, v.readHistory, v.readSuccessor, v.readPeople} {
			if err := read(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return StepView{}, fmt.Errorf("view of step %s: %w", id, err)
	}
	return v, nil
}

func (v *StepView) readPlan(ctx context.Context, tx pgx.Tx) error {
	err := tx.QueryRow(ctx, `
		select s.stake_minor, r.facts
		from step s
		join recommendation r on r.id = s.recommendation_id
		where s.id = $1`, v.ID).Scan(&v.Stake, &v.Facts)
	if err != nil {
		return err
	}
	rows, _ := tx.Query(ctx, `select target, body, compensate, coalesce(irreversible, '') from operation where recommendation_id = $1 order by n`, v.Recommendation)
	v.Plan, err = pgx.CollectRows(rows, pgx.RowToStructByPos[guardrails.Operation])
	return err
}

func (v *StepView) readDecisions(ctx context.Context, tx pgx.Tx) (err error) {
	if v.Decisions, err = decisionsOf(ctx, tx, v.ID); err != nil {
		return err
	}
	x := guardrails.Context{Now: v.Now, Decisions: v.Decisions}
	var ids []guardrails.PersonID
	for _, d := range v.Decisions {
		ids = append(ids, d.Person, d.OnBehalfOf)
	}
	if x.People, err = people(ctx, tx, ids); err != nil {
		return err
	}
	v.Standing = guardrails.Standing(&v.Step.Step, &x)
	return nil
}

func (v *StepView) readExecutions(ctx context.Context, tx pgx.Tx) (err error) {
	rows, _ := tx.Query(ctx, `
		select operation, compensation, idempotency_key, target, state, attempt, next_attempt_at, answer_status, error
		from execution
		where step_id = $1
		order by compensation, operation`, v.ID)
	v.Executions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ExecutionView])
	return err
}

func (v *StepView) readHistory(ctx context.Context, tx pgx.Tx) error {
	rows, _ := tx.Query(ctx, `
		select body
		from (
			(select body, at, stream, seq from audit_entry where stream in ($1, $1 || '/review') order by at desc, stream desc, seq desc limit $2)
			union all
			(select body, at, stream, seq from audit_entry where stream = $1 || '/refused' order by seq desc limit $3)) e
		order by at desc, stream desc, seq desc`, string(v.ID), mostHistory, mostRefused)
	bodies, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return err
	}
	oldest := map[string]int{}
	for _, body := range bodies {
		e, err := audit.ParseEntry(body)
		if err != nil {
			return err
		}
		v.History = append(v.History, e)
		oldest[e.Stream] = e.Seq
	}
	for _, seq := range oldest {
		v.Earlier += seq - 1 // a stream has no gaps
	}
	return nil
}

// readSuccessor finds the step that is in the place of one that ended: a ranking
// replaces its proposals without naming each one's successor.
func (v *StepView) readSuccessor(ctx context.Context, tx pgx.Tx) error {
	if v.State.Live() {
		return nil
	}
	if v.Successor = v.SupersededBy; v.Successor != "" {
		return nil
	}
	return tx.QueryRow(ctx, `
		select coalesce((select id from step where action = $1 and site = $2 and subject = $3 and `+liveStates+`), '')`,
		v.Kind, v.Site, v.Subject).Scan(&v.Successor)
}

func (v *StepView) readPeople(ctx context.Context, tx pgx.Tx) error {
	ids := []guardrails.PersonID{v.Assignee}
	for _, p := range v.Parties {
		ids = append(ids, p.Person)
	}
	for _, d := range v.Decisions {
		ids = append(ids, d.Person, d.OnBehalfOf)
	}
	for _, e := range v.History {
		for word := range strings.FieldsSeq(e.Actor) {
			if n, err := strconv.ParseInt(strings.TrimPrefix(word, "person:"), 10, 64); err == nil {
				ids = append(ids, guardrails.PersonID(n))
			}
		}
	}
	v.Names = map[guardrails.PersonID]string{}
	rows, _ := tx.Query(ctx, `select id, name from person where id = any ($1)`, ids)
	var c Decider
	if _, err := pgx.ForEachRow(rows, []any{&c.ID, &c.Name}, func() error { v.Names[c.ID] = c.Name; return nil }); err != nil {
		return err
	}
	rows, _ = tx.Query(ctx, `
		select p.id, p.name
		from person p
		where p.deactivated_at is null and exists (
			select from role_grant g
			where g.person_id = p.id and g.revoked_at is null and g.role = any ($1) and g.site in ($2, '*'))
		order by p.name, p.id
		limit 200`, v.Roles(v.Now), v.Site)
	var err error
	v.Deciders, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Decider])
	return err
}
