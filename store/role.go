package store

import (
	"context"
	_ "embed" // for the grants
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// AppRole is the PostgreSQL role that the program works as. It owns no table,
// so that no statement of the program can lift what constraints, triggers and
// missing rights hold. The account of the database URL may be this role, or a
// member of it that becomes it on every connection.
const AppRole = "tallyman_app"

// ViewerRole is what the program becomes for a transaction in which a person or a
// key reads steps: row security shows it those of their sites.
const ViewerRole = "tallyman_viewer"

//go:embed grants.sql
var grants string

// ensureRole makes the roles and lets the migrating account become it. Roles are
// the server's: databases on one server share this one.
func ensureRole(ctx context.Context, pool *pgxpool.Pool) error {
	_, err := pool.Exec(ctx, `
		do $$
		begin
			if not exists (select from pg_roles where rolname = 'tallyman_app') then
				create role tallyman_app login;
			end if;
			if not exists (select from pg_roles where rolname = 'tallyman_viewer') then
				create role tallyman_viewer nologin;
			end if;
			if not pg_has_role('tallyman_app', 'tallyman_viewer', 'member') then
				grant tallyman_viewer to tallyman_app;
			end if;
			if not pg_has_role(current_user, 'tallyman_app', 'member') then
				grant tallyman_app to current_user;
			end if;
		exception when duplicate_object or unique_violation then
			null; -- another database on this server was quicker
		end
		$$`)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42501" { // insufficient_privilege
		return fmt.Errorf("this account may not create roles; as an administrator of PostgreSQL run: create role %[1]s login; create role %[2]s nologin; grant %[2]s to %[1]s; grant %[1]s to %[3]q: %[4]w",
			AppRole, ViewerRole, pool.Config().ConnConfig.User, err)
	}
	return err
}

// IsAppRole reports whether an address logs in as [AppRole] itself.
func IsAppRole(dsn string) (bool, error) {
	config, err := poolConfig(dsn)
	if err != nil {
		return false, err
	}
	return config.ConnConfig.User == AppRole, nil
}

// checkRole refuses to work as a role that could change the audit log or what
// triggers look at.
func (db *DB) checkRole(ctx context.Context) error {
	var role string
	var tampers bool
	err := db.pool.QueryRow(ctx, `
		select current_user,
			has_table_privilege('audit_entry', 'update, delete, truncate, trigger')
			or has_table_privilege('decision', 'update, delete, truncate, trigger')
			or has_table_privilege('step', 'truncate, trigger') or has_table_privilege('execution', 'truncate, trigger')`).Scan(&role, &tampers)
	if err != nil {
		return fmt.Errorf("rights in the database: %w", err)
	}
	if tampers {
		return fmt.Errorf("role %s could change the audit log; the program must work as %s: see grants.sql", role, AppRole)
	}
	return nil
}

// Confined reports whether the account that the program logged in with is without
// a way back to the rights that it gave up: it owns nothing, is no superuser and
// no member of a role that is more than [AppRole], and may make no temporary
// table, which triggers would read instead of the real one.
func (db *DB) Confined(ctx context.Context) (bool, error) {
	var confined bool
	err := db.pool.QueryRow(ctx, `
		select not exists (
			select from pg_roles r
			where pg_has_role(session_user, r.oid, 'member')
				and (r.rolsuper or r.oid in (select relowner from pg_class where relnamespace = 'public'::regnamespace)))
			and not has_database_privilege(current_database(), 'temporary')`).Scan(&confined)
	return confined, err
}
