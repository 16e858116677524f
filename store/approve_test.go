package store_test

import (
	"context"
	"errors"
	"testing"

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
	var r *guardrails.Refusal
	if errors.As(err, &r) {
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
		by[i] = store.By{Person: supervisor(t, conn, "DC-1"), Session: "s"}
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

// Whatever the program does, the database holds its own.
func TestTheDatabaseHoldsItsOwn(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step := propose(t, db)
	person := supervisor(t, conn, "DC-1")
	const approve = `insert into decision (step_id, person_id, verdict, slot, binding, roles, strength, session, reason)
		select id, $1, 'approve', 'supervisor', binding, '{}', 'session', 's', '' from step where id = $2`
	const execute = `insert into execution (step_id, operation, idempotency_key, target, lane, body)
		select s.id, 0, 'tly_aaaaaaaaaaaaaaaaaaaaaaaaaa', o.target, 'x', o.body
		from step s join operation o using (recommendation_id) where s.id = $1`
	for name, statements := range map[string][]string{
		"executed without approval": {execute},
		"approved without audit":    {`update step set state = 'approved', approved_at = now(), version = 2 where id = $1`},
		"skipped a version":         {`update step set escalation = 1, version = 3, audited = 2 where id = $1`},
		"another binding":           {`update step set binding = sha256('x'), version = 2 where id = $1`},
		"weaker":                    {`update step set requirement = jsonb_set(requirement, '{slots}', '[]'), binding = sha256('x'), version = 2 where id = $1`},
		"another payload":           {`update step set payload_hash = sha256('x'), version = 2 where id = $1`},
		"from nothing to done":      {`update step set state = 'succeeded', approved_at = now(), version = 2 where id = $1`},
		"deleted":                   {`delete from step where id = $1`},
		"another recommendation":    {`update recommendation set payload = 'x' where id = (select recommendation_id from step where id = $1)`},
		"an edited audit log":       {`update audit_entry set body = 'x' where stream = $1`},
	} {
		t.Run(name, func(t *testing.T) {
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range statements {
				if _, err = tx.Exec(t.Context(), s, step.ID); err != nil {
					break
				}
			}
			if err == nil {
				err = tx.Commit(t.Context())
			} else {
				_ = tx.Rollback(t.Context())
			}
			if err == nil {
				t.Error("the owner of the tables could do it")
			}
		})
	}
	exec(t, conn, approve, person, step.ID)
	if _, err := conn.Exec(t.Context(), approve, person, step.ID); err == nil {
		t.Error("one human approved twice")
	}
	exec(t, conn, `update person set deactivated_at = now()`)
	other := supervisor(t, conn, "DC-1")
	exec(t, conn, `update person set deactivated_at = now()`)
	if _, err := conn.Exec(t.Context(), approve, other, step.ID); err == nil {
		t.Error("somebody who left approved")
	}
}
