package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tallyman/pglocal"
	"tallyman/store"
)

// waysBack are what a statement in the program's name could try.
var waysBack = []string{
	`set role none; update audit_entry set body = 'x'`,
	`reset role; delete from audit_entry`,
	`reset session authorization; truncate audit_entry cascade`,
	`set role tallyman`,
	`set session authorization tallyman`,
	`set session_replication_role = replica`,
	`grant tallyman to tallyman_app`,
	`grant update on audit_entry to tallyman_app; update audit_entry set body = 'x'`,
	`alter role tallyman_app superuser`,
	`alter table audit_entry owner to tallyman_app`,
	`alter table audit_entry disable trigger all`,
	`alter function refuse_change() owner to tallyman_app`,
	`create or replace function refuse_change() returns trigger language plpgsql as $$ begin return new; end $$`,
	`create extension dblink`,
	`create temporary table step ()`,
	`copy audit_entry to program 'psql -U tallyman'`,
	`create function f() returns void language c as 'libc', 'system'`,
}

// The program's role has no way back to the owner's rights.
func TestThePrivateDatabaseIsUsedWithoutTheOwnersRights(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL, which -short leaves out")
	}
	ctx := t.Context()
	d := database{Dir: t.TempDir()}
	t.Cleanup(func() {
		if err := pglocal.Remove(context.WithoutCancel(ctx), pglocal.Config{Dir: filepath.Join(d.Dir, "postgres")}); err != nil {
			t.Error(err)
		}
	})
	var owner string
	db, closeAll, err := d.connect(ctx, slog.New(slog.DiscardHandler), func(ctx context.Context, cfg pglocal.Config, log *slog.Logger) (string, func(), error) {
		dsn, stop, err := startPrivate(ctx, cfg, log)
		owner = dsn
		return dsn, stop, err
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	if confined, err := db.Confined(ctx); err != nil || !confined {
		t.Errorf("the program can become the owner: %v", err)
	}
	conn, err := pgx.Connect(ctx, pglocal.As(owner, store.AppRole))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, way := range waysBack {
		if _, err := conn.Exec(ctx, way); err == nil {
			t.Errorf("the program may %s", way)
		} else if !strings.Contains(err.Error(), "permission denied") && !strings.Contains(err.Error(), "must be owner") && !strings.Contains(err.Error(), "must ") {
			t.Errorf("%s: %v", way, err)
		}
	}
	other := database{URL: owner}
	whole, closeOther, err := other.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeOther()
	if confined, err := whole.Confined(ctx); err != nil || confined {
		t.Errorf("the owner's own address is said to be confined: %v", err)
	}
	apart := database{URL: pglocal.As(owner, store.AppRole)}
	own, closeOwn, err := apart.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeOwn()
	if confined, err := own.Confined(ctx); err != nil || !confined {
		t.Errorf("an address of the program's role is not confined: %v", err)
	}
	if err := (&migrateCmd{URL: apart.URL}).Run(ctx); err == nil || !strings.Contains(err.Error(), "owns no table") {
		t.Errorf("migrate as the program's role: %v", err)
	}
}
