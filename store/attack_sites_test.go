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
	"tallyman/warehouse"
)

// secured are the tables that row security guards.
var secured = []string{"step", "recommendation", "operation", "decision", "decision_human", "execution", "audit_entry"}

// sites is a database with an approved step at each of two sites, and a supervisor
// and a key at the first.
type sites struct {
	*testing.T
	db   *store.DB
	conn *pgx.Conn
	here store.Viewer
	key  store.Viewer
	away store.Step // at the other site
}

func newSites(t *testing.T) *sites {
	t.Helper()
	dsn := storetest.DSN(t)
	s := &sites{T: t, db: open(t, with(dsn, "pool_max_conns", "1")), conn: connect(t, dsn)}
	for _, site := range []warehouse.Site{"DC-1", "DC-2"} {
		person := holder(t, s.conn, strings.ToLower(string(site))+"@example.com", "supervisor")
		exec(t, s.conn, `update role_grant set site = $2 where person_id = $1`, person, site)
		step, err := s.db.Propose(t.Context(), guardrails.Recommendation{
			Site: site, Action: &guardrails.RouteTicket{Ticket: "T-1", Team: "receiving"},
			Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
		}, store.Source{})
		if err == nil {
			_, err = s.db.Decide(t.Context(), step.ID, store.By{Person: person, Session: "s", AuthenticatedAt: clockOf(t, s.conn)}, guardrails.Approve{Binding: step.Binding})
		}
		if err != nil {
			t.Fatal(err)
		}
		if site == "DC-1" {
			s.here.Person = person
		}
		s.away = step
	}
	_, id, err := s.db.CreateKey(t.Context(), store.APIKey{Name: "k", Env: "test", Scopes: []store.Scope{store.StepsRead}, Sites: []warehouse.Site{"DC-1"}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s.key.Key = id
	return s
}

// with adds a setting to the address of a database.
func with(dsn, setting, value string) string {
	switch {
	case !strings.HasPrefix(dsn, "postgres"):
		return dsn + " " + setting + "=" + value
	case strings.Contains(dsn, "?"):
		return dsn + "&" + setting + "=" + value
	}
	return dsn + "?" + setting + "=" + value
}

// rows counts what a statement that forgot every predicate finds.
func (s *sites) rows(v store.Viewer, table string) (n int) {
	s.Helper()
	err := s.db.ReadAs(s.Context(), v, func(tx pgx.Tx) error {
		return tx.QueryRow(s.Context(), `select count(*) from `+table).Scan(&n)
	})
	if err != nil {
		s.Errorf("%s: %v", table, err)
	}
	return n
}

func TestAttackSites(t *testing.T) {
	t.Run("42 a statement forgets the site", func(t *testing.T) { attackForgottenSite(newSites(t)) })
	t.Run("42 a step of another site by its id", func(t *testing.T) { attackForeignStep(newSites(t)) })
	t.Run("43 nobody said who reads", func(t *testing.T) { attackUnset(newSites(t)) })
	t.Run("43 a connection goes back to the pool", func(t *testing.T) { attackPooled(newSites(t)) })
	t.Run("43 the roles own nothing and get around nothing", func(t *testing.T) { attackRoles(newSites(t)) })
}

func attackForgottenSite(s *sites) {
	for _, table := range secured {
		var all int
		if err := s.conn.QueryRow(s.Context(), `select count(*) from `+table+
			map[bool]string{true: ` where stream like 'st\_%'`}[table == "audit_entry"]).Scan(&all); err != nil || all < 2 {
			s.Fatalf("%s has %d rows, %v", table, all, err)
		}
		for _, v := range []store.Viewer{s.here, s.key} {
			if n := s.rows(v, table); n != all/2 {
				s.Errorf("%+v sees %d of %d rows of %s, want those of one site", v, n, all, table)
			}
		}
	}
}

func attackForeignStep(s *sites) {
	for _, v := range []store.Viewer{s.here, s.key} {
		if _, err := s.db.StepView(s.Context(), v, s.away.ID); !errors.Is(err, store.ErrNotFound) {
			s.Errorf("%+v reads it: %v", v, err)
		}
		steps, err := s.db.InboxSteps(s.Context(), v, store.StepFilter{Queue: true}, store.StepCursor{}, 10)
		if err != nil || len(steps) != 1 || steps[0].Site != "DC-1" {
			s.Errorf("%+v lists %+v, %v", v, steps, err)
		}
		if found, err := s.db.StepsByID(s.Context(), v, []guardrails.StepID{s.away.ID}); err != nil || len(found) != 0 {
			s.Errorf("%+v finds %+v, %v", v, found, err)
		}
	}
	by := store.By{Person: s.here.Person, Session: "s", AuthenticatedAt: clockOf(s.T, s.conn)}
	for _, cmd := range []guardrails.Command{guardrails.Reassign{To: by.Person}, guardrails.Withdraw{Reason: "x"}} {
		if _, err := s.db.Decide(s.Context(), s.away.ID, by, cmd); codeOf(err) == "" {
			s.Errorf("%T of another site: %v", cmd, err)
		}
	}
	exec(s.T, s.conn, `update person set deactivated_at = now() where id = $1`, s.here.Person)
	exec(s.T, s.conn, `update api_key set revoked_at = now()`)
	for _, v := range []store.Viewer{s.here, s.key} {
		if n := s.rows(v, "step"); n != 0 {
			s.Errorf("%+v sees %d steps after it ended", v, n)
		}
	}
}

func attackUnset(s *sites) {
	for _, v := range []store.Viewer{{}, {Person: 4711}, {Key: "unknown"}, {Key: "' or true --"}} {
		for _, table := range secured {
			if n := s.rows(v, table); n != 0 {
				s.Errorf("%+v sees %d rows of %s", v, n, table)
			}
		}
	}
}

func attackPooled(s *sites) {
	failed := errors.New("in the middle")
	for _, err := range []error{nil, failed} {
		if got := s.db.ReadAs(s.Context(), s.here, func(pgx.Tx) error { return err }); !errors.Is(got, err) {
			s.Fatal(got)
		}
		var role, person, key string
		if err := s.db.OnAConnection(s.Context(), `
			select current_user, coalesce(current_setting('tallyman.person', true), ''), coalesce(current_setting('tallyman.key', true), '')`,
			&role, &person, &key); err != nil || role != store.AppRole || person != "" || key != "" {
			s.Errorf("the connection comes back as %s with person %q and key %q, %v", role, person, key, err)
		}
		if n := s.rows(store.Viewer{}, "step"); n != 0 {
			s.Errorf("whoever comes next sees %d steps", n)
		}
	}
}

func attackRoles(s *sites) {
	var wrong []string
	err := s.conn.QueryRow(s.Context(), `
		select array(
			select r.rolname || ' is a superuser or bypasses row security' from pg_roles r
			where r.rolname in ('tallyman_app', 'tallyman_viewer') and (r.rolsuper or r.rolbypassrls or r.rolcreaterole)
			union all
			select c.relname || ' is owned by ' || r.rolname from pg_class c join pg_roles r on r.oid = c.relowner
			where c.relnamespace = 'public'::regnamespace and r.rolname in ('tallyman_app', 'tallyman_viewer')
			union all
			select c.relname || ' has no row security' from pg_class c
			where c.relnamespace = 'public'::regnamespace and c.relname = any ($1) and not c.relrowsecurity
			union all
			select table_name || ' can be changed by tallyman_viewer' from information_schema.role_table_grants
			where grantee = 'tallyman_viewer' and privilege_type <> 'SELECT')`, secured).Scan(&wrong)
	if err != nil || len(wrong) > 0 {
		s.Errorf("%q, %v", wrong, err)
	}
	err = s.db.ReadAs(s.Context(), s.here, func(tx pgx.Tx) error {
		_, err := tx.Exec(s.Context(), `select email, password_hash from person, account`)
		return err
	})
	if err == nil {
		s.Error("a viewer reads addresses and passwords")
	}
}
