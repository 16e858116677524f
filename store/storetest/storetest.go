// Package storetest gives tests a real PostgreSQL with Tallyman's schema.
//
// The server is that of DATABASE_URL or, without it, a private one that the
// test process starts and that ends with it, crashes included. A package that
// uses it says so in its TestMain:
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/pglocal"
	"tallyman/store"
)

// server is the one of this process, started by the first test that needs it.
type server struct {
	dsn      string
	template string          // name of a migrated database
	local    *pglocal.Server // nil with DATABASE_URL
	dir      string

	mu   sync.Mutex
	conn *pgx.Conn
}

var (
	running server
	start   = sync.OnceValue(func() error { return running.start(context.Background()) })
	hasMain bool
)

// Main runs the tests, then what else is to be ended, and stops the server.
func Main(m *testing.M, end ...func()) {
	hasMain = true
	code := m.Run()
	for _, f := range end {
		f()
	}
	if err := running.stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// DB returns a database of the test's own, empty but for the schema.
func DB(tb testing.TB) *store.DB {
	tb.Helper()
	return Open(tb, DSN(tb))
}

// Open opens the database at dsn until the test ends. It connects when something
// is asked, not ahead: most tests need one connection, and each costs the server a
// process.
func Open(tb testing.TB, dsn string) *store.DB {
	tb.Helper()
	db, err := store.Open(tb.Context(), withSetting(dsn, "pool_min_conns", "0"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db
}

// DSN returns the address of such a database. It is gone when the tests are over.
func DSN(tb testing.TB) string {
	tb.Helper()
	if !hasMain {
		tb.Fatal("the package's TestMain must call storetest.Main")
	}
	if testing.Short() {
		tb.Skip("needs PostgreSQL, which -short leaves out")
	}
	if err := start(); err != nil {
		tb.Fatalf("no PostgreSQL for tests (-short leaves them out): %v", err)
	}
	name := newName("test")
	err := running.exec(tb.Context(), fmt.Sprintf(`create database %s template %s`, name, running.template))
	if err != nil {
		tb.Fatalf("create a test database: %v", err)
	}
	tb.Cleanup(func() {
		ctx := context.WithoutCancel(tb.Context())
		if err := running.exec(ctx, fmt.Sprintf(`drop database %s with (force)`, name)); err != nil {
			tb.Errorf("drop the test database: %v", err)
		}
	})
	return withDatabase(running.dsn, name)
}

func newName(kind string) string {
	return "tallyman_" + kind + "_" + strings.ToLower(rand.Text())
}

func (s *server) start(ctx context.Context) error {
	s.dsn = os.Getenv("DATABASE_URL")
	if s.dsn == "" {
		if err := s.startLocal(ctx); err != nil {
			return err
		}
	}
	s.template = newName("template")
	if err := s.exec(ctx, `create database `+s.template); err != nil {
		return fmt.Errorf("create the template: %w", err)
	}
	return store.Migrate(ctx, withDatabase(s.dsn, s.template))
}

func (s *server) startLocal(ctx context.Context) error {
	var err error
	if s.dir, err = os.MkdirTemp("", "tallyman-test-"); err != nil {
		return err
	}
	removeAbandoned(ctx, s.dir)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if s.local, err = pglocal.Start(ctx, pglocal.Config{Dir: s.dir}); err != nil {
		return err
	}
	s.dsn = s.local.DSN()
	// Nothing here has to survive a power cut.
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if err := s.exec(ctx, `alter system set `+setting+` = off`); err != nil {
			return err
		}
	}
	return s.exec(ctx, `select pg_reload_conf()`)
}

// removeAbandoned deletes what crashed test processes left, an hour before own
// was made or earlier. What is in use removes itself later.
func removeAbandoned(ctx context.Context, own string) {
	now, err := os.Stat(own)
	if err != nil {
		return
	}
	dirs, _ := filepath.Glob(filepath.Join(filepath.Dir(own), "tallyman-test-*"))
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err == nil && info.ModTime().Before(now.ModTime().Add(-time.Hour)) {
			_ = pglocal.Remove(ctx, pglocal.Config{Dir: dir})
		}
	}
}

func (s *server) stop(ctx context.Context) error {
	var err error
	if s.template != "" && s.local == nil {
		err = s.exec(ctx, `drop database if exists `+s.template)
	}
	if s.conn != nil {
		err = errors.Join(err, s.conn.Close(ctx))
	}
	if s.local != nil {
		err = errors.Join(err, s.local.Stop(ctx))
	}
	if s.dir != "" {
		err = errors.Join(err, pglocal.Remove(ctx, pglocal.Config{Dir: s.dir}))
	}
	return err
}

// exec runs a statement on a connection that all tests share.
func (s *server) exec(ctx context.Context, sql string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil || s.conn.IsClosed() {
		var err error
		if s.conn, err = pgx.Connect(ctx, s.dsn); err != nil {
			return err
		}
	}
	_, err := s.conn.Exec(ctx, sql)
	return err
}

// withDatabase returns the DSN with another database.
func withDatabase(dsn, name string) string {
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		u.Path = "/" + name
		return u.String()
	}
	return dsn + " dbname=" + name
}

// withSetting returns the DSN with one more setting.
func withSetting(dsn, name, value string) string {
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		query := u.Query()
		query.Set(name, value)
		u.RawQuery = query.Encode()
		return u.String()
	}
	return dsn + " " + name + "=" + value
}
