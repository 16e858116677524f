//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

// The oracle of these tests is PostgreSQL itself: rows committed before a crash
// are there after it, and the operating system says which processes live.

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// ownerDir makes the test binary a program that owns a cluster until it is
// killed or its standard input ends.
const ownerDir = "PGLOCAL_TEST_OWNER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerDir); dir != "" {
		if err := ownCluster(dir); err != nil {
			_, _ = fmt.Fprintln(os.Stdout, "error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if shared != "" {
		_ = os.RemoveAll(filepath.Dir(shared))
	}
	os.Exit(code)
}

func ownCluster(dir string) error {
	s, err := Start(context.Background(), Config{Dir: dir})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, s.DSN()); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return s.Stop(context.Background())
}

// openDir is a directory that any account may enter, unlike t.TempDir for root.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pglocal-*") //nolint:usetesting // root's t.TempDir is closed to the server
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func begin(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

// shared is the home that tests use one after the other, which saves initdb.
var shared string

func sharedHome(t *testing.T) string {
	t.Helper()
	if shared == "" {
		dir, err := os.MkdirTemp("/tmp", "pglocal-*") //nolint:usetesting // root's t.TempDir is closed to the server
		if err == nil {
			err = os.Chmod(dir, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		shared = filepath.Join(dir, "pg")
	}
	return shared
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// remember commits one row and returns how many there are.
func remember(t *testing.T, dsn string) (rows int) {
	t.Helper()
	conn := connect(t, dsn)
	_, err := conn.Exec(t.Context(), `
		create table if not exists kept (n int);
		insert into kept values (1)`)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), `select count(*) from kept`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// wantRows checks that every row ever committed is there.
func wantRows(t *testing.T, dsn string, want int) {
	t.Helper()
	var got int
	if err := connect(t, dsn).QueryRow(t.Context(), `select count(*) from kept`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%d rows kept, want %d", got, want)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// owner is another program that owns a cluster.
type owner struct {
	cmd   *exec.Cmd
	stdin io.Closer
	dsn   string
}

func startOwner(t *testing.T, program, dir string, attr *syscall.SysProcAttr) owner {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), program) // it ends by its standard input
	cmd.Env = append(os.Environ(), ownerDir+"="+dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = attr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "postgres://") {
		t.Fatalf("the other program did not start: %q, %v", line, err)
	}
	return owner{cmd: cmd, stdin: stdin, dsn: strings.TrimSpace(line)}
}

func self(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// postmaster reads the pid of the server from its own file.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestDataSurvivesAnOrderlyStop(t *testing.T) {
	dir := sharedHome(t)
	s := begin(t, dir)
	rows := remember(t, s.DSN())
	dsn := s.DSN()
	stop(t, s)
	stop(t, s) // a second time does nothing
	if err, open := <-s.Exited(); open {
		t.Errorf("an orderly stop was reported as %v", err)
	}

	s = begin(t, dir)
	if s.DSN() != dsn {
		t.Errorf("address %s, want the one before: %s", s.DSN(), dsn)
	}
	wantRows(t, s.DSN(), rows)
}

func TestTheServerIsPrivateAndDurable(t *testing.T) {
	s := begin(t, sharedHome(t))
	conn := connect(t, s.DSN())
	for name, want := range map[string]string{
		"listen_addresses": "", "unix_socket_permissions": "0700", "fsync": "on", "full_page_writes": "on",
		"data_checksums": "on", "server_encoding": "UTF8", "lc_collate": "C", "TimeZone": "UTC",
	} {
		var got string
		err := conn.QueryRow(t.Context(), `select coalesce(
			(select setting from pg_settings where lower(name) = lower($1)),
			(select datcollate from pg_database where datname = current_database()))`, name).Scan(&got)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, path := range []string{s.socket, filepath.Join(filepath.Dir(s.socket), "data")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, want 0700", path, info.Mode().Perm())
		}
	}
	var version string
	if err := conn.QueryRow(t.Context(), `show server_version`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(version, s.Version) {
		t.Errorf("version %q, the server says %q", s.Version, version)
	}
}

func TestASecondOwnerIsRefusedAndToldWhoHasIt(t *testing.T) {
	dir := sharedHome(t)
	s := begin(t, dir)
	_, err := Start(t.Context(), Config{Dir: dir})
	wantError(t, err, dir, "in use by process "+strconv.Itoa(os.Getpid()))
	wantError(t, Remove(t.Context(), Config{Dir: dir}), "in use by process")

	out, err := func() ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), self(t))
		cmd.Env = append(os.Environ(), ownerDir+"="+dir)
		return cmd.Output()
	}()
	if err == nil || !strings.Contains(string(out), "in use by process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("another program got %q, %v", out, err)
	}
	remember(t, s.DSN()) // the first owner noticed nothing
}

func TestPathsThatPostgreSQLDoesNotLike(t *testing.T) {
	for _, name := range []string{
		"Lager Süd, with spaces and 'quotes'",
		strings.Repeat("long/", 30) + "pg",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(openDir(t), name)
			s := begin(t, dir)
			remember(t, s.DSN())
			stop(t, s)
			s = begin(t, dir)
			wantRows(t, s.DSN(), 1)
			stop(t, s)
			leaveServer(t, dir)
			if err := Remove(t.Context(), Config{Dir: dir}); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{dir, s.socket} {
				if _, err := os.Lstat(path); !os.IsNotExist(err) {
					t.Errorf("%s is still there after Remove", path)
				}
			}
		})
	}
}

func TestADirectoryWithOtherFilesIsRefused(t *testing.T) {
	dir := openDir(t)
	if err := os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Config{Dir: dir})
	wantError(t, err, dir, "holds other files")
	wantError(t, Remove(t.Context(), Config{Dir: dir}), "holds other files")
}

func TestAnEmptyDirectoryIsUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pg")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the server's own
		if err := Remove(context.Background(), Config{Dir: dir}); err != nil {
			t.Error(err)
		}
	})
	remember(t, begin(t, dir).DSN())
}
