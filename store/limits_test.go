package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

func proposeCount(t *testing.T, db *store.DB, sku warehouse.SKU) store.Step {
	t.Helper()
	s, err := db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.CountPosition{Location: "A-1", SKU: sku},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "model:m"}},
		Facts:   guardrails.Facts{ValueMinor: 1000, Currency: "EUR"},
	}, store.Source{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// approval is one of several that are given at once.
type approval struct {
	step store.Step
	by   store.By
	cmd  guardrails.Approve
}

// approveAtOnce gives approvals so that each waits for the others before it can
// write, and returns the codes of those that were refused.
func approveAtOnce(t *testing.T, dsn string, conn *pgx.Conn, approvals []approval) []guardrails.Code {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `lock table decision in share mode`); err != nil {
		t.Fatal(err)
	}
	answers := make(chan error, len(approvals))
	db := open(t, dsn)
	for _, a := range approvals {
		go func() {
			_, err := db.Decide(context.WithoutCancel(t.Context()), a.step.ID, a.by, a.cmd)
			answers <- err
		}()
	}
	_, err = tx.Exec(t.Context(), fmt.Sprintf(`
		do $$ begin
			for i in 1 .. 3000 loop
				exit when (select count(*) from pg_locks where not granted) >= %d;
				perform pg_sleep(0.01);
			end loop;
		end $$`, len(approvals)))
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	var refused []guardrails.Code
	for range approvals {
		if err := <-answers; codeOf(err) != "" {
			refused = append(refused, codeOf(err))
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return refused
}

// Approvals of different steps draw on one daily limit.
func TestAttackTheDailyLimitAtOnce(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	person := supervisor(t, conn)
	exec(t, conn, `update role_grant set unlimited = false, limit_minor = 1000, daily_minor = 1500`)
	var approvals []approval
	for _, sku := range []warehouse.SKU{"S-1", "S-2"} {
		s := proposeCount(t, db, sku)
		approvals = append(approvals, approval{s, store.By{Person: person, Session: "s"}, guardrails.Approve{Binding: s.Binding}})
	}
	refused := approveAtOnce(t, dsn, conn, approvals)
	if len(refused) != 1 || refused[0] != guardrails.CodeDailyLimit {
		t.Errorf("of two approvals of 10.00 under a daily limit of 15.00 these were refused: %q", refused)
	}
}

// An approval that a stricter requirement voids draws on no day.
func TestWhatIsVoidedIsGivenBackToTheDay(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	by := store.By{Person: supervisor(t, conn), Session: "s"}
	exec(t, conn, `update role_grant set unlimited = false, limit_minor = 1000, daily_minor = 1500`)
	approve := func(s store.Step) error {
		_, err := db.Decide(t.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding})
		return err
	}
	tighten := func(s store.Step, humans int) store.Step {
		t.Helper()
		more, err := guardrails.Require([]guardrails.Slot{{Role: "supervisor", Count: humans}}, guardrails.Session, 0, s.Requirement.Life)
		if err == nil {
			s, err = db.Decide(t.Context(), s.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: more, Policy: s.Policy})
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := tighten(proposeCount(t, db, "S-1"), 2)
	if err := approve(first); err != nil {
		t.Fatal(err)
	}
	second := proposeCount(t, db, "S-2")
	if err := approve(second); codeOf(err) != guardrails.CodeDailyLimit {
		t.Errorf("20.00 under a daily limit of 15.00: %v", err)
	}
	tighten(first, 3)
	if err := approve(second); err != nil {
		t.Errorf("10.00 under a daily limit of 15.00, and 10.00 voided: %v", err)
	}
	if err := approve(proposeCount(t, db, "S-3")); codeOf(err) != guardrails.CodeDailyLimit {
		t.Errorf("20.00 under a daily limit of 15.00, and 10.00 voided: %v", err)
	}
}

// Breaks of the glass by different people draw on one limit of their site.
func TestAttackTheGlassAtOnce(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	broken := func(sku warehouse.SKU) approval {
		s := proposeCount(t, db, sku)
		return approval{
			step: s,
			by:   store.By{Person: supervisor(t, conn), Session: "s", AuthenticatedAt: time.Now().Add(-time.Second)},
			cmd:  guardrails.Approve{Binding: s.Binding, Incident: "INC-1", Reason: "the dock is blocked"},
		}
	}
	for i := range guardrails.MaxGlass - 1 {
		a := broken(warehouse.SKU(fmt.Sprint("S-", i)))
		if _, err := db.Decide(t.Context(), a.step.ID, a.by, a.cmd); err != nil {
			t.Fatal(err)
		}
	}
	refused := approveAtOnce(t, dsn, conn, []approval{broken("T-1"), broken("T-2")})
	if len(refused) != 1 || refused[0] != guardrails.CodeBreakGlassLimit {
		t.Errorf("of two breaks where one was left these were refused: %q", refused)
	}
}
