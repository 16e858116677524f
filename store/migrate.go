package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one numbered file. Files are never changed once released: what
// was wrong is put right by the next one.
type migration struct {
	version  int
	name     string
	sql      string
	checksum []byte // SHA-256 of the file
}

// migrationLock is the advisory lock under which one process migrates.
const migrationLock = 0x7461_6c6c_796d_616e // "tallyman"

// Migrate brings the database to this program's schema, River's tables
// included. The account needs the right to create tables; processes that
// migrate at the same time wait for each other. It refuses a database that is
// newer than the program or whose applied migrations were changed since.
func Migrate(ctx context.Context, dsn string) error {
	config, err := poolConfig(dsn)
	if err != nil {
		return err
	}
	config.MaxConns = 2 // one holds the lock, one works
	for _, timeout := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		config.ConnConfig.RuntimeParams[timeout] = "0"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer pool.Close()
	files, err := readMigrations(migrationFiles)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, pool, func(lock pgx.Tx) error {
		if _, err := lock.Exec(ctx, `select pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
			return fmt.Errorf("wait for other migrations: %w", err)
		}
		if err := ensureRole(ctx, pool); err != nil {
			return fmt.Errorf("role of the program: %w", err)
		}
		return migrate(ctx, pool, files)
	})
}

func migrate(ctx context.Context, pool *pgxpool.Pool, files []migration) error {
	jobs, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	if _, err := jobs.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	_, err = pool.Exec(ctx, `
		create table if not exists schema_migration (
			version    int         primary key,
			name       text        not null,
			checksum   bytea       not null check (octet_length(checksum) = 32),
			applied_at timestamptz not null default now()
		)`)
	if err != nil {
		return fmt.Errorf("migration record: %w", err)
	}
	pending, err := pendingMigrations(ctx, pool, files)
	if err != nil {
		return err
	}
	for _, m := range pending {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return m.apply(ctx, tx) })
		if err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	if _, err := pool.Exec(ctx, grants); err != nil {
		return fmt.Errorf("rights of %s: %w", AppRole, err)
	}
	return ensurePolicy(ctx, pool)
}

func (m migration) apply(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, m.sql); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		insert into schema_migration (version, name, checksum)
		values ($1, $2, $3)`, m.version, m.name, m.checksum)
	return err
}

// pendingMigrations returns what is still to be applied, after checking that
// what was applied is what this program knows.
func pendingMigrations(ctx context.Context, pool *pgxpool.Pool, files []migration) ([]migration, error) {
	rows, _ := pool.Query(ctx, `
		select version, name, checksum
		from schema_migration
		order by version`)
	var applied migration
	done := 0
	_, err := pgx.ForEachRow(rows, []any{&applied.version, &applied.name, &applied.checksum}, func() error {
		done++
		switch {
		case done > len(files):
			return fmt.Errorf("the database has migration %s and this program ends at %s: run the newer program",
				applied.name, files[len(files)-1].name)
		case applied.version != files[done-1].version || applied.name != files[done-1].name || !bytes.Equal(applied.checksum, files[done-1].checksum):
			return fmt.Errorf("the database has migration %d %s with checksum %.4x and this program %s with %.4x: an applied migration must not change; add a new one",
				applied.version, applied.name, applied.checksum, files[done-1].name, files[done-1].checksum)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("migration record: %w", err)
	}
	return files[done:], nil
}

// ErrNotMigrated says that the database lacks what a migration makes.
var ErrNotMigrated = errors.New("run tallyman migrate")

// Ready reports whether the database answers and has this program's schema:
// [ErrNotMigrated] where a migration is still to be applied.
func (db *DB) Ready(ctx context.Context) error {
	files, err := readMigrations(migrationFiles)
	if err != nil {
		return err
	}
	var there bool
	if err := db.pool.QueryRow(ctx, `select to_regclass('schema_migration') is not null`).Scan(&there); err != nil {
		if lacksRole(err) {
			return fmt.Errorf("ask PostgreSQL: %w: %w", err, ErrNotMigrated)
		}
		return fmt.Errorf("ask PostgreSQL: %w", err)
	}
	pending := files
	if there {
		if pending, err = pendingMigrations(ctx, db.pool, files); err != nil {
			return err
		}
	}
	if len(pending) > 0 {
		return fmt.Errorf("the database lacks migration %s: %w", pending[0].name, ErrNotMigrated)
	}
	return nil
}

// lacksRole reports whether a connection was refused because there is no [AppRole],
// which migrations make: as who connects, or as what the connection changes to.
func lacksRole(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.Contains(pg.Message, AppRole) &&
		(pg.Code == "28000" || pg.Code == "22023") // invalid_authorization_specification, invalid_parameter_value
}

// readMigrations returns the files in order; their numbers grow.
func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	last := 0
	for _, name := range names { // Glob sorts
		sql, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		base := strings.TrimSuffix(path.Base(name), ".sql")
		number, _, _ := strings.Cut(base, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version <= last || len(number) != 4 {
			return nil, fmt.Errorf("migration %s: its number should have four digits and be above %04d", name, last)
		}
		last = version
		sum := sha256.Sum256(sql)
		all = append(all, migration{version, base, string(sql), sum[:]})
	}
	return all, nil
}
