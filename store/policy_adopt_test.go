package store_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// routed proposes to give a ticket to a team.
func routed(t *testing.T, db *store.DB, ticket string) store.Step {
	t.Helper()
	s, err := db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: ticket, Team: "receiving"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
	}, store.Source{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// putInForce has a policy be in force from now on, whoever approved it.
func putInForce(t *testing.T, conn *pgx.Conn, source []byte) {
	t.Helper()
	p, err := guardrails.ParsePolicy(source)
	if err != nil {
		t.Fatal(err)
	}
	withoutRules(t, conn, `insert into policy (version, name, source, state, effective_from) values ($1, $2, $3, 'scheduled', clock_timestamp())`,
		p.Version(), p.Name, source)
}

func stepOf(t *testing.T, db *store.DB, id guardrails.StepID) store.Step {
	t.Helper()
	s, err := db.Step(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A step that a new policy cannot judge is denied, one that cannot even be read is
// named; neither holds up the steps after it.
func TestOneStepHoldsUpNoOther(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	noFacts, unreadable, good := routed(t, db, "T-1"), routed(t, db, "T-2"), routed(t, db, "T-3")
	withoutRules(t, conn, `update recommendation set facts = '{"value_minor": "many"}' where id = $1`, noFacts.Recommendation)
	withoutRules(t, conn, `update step set requirement = jsonb_set(requirement, '{excludes}', '["nobody"]') where id = $1`, unreadable.ID)
	putInForce(t, conn, withTwoSupervisors(t))

	done, err := db.AdoptPolicy(t.Context())
	if err == nil || !strings.Contains(err.Error(), "1 of 3 waiting steps") || !strings.Contains(err.Error(), string(unreadable.ID)) {
		t.Errorf("the step that cannot be read is not named: %v", err)
	}
	if want := (store.Rejudged{Tightened: 1, Denied: 1}); done != want {
		t.Errorf("adopted %+v, want %+v", done, want)
	}
	if s := stepOf(t, db, good.ID); s.Requirement.String() != "2 supervisor" {
		t.Errorf("the last step needs %s", s.Requirement)
	}
	denied := stepOf(t, db, noFacts.ID)
	if len(denied.Requirement.Deny) != 1 || !strings.Contains(denied.Requirement.Deny[0], "cannot be judged: facts") {
		t.Errorf("the step without facts is denied because %q", denied.Requirement.Deny)
	}
	_, err = db.Decide(t.Context(), denied.ID, store.By{Person: supervisor(t, conn), Session: "s", AuthenticatedAt: clockOf(t, conn)}, guardrails.Approve{Binding: denied.Binding})
	if codeOf(err) != guardrails.CodeDenied {
		t.Errorf("approving what cannot be judged: %v", err)
	}

	withoutRules(t, conn, `update step set requirement = jsonb_set(requirement, '{excludes}', '[]') where id = $1`, unreadable.ID)
	if done, err := db.AdoptPolicy(t.Context()); err != nil || done != (store.Rejudged{Tightened: 1}) {
		t.Errorf("when it can be read again: %+v, %v", done, err)
	}
}

// What no rule is about any more is denied, although the denial names no human.
func TestAPolicyWithoutTheRuleDeniesWhatWaits(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step := routed(t, db, "T-1")
	putInForce(t, conn, withoutTickets(t))
	if done, err := db.AdoptPolicy(t.Context()); err != nil || done != (store.Rejudged{Denied: 1}) {
		t.Errorf("adopted %+v, %v", done, err)
	}
	if s := stepOf(t, db, step.ID); len(s.Requirement.Deny) == 0 || s.Requirement.Humans() == 0 {
		t.Errorf("it needs %s", s.Requirement.Full())
	}
}

// withoutTickets is the shipped policy without what it says of tickets.
func withoutTickets(t *testing.T) []byte {
	t.Helper()
	var kept [][]byte
	blocks := bytes.Split(guardrails.DefaultPolicy().Source, []byte("\n  - "))
	for _, b := range blocks {
		if !bytes.Contains(b, []byte("route_ticket")) {
			kept = append(kept, b)
		}
	}
	if len(kept) == len(blocks) {
		t.Fatal("the shipped policy has no rule for tickets as this test knows it")
	}
	return bytes.Join(kept, []byte("\n  - "))
}
