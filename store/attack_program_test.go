package store_test

import (
	"fmt"
	"testing"
	"time"

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
		{"59 a decision that nobody could make", attackDecisions},
		{"60 somebody is kept from deciding", attackFilledAhead},
		{"61 a policy that nobody approved", attackPolicy},
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

// Decisions that a program writes down without asking whether they may be made.
func attackDecisions(f *floor) {
	plain, denied, fresh, dear := f.propose(ticket("T-1", "receiving")), f.propose(ticket("T-2", "receiving")), f.propose(ticket("T-3", "receiving")), f.propose(ticket("T-4", "receiving"))
	f.tighten(denied, guardrails.Denied("no"))
	anew, err := guardrails.Require([]guardrails.Slot{{Role: "supervisor", Count: 1}}, guardrails.Fresh, 0, fresh.Requirement.Life)
	if err != nil {
		f.Fatal(err)
	}
	f.tighten(fresh, anew)
	exec(f.T, f.conn, `alter table step disable trigger user`)
	exec(f.T, f.conn, `update step set value_minor = 101 where id = $1`, dear.ID)
	exec(f.T, f.conn, `alter table step enable trigger user`)
	by, other := f.person("supervisor"), f.person("supervisor")
	small := holder(f.T, f.conn, "small@example.com", "auditor")
	exec(f.T, f.conn, `insert into role_grant (person_id, role, site, limit_minor, daily_minor, origin) values ($1, 'supervisor', '*', 100, 100000, 'command')`, small)
	for _, tt := range []struct {
		rule   string
		step   guardrails.StepID
		person guardrails.PersonID
		other  any
		ago    string
	}{
		{"decision_now", plain.ID, by.Person, nil, "61 seconds"},
		{"decision_now", plain.ID, by.Person, nil, "-61 seconds"},
		{"decision_denied", denied.ID, by.Person, nil, "0"},
		{"decision_fresh", fresh.ID, by.Person, nil, "0"},
		{"decision_role", dear.ID, small, nil, "0"},
		{"decision_delegation", plain.ID, by.Person, other.Person, "0"},
		{"", plain.ID, small, nil, "0"},
		{"", dear.ID, by.Person, nil, "0"},
	} {
		_, err := f.conn.Exec(f.Context(), `
			insert into decision (step_id, person_id, on_behalf_of, verdict, slot, binding, roles, strength, session, reason, decided_at)
			select id, $2, $3, 'approve', 'supervisor', binding, '{}', 'session', 's', '', clock_timestamp() - $4::interval from step where id = $1`,
			tt.step, tt.person, tt.other, tt.ago)
		if constraintOf(err) != tt.rule || tt.rule == "" && err != nil {
			f.Errorf("%v, want it refused by %q", err, tt.rule)
		}
	}
}

func (f *floor) tighten(s store.Step, r guardrails.Requirement) {
	f.Helper()
	if _, err := f.db.Decide(f.Context(), s.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: guardrails.Join(s.Requirement, r), Policy: s.Policy}); err != nil {
		f.Fatal(err)
	}
}

func attackFilledAhead(f *floor) {
	first, s, by := f.propose(ticket("T-1", "receiving")), f.propose(ticket("T-2", "receiving")), f.person("supervisor")
	if _, err := f.db.Decide(f.Context(), first.ID, by, guardrails.Approve{Binding: first.Binding}); err != nil {
		f.Fatal(err)
	}
	err := f.asProgram(`
		insert into decision_human (step_id, binding, person_id, decision_id)
		select s.id, s.binding, d.person_id, d.id from step s, decision d where s.state = 'pending'`)
	if err == nil {
		f.Error("a row for somebody who has not decided")
	}
	if _, err := f.db.Decide(f.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding}); err != nil {
		f.Errorf("who has not decided cannot: %v", err)
	}
}

func attackPolicy(f *floor) {
	holder(f.T, f.conn, "author@example.com", "policy_owner")
	effective := clockOf(f.T, f.conn).Add(2 * time.Hour)
	s, err := f.db.ProposePolicy(f.Context(), withTwoSupervisors(f.T), "author@example.com", effective, []byte("{}"))
	if err != nil {
		f.Fatal(err)
	}
	const schedule = `update policy set state = 'scheduled', effective_from = clock_timestamp() + interval '2 hours' where state = 'draft'`
	for name, statement := range map[string]string{
		"scheduled":         schedule,
		"in force at once":  `update policy set state = 'active', effective_from = clock_timestamp() where state = 'draft'`,
		"in force from new": `insert into policy (version, name, source, state, effective_from) values (encode(sha256('x'), 'hex'), 'x', 'x', 'active', clock_timestamp())`,
	} {
		if err := f.asProgram(`update policy set state = 'retired' where state = 'active'`, statement); constraintOf(err) != "policy_step" {
			f.Errorf("%s: %v", name, err)
		}
	}
	for range 2 {
		by := f.person("policy_owner")
		if _, err := f.db.Decide(f.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding}); err != nil {
			f.Fatal(err)
		}
	}
	if _, err := f.db.ClaimExecution(f.Context(), s.ID, "worker"); err != nil {
		f.Fatal(err)
	}
	for rule, statement := range map[string]string{
		"policy_step":      `update policy set state = 'scheduled', effective_from = clock_timestamp() where state = 'draft'`,
		"policy_immutable": `update policy set name = 'another' where state = 'draft'`,
	} {
		if err := f.asProgram(statement); constraintOf(err) != rule {
			f.Errorf("%s: %v", statement, err)
		}
	}
	soon := fmt.Sprintf(`update policy set state = 'scheduled', effective_from = '%s' where state = 'draft'`, effective.UTC().Format(time.RFC3339Nano))
	for _, then := range []string{`update policy set state = 'active' where state = 'scheduled'`, `update policy set effective_from = clock_timestamp() where state = 'scheduled'`} {
		if err := f.asProgram(soon, `update policy set state = 'retired' where state = 'active'`, then); constraintOf(err) == "" {
			f.Errorf("%s: it is in force before its time", then)
		}
	}
}
