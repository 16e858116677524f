package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

func propose(t *testing.T, db *store.DB) store.Step {
	t.Helper()
	s, err := db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: "T-1", Team: "receiving"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
	}, store.Source{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func codeOf(err error) guardrails.Code {
	if r, ok := errors.AsType[*guardrails.Refusal](err); ok {
		return r.Code
	}
	return ""
}

func TestOneOfManyApprovalsCounts(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step := propose(t, db)
	by := make([]store.By, 16)
	for i := range by {
		by[i] = store.By{Person: supervisor(t, conn), Session: "s"}
	}
	won := make([]bool, len(by))
	var group errgroup.Group
	for i := range by {
		group.Go(func() error {
			_, err := db.Decide(context.WithoutCancel(t.Context()), step.ID, by[i], guardrails.Approve{Binding: step.Binding})
			won[i] = err == nil
			if err != nil && codeOf(err) != guardrails.CodeNotPending {
				return err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, w := range won {
		if w {
			n++
		}
	}
	var executions, decisions, jobs int
	err := conn.QueryRow(t.Context(), `
		select (select count(*) from execution), (select count(*) from decision), (select count(*) from river_job where kind = 'execute')`).
		Scan(&executions, &decisions, &jobs)
	if err != nil || n != 1 || executions != 1 || decisions != 1 || jobs != 1 {
		t.Errorf("%d approvals won; %d executions, %d decisions, %d jobs, %v; want one of each", n, executions, decisions, jobs, err)
	}
	e, err := db.ClaimExecution(t.Context(), step.ID, "worker")
	if err != nil || string(e.Body) != string(step.PayloadBytes) || e.Epoch != 1 || e.Target != guardrails.TargetManual {
		t.Errorf("claimed %+v, %v", e, err)
	}
	if _, err := db.ClaimExecution(t.Context(), step.ID, "other"); !errors.Is(err, store.ErrNothingToSend) {
		t.Errorf("claimed twice: %v", err)
	}
}

// constraintOf names what an error of the database says was violated.
func constraintOf(err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return ""
	}
	return pg.ConstraintName
}

// Whatever the program does, the database holds its own.
func TestTheDatabaseHoldsItsOwn(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step := propose(t, db)
	person := supervisor(t, conn)
	const approve = `insert into decision (step_id, person_id, verdict, slot, binding, roles, strength, session, reason)
		select id, $1, 'approve', 'supervisor', binding, '{}', 'session', 's', '' from step where id = $2`
	const execute = `insert into execution (step_id, operation, idempotency_key, target, lane, body)
		select s.id, 0, 'tly_aaaaaaaaaaaaaaaaaaaaaaaaaa', o.target, 'x', o.body
		from step s join operation o using (recommendation_id) where s.id = $1`
	for name, tt := range map[string]struct{ statement, constraint string }{
		"executed without approval": {execute, "execution_approved"},
		"approved without audit":    {`update step set state = 'approved', approved_at = now(), version = 2 where id = $1`, "step_audited"},
		"skipped a version":         {`update step set escalation = 1, version = 3, audited = 2 where id = $1`, "step_version"},
		"another binding":           {`update step set binding = sha256('x'), version = 2 where id = $1`, "step_immutable"},
		"weaker":                    {`update step set requirement = jsonb_set(requirement, '{slots}', '[]'), binding = sha256('x'), version = 2 where id = $1`, "step_no_weaker"},
		"another payload":           {`update step set payload_hash = sha256('x'), version = 2 where id = $1`, "step_immutable"},
		"from nothing to done":      {`update step set state = 'succeeded', approved_at = now(), version = 2 where id = $1`, "step_transition"},
		"deleted":                   {`delete from step where id = $1`, "step_stays"},
		"another recommendation":    {`update recommendation set payload = 'x' where id = (select recommendation_id from step where id = $1)`, "recommendation_immutable"},
		"an edited audit log":       {`update audit_entry set body = 'x' where stream = $1`, "audit_entry_immutable"},
		"a gap in the audit log":    {`insert into audit_entry (stream, seq, prev, body, at) values ($1, 5, sha256('x'), 'x', now())`, "audit_entry_chain"},
		"a decision on other facts": {`insert into decision (step_id, person_id, verdict, slot, binding, roles, strength, session, reason)
			select $1, max(id), 'approve', 'supervisor', sha256('x'), '{}', 'session', 's', '' from person`, "decision_binding"},
		"a decision in a role that is not held": {`insert into decision (step_id, person_id, verdict, slot, binding, roles, strength, session, reason)
			select s.id, max(p.id), 'approve', 'finance', s.binding, '{}', 'session', 's', '' from step s, person p where s.id = $1 group by s.id`, "decision_role"},
	} {
		t.Run(name, func(t *testing.T) {
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err = tx.Exec(t.Context(), tt.statement, step.ID); err == nil {
				err = tx.Commit(t.Context())
			} else {
				_ = tx.Rollback(t.Context())
			}
			if got := constraintOf(err); got != tt.constraint {
				t.Errorf("%v is held by %q, want %q", err, got, tt.constraint)
			}
		})
	}
	exec(t, conn, approve, person, step.ID)
	if _, err := conn.Exec(t.Context(), approve, person, step.ID); constraintOf(err) != "decision_human_pkey" {
		t.Errorf("one human approved twice: %v", err)
	}
	exec(t, conn, `update person set deactivated_at = now()`)
	other := supervisor(t, conn)
	exec(t, conn, `update person set deactivated_at = now()`)
	if _, err := conn.Exec(t.Context(), approve, other, step.ID); constraintOf(err) != "decision_active" {
		t.Errorf("somebody who left approved: %v", err)
	}
}
