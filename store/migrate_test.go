package store_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/store"
	"tallyman/store/storetest"
)

var update = flag.Bool("update", false, "write schema.sql anew")

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestMigrateIsIdempotentAndSerial(t *testing.T) {
	dsn := storetest.DSN(t)
	conn := connect(t, dsn)
	exec(t, conn, `drop schema public cascade`)
	exec(t, conn, `create schema public`)
	if _, err := store.Open(t.Context(), dsn); !errors.Is(err, store.ErrNotMigrated) || !strings.Contains(err.Error(), "run tallyman migrate") {
		t.Errorf("an empty database opens: %v", err)
	}
	group, ctx := errgroup.WithContext(t.Context())
	for range 4 {
		group.Go(func() error { return store.Migrate(ctx, dsn) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
}

func TestMigrateRefuses(t *testing.T) {
	for _, tt := range []struct{ name, tamper, want string }{
		{"a changed migration", `update schema_migration set checksum = sha256('x') where version = 1`, "must not change"},
		{"a renamed migration", `update schema_migration set name = '0001_other' where version = 1`, "must not change"},
		{"a newer database", `insert into schema_migration select max(version) + 1, '9999_later', sha256('x') from schema_migration`, "run the newer program"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := storetest.DSN(t)
			exec(t, connect(t, dsn), tt.tamper)
			if err := store.Migrate(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Migrate: %v, want %q", err, tt.want)
			}
			if _, err := store.Open(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSchemaFile(t *testing.T) {
	got := dumpSchema(t, connect(t, storetest.DSN(t)))
	if *update {
		if err := os.WriteFile("schema.sql", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("schema.sql is stale; go test ./store -run TestSchemaFile -update (-file +database):\n%s", diff)
	}
}

// schemaLines are those of the catalogue, in the order of the dump.
const schemaLines = `
	with ours as (
		select c.oid, c.relname, c.relkind
		from pg_class c
		where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
			and not c.relispartition and c.relname not like 'river%'
	), line (relation, part, n, text) as (
		select o.relname, 1, 0, format('create table %s (', o.relname)
		from ours o
		union all
		select o.relname, 2, a.attnum, format('    %s %s%s%s%s%s,', a.attname, format_type(a.atttypid, a.atttypmod),
			case when l.collname = 'C' then ' collate "C"' else '' end,
			case when a.attnotnull then ' not null' else '' end,
			case a.attidentity when 'a' then ' generated always as identity' else '' end,
			' default ' || pg_get_expr(d.adbin, d.adrelid))
		from ours o
		join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
		left join pg_collation l on l.oid = a.attcollation
		left join pg_attrdef d on d.adrelid = o.oid and d.adnum = a.attnum
		union all
		select o.relname, 3, row_number() over (order by k.contype desc, k.conname),
			format('    constraint %s %s,', k.conname, pg_get_constraintdef(k.oid))
		from ours o
		join pg_constraint k on k.conrelid = o.oid and k.contype in ('p', 'u', 'f', 'c', 'x')
		union all
		select o.relname, 4, 0, format(')%s;', ' partition by ' || pg_get_partkeydef(o.oid))
		from ours o
		union all
		select o.relname, 5, row_number() over (order by i.relname), pg_get_indexdef(i.oid) || ';'
		from ours o
		join pg_index x on x.indrelid = o.oid
		join pg_class i on i.oid = x.indexrelid
		where not exists (select from pg_constraint k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
		union all
		select o.relname, 6, e.objsubid, format('comment on %s is %L;',
			case when e.objsubid = 0 then 'table ' || o.relname else 'column ' || o.relname || '.' || a.attname end, e.description)
		from ours o
		join pg_description e on e.objoid = o.oid and e.classoid = 'pg_class'::regclass
		left join pg_attribute a on a.attrelid = o.oid and a.attnum = e.objsubid
		union all
		select o.relname, 7, row_number() over (order by t.tgname), pg_get_triggerdef(t.oid) || ';'
		from ours o
		join pg_trigger t on t.tgrelid = o.oid and not t.tgisinternal
		union all
		select o.relname, 7, 1000, format('alter table %s enable row level security;', o.relname)
		from ours o
		join pg_class c on c.oid = o.oid and c.relrowsecurity
		union all
		select o.relname, 7, 1000 + row_number() over (order by p.policyname),
			format('create policy %s on %s for %s to %s using (%s)%s;', p.policyname, o.relname, lower(p.cmd), array_to_string(p.roles, ', '),
				p.qual, ' with check (' || p.with_check || ')')
		from ours o
		join pg_policies p on p.schemaname = 'public' and p.tablename = o.relname
		union all
		select o.relname, 8, 0, '' from ours o
		union all
		select '~' || p.proname, 1, 0, pg_get_functiondef(p.oid)
		from pg_proc p
		where p.pronamespace = 'public'::regnamespace and p.proname not like 'river%'
	)
	select text
	from line
	order by relation collate "C", part, n`

// dumpSchema writes the schema from the catalogue, in words that do not differ
// between releases of PostgreSQL as those of pg_dump do. Job tables, which are
// River's, and partitions are left out.
func dumpSchema(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), schemaLines)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return "-- The schema after all migrations, for reading: go test ./store -run TestSchemaFile -update\n\n" +
		strings.Join(lines, "\n") + "\n"
}
