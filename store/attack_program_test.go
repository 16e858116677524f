package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// What a program that has gone wrong might write with the rights that it has.
func TestAttackByTheProgramItself(t *testing.T) {
	for _, tt := range []struct {
		name   string
		attack func(*floor)
	}{
		{"58 an operation is added to what was approved", attackAddedOperation},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := storetest.DSN(t)
			f := &floor{t, open(t, dsn), connect(t, dsn)}
			tt.attack(f)
			f.sound()
		})
	}
}

// asProgram carries out statements as the program's role, one transaction for all, and
// returns what stopped them.
func (f *floor) asProgram(statements ...string) error {
	f.Helper()
	return pgx.BeginFunc(f.Context(), f.conn, func(tx pgx.Tx) error {
		for _, s := range append([]string{`set local role ` + store.AppRole}, statements...) {
			if _, err := tx.Exec(f.Context(), s); err != nil {
				return err
			}
		}
		return nil
	})
}

func attackAddedOperation(f *floor) {
	s := f.propose(ticket("T-1", "receiving"))
	if _, err := f.db.Decide(f.Context(), s.ID, f.person("supervisor"), guardrails.Approve{Binding: s.Binding}); err != nil {
		f.Fatal(err)
	}
	const add = `insert into operation (recommendation_id, n, target, body, irreversible) select recommendation_id, 1, 'erp', 'anything', 'x' from step`
	const send = `insert into execution (step_id, operation, idempotency_key, target, lane, body)
		select id, 1, 'tly_aaaaaaaaaaaaaaaaaaaaaaaaaa', 'erp', 'x', 'anything' from step`
	if err := f.asProgram(add, send); constraintOf(err) != "operation_of_step" {
		f.Errorf("an operation that nobody approved: %v", err)
	}
	// In a transaction that began before the step was there.
	exec(f.T, f.conn, `alter table operation disable trigger operation_change`)
	if err := f.asProgram(add, send); constraintOf(err) != "step_plan" {
		f.Errorf("its execution: %v", err)
	}
	if err := f.asProgram(`delete from operation`); err == nil {
		f.Error("what was approved is gone")
	}
}
