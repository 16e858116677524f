package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

const password = "correct horse battery"

func account(t *testing.T, db *store.DB, login string) guardrails.PersonID {
	t.Helper()
	id, err := db.AddPerson(t.Context(), store.Administrator{}, login, strings.ToUpper(login), "", password)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestSignIn(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	if exists, err := db.AnyAccount(t.Context()); exists || err != nil {
		t.Errorf("an account before the first: %v", err)
	}
	id := account(t, db, "anna")
	if exists, err := db.AnyAccount(t.Context()); !exists || err != nil {
		t.Errorf("no account after the first: %v", err)
	}
	token, s, err := db.SignIn(t.Context(), " Anna ", password, "")
	if err != nil || s.Person != id || s.Name != "ANNA" || !s.Local || !strings.HasPrefix(token, store.SessionPrefix) {
		t.Fatalf("%+v, %v", s, err)
	}
	if again, err := db.SessionByToken(t.Context(), token); err != nil || again.ID != s.ID || again.Person != id {
		t.Errorf("%+v, %v", again, err)
	}
	for name, wrong := range map[string][2]string{
		"password": {"anna", "wrong horse battery"}, "empty": {"anna", ""}, "name": {"bert", password},
		"long": {"anna", strings.Repeat("x", 5000)},
	} {
		if _, _, err := db.SignIn(t.Context(), wrong[0], wrong[1], ""); !errors.Is(err, store.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	renewed, _, err := db.SignIn(t.Context(), "anna", password, token)
	if err != nil || renewed == token {
		t.Fatalf("renewed: %v", err)
	}
	if _, err := db.SessionByToken(t.Context(), token); !errors.Is(err, store.ErrUnauthorized) {
		t.Errorf("the token of before still opens: %v", err)
	}
	var leaked bool
	err = conn.QueryRow(t.Context(), `select bool_or(s::text like '%' || $1 || '%') from session s`, renewed[7:]).Scan(&leaked)
	if err != nil || leaked {
		t.Errorf("the token can be read from the table: %v", err)
	}
	for name, sql := range map[string]string{
		"idle": `update session set seen_at = clock_timestamp() - interval '31 minutes'`,
		"old":  `update session set seen_at = clock_timestamp(), authenticated_at = authenticated_at - interval '13 hours', expires_at = expires_at - interval '13 hours'`,
	} {
		renewed, _, err = db.SignIn(t.Context(), "anna", password, "")
		if err != nil {
			t.Fatal(err)
		}
		exec(t, conn, sql)
		if _, err := db.SessionByToken(t.Context(), renewed); !errors.Is(err, store.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	token, _, err = db.SignIn(t.Context(), "anna", password, "")
	if err != nil {
		t.Fatal(err)
	}
	var left int
	if err := conn.QueryRow(t.Context(), `select count(*) from session`).Scan(&left); err != nil || left != 1 {
		t.Errorf("%d sessions are kept, %v", left, err)
	}
	if err := db.Deactivate(t.Context(), store.Administrator{}, id); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SessionByToken(t.Context(), token); !errors.Is(err, store.ErrUnauthorized) {
		t.Errorf("a session outlives its person: %v", err)
	}
	if _, _, err := db.SignIn(t.Context(), "anna", password, ""); !errors.Is(err, store.ErrUnauthorized) {
		t.Errorf("who left signs in: %v", err)
	}
}

// Guessing is stopped, also when many guess at once, and ends with time.
// What somebody with a shell does in another's name is on record as that.
func TestWhoActsForAPersonByCommand(t *testing.T) {
	db := storetest.DB(t)
	id, err := db.AddPerson(t.Context(), store.Administrator{}, "anna", "Anna", "anna@example.com", password)
	if err != nil {
		t.Fatal(err)
	}
	by, err := db.PersonByEmail(t.Context(), "anna@example.com")
	if want := fmt.Sprintf("operator for person:%d", id); err != nil || by.String() != want {
		t.Errorf("the actor is %q, want %q: %v", &by, want, err)
	}
}

func TestLockout(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	id := account(t, db, "anna")
	var guesses sync.WaitGroup
	for range 12 {
		guesses.Go(func() { _, _, _ = db.SignIn(t.Context(), "anna", "wrong horse battery", "") })
	}
	guesses.Wait()
	if _, _, err := db.SignIn(t.Context(), "anna", password, ""); !errors.Is(err, store.ErrUnauthorized) {
		t.Errorf("not locked: %v", err)
	}
	var failures, entries int
	err := conn.QueryRow(t.Context(), `
		select failures, (select count(*) from audit_entry where stream = 'person' and convert_from(body, 'utf8') like '%account_locked%')
		from account`).Scan(&failures, &entries)
	if err != nil || failures != 5 || entries != 1 {
		t.Errorf("%d failures, %d entries, %v", failures, entries, err)
	}
	exec(t, conn, `update account set locked_until = clock_timestamp()`)
	if _, _, err := db.SignIn(t.Context(), "anna", password, ""); err != nil {
		t.Errorf("locked for ever: %v", err)
	}
	exec(t, conn, `update account set locked_until = clock_timestamp() + interval '1 hour'`)
	if err := db.SetPassword(t.Context(), store.Administrator{}, id, "another long password"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.SignIn(t.Context(), "anna", "another long password", ""); err != nil {
		t.Errorf("a new password does not unlock: %v", err)
	}
}

func TestChangesOfPeopleAreOnRecord(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	anna, bert := account(t, db, "anna"), account(t, db, "bert")
	command, byAnna := store.Administrator{}, store.Administrator{Person: anna, AuthenticatedAt: time.Now()}
	grant := guardrails.Grant{Role: "supervisor", Site: "DC-1", Limit: guardrails.Limit{Minor: 100}, Daily: guardrails.Limit{Minor: 1000}}
	unlimited := grant
	unlimited.Limit, unlimited.Daily = guardrails.Limit{Unlimited: true}, guardrails.Limit{Unlimited: true}
	half := grant
	half.Limit.Unlimited = true
	day := guardrails.Delegation{
		From: anna, To: bert, Kinds: []guardrails.Kind{guardrails.KindCountPosition}, Sites: []warehouse.Site{"DC-1"},
		Limit: guardrails.Limit{Unlimited: true}, Begin: time.Now(), End: time.Now().Add(24 * time.Hour),
	}
	long, self, policy := day, day, day
	long.End = day.Begin.AddDate(0, 2, 0)
	self.To = anna
	policy.Kinds = []guardrails.Kind{guardrails.KindChangePolicy}
	for name, change := range map[string]struct {
		err  error
		want bool
	}{
		"grant":               {db.GrantRole(t.Context(), command, anna, grant), true},
		"other limits":        {db.GrantRole(t.Context(), command, anna, unlimited), true},
		"half a limit":        {db.GrantRole(t.Context(), command, anna, half), false},
		"a role for yourself": {db.GrantRole(t.Context(), byAnna, anna, grant), false},
		"by a person":         {db.GrantRole(t.Context(), byAnna, bert, grant), true},
		"a person nobody is":  {db.GrantRole(t.Context(), command, 999, grant), false},
		"a role that is none": {db.GrantRole(t.Context(), command, bert, guardrails.Grant{Role: "Not a role", Site: "DC-1"}), false},
		"refs":                {db.SetRefs(t.Context(), command, anna, []string{"u7", "u8", "u7"}), true},
		"refs of another":     {db.SetRefs(t.Context(), command, bert, []string{"u8"}), false},
		"delegation":          {db.Delegate(t.Context(), byAnna, day), true},
		"in an old session":   {db.Delegate(t.Context(), store.Administrator{Person: anna, AuthenticatedAt: time.Now().Add(-time.Hour)}, day), false},
		"too long":            {db.Delegate(t.Context(), byAnna, long), false},
		"to oneself":          {db.Delegate(t.Context(), byAnna, self), false},
		"of policy":           {db.Delegate(t.Context(), byAnna, policy), false},
		"revoke":              {db.RevokeRole(t.Context(), command, bert, "supervisor", "DC-1"), true},
		"revoke again":        {db.RevokeRole(t.Context(), command, bert, "supervisor", "DC-1"), false},
		"short password":      {db.SetPassword(t.Context(), command, bert, "short"), false},
	} {
		if (change.err == nil) != change.want {
			t.Errorf("%s: %v", name, change.err)
		}
	}
	p, err := db.FindPerson(t.Context(), "anna")
	if err != nil || p.ID != anna || len(p.Grants) != 1 || !p.Grants[0].Limit.Unlimited || !p.RefsKnown || len(p.Refs) != 2 || !p.Sees("DC-1") || p.Sees("DC-2") {
		t.Errorf("%+v, %v", p, err)
	}
	list, err := db.Delegations(t.Context(), bert)
	if err != nil || len(list) != 1 || list[0].FromName != "ANNA" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := db.RevokeDelegation(t.Context(), store.Administrator{Person: bert}, list[0].ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another's delegation was revoked: %v", err)
	}
	if err := db.RevokeDelegation(t.Context(), byAnna, list[0].ID); err != nil {
		t.Error(err)
	}
	if _, err := db.AddPerson(t.Context(), command, "anna", "Other", "", password); !errors.Is(err, store.ErrExists) {
		t.Errorf("a user name twice: %v", err)
	}
	var events string
	err = conn.QueryRow(t.Context(), `
		select string_agg(convert_from(body, 'utf8')::jsonb ->> 'event', ' ' order by seq)
		from audit_entry
		where stream = 'person'`).Scan(&events)
	want := "added added role_granted role_granted role_granted refs_set delegated role_revoked delegation_revoked"
	if err != nil || events != want {
		t.Errorf("on record is %q, want %q; %v", events, want, err)
	}
}
