//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
}

func TestRootBelowAClosedDirectoryFindsAPlace(t *testing.T) {
	needRoot(t)
	closed := openDir(t)
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "data", "pg")
	s := begin(t, dir)
	remember(t, s.DSN())
	stop(t, s)
	home, err := os.Readlink(dir)
	if err != nil {
		t.Fatalf("the way to the data is no link: %v", err)
	}
	if !strings.HasPrefix(home, "/tmp/tallyman-") {
		t.Errorf("a temporary directory's data is in %s, want it below /tmp", home)
	}
	s = begin(t, dir)
	wantRows(t, s.DSN(), 1)
	stop(t, s)
	if err := Remove(t.Context(), Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, home} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there after Remove", path)
		}
	}
}

func TestTheServerOfRootIsNotRoot(t *testing.T) {
	needRoot(t)
	dir := sharedHome(t)
	begin(t, dir)
	for _, path := range []string{"data", "data/postmaster.pid", "run/" + socketFile} {
		uid, _, err := ownerOf(filepath.Join(dir, path))
		if err != nil || uid == 0 {
			t.Errorf("%s belongs to uid %d, %v", path, uid, err)
		}
	}
	for _, path := range []string{".", ownerLock, serverLock, "server.log"} {
		if uid, _, err := ownerOf(filepath.Join(dir, path)); err != nil || uid != 0 {
			t.Errorf("%s belongs to uid %d, %v, want the program's", path, uid, err)
		}
	}
}

// reachableSelf copies this program to where any account may run it.
func reachableSelf(t *testing.T) string {
	t.Helper()
	from, err := os.Open(self(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	program := filepath.Join(openDir(t), "owner")
	to, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o755)
	if err == nil {
		_, err = io.Copy(to, from)
	}
	if err == nil {
		err = to.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func TestAnOrdinaryUsersClusterStaysTheirs(t *testing.T) {
	needRoot(t)
	const user = 65534 // nobody; initdb wants an account with a name
	place := openDir(t)
	if err := os.Chown(place, user, user); err != nil {
		t.Fatal(err)
	}
	program := reachableSelf(t)
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	dir := filepath.Join(place, "pg")

	o := startOwner(t, program, dir, as)
	remember(t, o.dsn)
	_ = o.stdin.Close()
	_ = o.cmd.Wait()

	s := begin(t, dir) // root runs it as its owner
	wantRows(t, s.DSN(), 1)
	remember(t, s.DSN())
	stop(t, s)

	o = startOwner(t, program, dir, as) // and leaves nothing the owner cannot open
	wantRows(t, o.dsn, 2)
}
