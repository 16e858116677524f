package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// withTwoSupervisors is the shipped policy, but tickets need another signature.
func withTwoSupervisors(t *testing.T) []byte {
	t.Helper()
	source := string(guardrails.DefaultPolicy().Source)
	rule := "    actions: [route_ticket]\n    require: {supervisor: 1}"
	test := "    rec: {action: route_ticket}\n    expect: {require: {supervisor: 1}"
	if !strings.Contains(source, rule) || !strings.Contains(source, test) {
		t.Fatal("the shipped policy has no rule for tickets as this test knows it")
	}
	source = strings.Replace(source, rule, strings.Replace(rule, "1}", "2}", 1), 1)
	return []byte(strings.Replace(source, test, strings.Replace(test, "supervisor: 1", "supervisor: 2", 1), 1))
}

func holder(t *testing.T, conn *pgx.Conn, email, role string) guardrails.PersonID {
	t.Helper()
	var id guardrails.PersonID
	err := conn.QueryRow(t.Context(), `insert into person (name, email, refs_known) values ($1, $1, true) returning id`, email).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `insert into role_grant (person_id, role, site, unlimited, origin) values ($1, $2, '*', true, 'command')`, id, role)
	return id
}

func versionInForce(t *testing.T, db *store.DB) string {
	t.Helper()
	p, err := db.PolicyInForce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p.Version()
}

func TestAPolicyIsPutInForceByTwoOthers(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	author := holder(t, conn, "author@example.com", "policy_owner")
	owners := []guardrails.PersonID{holder(t, conn, "one@example.com", "policy_owner"), holder(t, conn, "two@example.com", "policy_owner")}
	ticket := propose(t, db)
	source, now := withTwoSupervisors(t), clockOf(t, conn)

	if _, err := db.ProposePolicy(t.Context(), source, "author@example.com", now.Add(30*time.Minute), []byte("{}")); err == nil {
		t.Error("half an hour is notice enough")
	}
	if _, err := db.ProposePolicy(t.Context(), []byte("kind: x"), "author@example.com", now.Add(2*time.Hour), []byte("{}")); err == nil {
		t.Error("a broken policy can be proposed")
	}
	step, err := db.ProposePolicy(t.Context(), source, "author@example.com", now.Add(2*time.Hour), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	approve := func(p guardrails.PersonID) error {
		_, err := db.Decide(t.Context(), step.ID, store.By{Person: p, Session: "s", AuthenticatedAt: clockOf(t, conn)}, guardrails.Approve{Binding: step.Binding})
		return err
	}
	if err := approve(author); codeOf(err) != guardrails.CodeSelfApproval {
		t.Errorf("the author approves: %v", err)
	}
	for _, p := range owners {
		if err := approve(p); err != nil {
			t.Fatal(err)
		}
	}
	if step, err = db.Step(t.Context(), step.ID); err != nil || step.State != guardrails.Approved {
		t.Fatalf("the step is %s, %v", step.State, err)
	}
	inForce := func() string { return versionInForce(t, db) }
	before := inForce()
	_, action, err := guardrails.ParsePayload(step.PayloadBytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ClaimExecution(t.Context(), step.ID, "worker"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it may be repeated
		if err := db.SchedulePolicy(t.Context(), action.(*guardrails.ChangePolicy)); err != nil {
			t.Fatal(err)
		}
	}
	if done, err := db.AdoptPolicy(t.Context()); err != nil || done != (store.Rejudged{}) || inForce() != before {
		t.Errorf("in force before its time: %+v, %v", done, err)
	}
	var waiting []byte
	if err := conn.QueryRow(t.Context(), `select requirement from step where id = $1`, ticket.ID).Scan(&waiting); err != nil {
		t.Fatal(err)
	}
	withoutRules(t, conn, `update policy set effective_from = clock_timestamp() where state = 'scheduled'`)
	if inForce() == before {
		t.Error("it is not in force at its instant")
	}
	if done, err := db.AdoptPolicy(t.Context()); err != nil || done != (store.Rejudged{Tightened: 1}) {
		t.Errorf("adopted: %+v, %v", done, err)
	}
	tightened, err := db.Step(t.Context(), ticket.ID)
	if err != nil || tightened.Requirement.String() != "2 supervisor" || tightened.Binding == ticket.Binding || tightened.Policy == before {
		t.Errorf("the waiting step needs %s, %v", tightened.Requirement, err)
	}
	if done, err := db.AdoptPolicy(t.Context()); err != nil || done != (store.Rejudged{}) {
		t.Errorf("adopted again: %+v, %v", done, err)
	}
	adoptsTheLate(t, db, conn, before, waiting)
}

// adoptsTheLate has a proposal that was being written under the policy before appear
// after the waiting steps were judged.
func adoptsTheLate(t *testing.T, db *store.DB, conn *pgx.Conn, before string, waiting []byte) {
	t.Helper()
	late := propose(t, db)
	withoutRules(t, conn, `update step set policy = $2, requirement = $3, binding = sha256('before') where id = $1`, late.ID, before, waiting)
	if done, err := db.AdoptPolicy(t.Context()); err != nil || done != (store.Rejudged{Tightened: 1}) {
		t.Errorf("a late proposal: %+v, %v", done, err)
	}
	withoutRules(t, conn, `update policy set effective_from = effective_from - interval '1 hour' where state = 'active'`)
	for range 2 {
		if done, err := db.AdoptPolicy(t.Context()); err != nil || done != (store.Rejudged{}) {
			t.Errorf("adopted for the last time: %+v, %v", done, err)
		}
	}
	var judged int
	err := conn.QueryRow(t.Context(), `select count(*) from audit_entry where stream = 'policy' and convert_from(body, 'UTF8')::jsonb ->> 'event' = 'judged'`).Scan(&judged)
	if err != nil || judged != 1 {
		t.Errorf("that every step is judged is written down %d times, %v", judged, err)
	}
}

// withoutRules does what no trigger would let pass.
func withoutRules(t *testing.T, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	exec(t, conn, `set session_replication_role = replica`)
	exec(t, conn, statement, args...)
	exec(t, conn, `set session_replication_role = origin`)
}

// Whoever would get a say by a policy has none in it.
func TestWhoGainsByAPolicyCannotApproveIt(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	holder(t, conn, "author@example.com", "auditor")
	gaining := holder(t, conn, "gains@example.com", "policy_owner")
	exec(t, conn, `insert into role_grant (person_id, role, site, unlimited, origin) values ($1, 'ap', '*', true, 'command')`, gaining)
	source := strings.Replace(string(guardrails.DefaultPolicy().Source), "supervisor: {count: 1, stand_in: {inventory_control: 2h}}\n", "supervisor: 1\n      ap: 1\n", 1)
	source = strings.Replace(source, "rec: {action: verify_load}\n    expect: {require: {supervisor: 1}", "rec: {action: verify_load}\n    expect: {require: {supervisor: 1, ap: 1}", 1)
	step, err := db.ProposePolicy(t.Context(), []byte(source), "author@example.com", clockOf(t, conn).Add(2*time.Hour), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Decide(t.Context(), step.ID, store.By{Person: gaining, Session: "s", AuthenticatedAt: clockOf(t, conn)}, guardrails.Approve{Binding: step.Binding})
	if codeOf(err) != guardrails.CodePart {
		t.Errorf("who gains approves: %v", err)
	}
}

func TestOnlyOwnersOfPolicyUnblock(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step, err := db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.ShipmentSubstitution{Order: "SO-1", Line: "1", SKU: "S", Substitute: "T", Qty: 1000},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
		Facts:   guardrails.Facts{ValueMinor: 2_000_000, Currency: "USD"},
	}, store.Source{})
	if err != nil || step.State != guardrails.Blocked {
		t.Fatalf("%s, %v", step.State, err)
	}
	if err := db.Rejudge(t.Context(), step.ID, store.By{Person: supervisor(t, conn), Session: "s"}); err == nil {
		t.Error("a supervisor unblocks")
	}
	owner := store.By{Person: holder(t, conn, "owner@example.com", "policy_owner"), Session: "s"}
	if err := db.Rejudge(t.Context(), step.ID, owner); codeOf(err) != guardrails.CodeDenied {
		t.Errorf("what the policy still denies: %v", err)
	}
	one, _ := guardrails.Require([]guardrails.Slot{{Role: "supervisor", Count: 1}}, 0, 0, time.Hour)
	if _, err := db.Decide(t.Context(), step.ID, owner, guardrails.Unblock{Requirement: one, Policy: step.Policy}); err == nil {
		t.Error("an owner unblocks with a requirement of their own")
	}
}

func TestPastStepsReadBack(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step, now := propose(t, db), clockOf(t, conn)
	var got []guardrails.PastStep
	collect := func(p *guardrails.PastStep) error {
		got = append(got, *p)
		return nil
	}
	if err := db.PastSteps(t.Context(), now.Add(-time.Hour), now.Add(time.Hour), collect); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].ID != step.ID || got[0].Required.Requirement.Hash() != step.Requirement.Hash() {
		t.Fatalf("read %+v", got)
	}
	s := guardrails.NewSimulator(guardrails.DefaultPolicy())
	s.Add(&got[0])
	if r := s.Result(); r.Shifts[guardrails.Same] != 1 {
		t.Errorf("the same policy gives %+v", r.Shifts)
	}
	stop := errors.New("enough")
	if err := db.PastSteps(t.Context(), now.Add(-time.Hour), now.Add(time.Hour), func(*guardrails.PastStep) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped with %v", err)
	}
}

func clockOf(t *testing.T, conn *pgx.Conn) (now time.Time) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), `select clock_timestamp()`).Scan(&now); err != nil {
		t.Fatal(err)
	}
	return now
}
