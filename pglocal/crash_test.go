//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestDataSurvivesKillingTheProgram(t *testing.T) {
	dir := sharedHome(t)
	for range 3 {
		o := startOwner(t, self(t), dir, nil)
		rows := remember(t, o.dsn)
		kill(t, o.cmd.Process.Pid)
		_ = o.cmd.Wait()
		// At once, while the server may still be ending.
		s := begin(t, dir)
		wantRows(t, s.DSN(), rows)
		stop(t, s)
	}
}

func TestTheServerEndsWithTheProgram(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "freebsd" {
		t.Skip("this system does not offer it; the next start stops the server")
	}
	dir := sharedHome(t)
	o := startOwner(t, self(t), dir, nil)
	kill(t, o.cmd.Process.Pid)
	_ = o.cmd.Wait()
	lock, err := openFile(dir, serverLock, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	if gone, err := waitLock(t.Context(), lock); err != nil || !gone {
		t.Errorf("the server lives on without its program: %v", err)
	}
}

// leaveServer starts a server that outlives its program, as every server does on
// a system that does not end it.
func leaveServer(t *testing.T, dir string) (pid int) {
	t.Helper()
	stop(t, begin(t, dir))
	a, err := accountFor(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := choose(installed(t.Context(), candidates(), a), 0, dir)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := openFile(dir, serverLock, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	if locked, err := tryLock(lock); err != nil || !locked {
		t.Fatalf("lock of the server: %v, %v", locked, err)
	}
	socket := socketDir(dir)
	if err := a.privateDir(socket); err != nil {
		t.Fatal(err)
	}
	cmd := a.command(context.Background(), b, "postgres", "-D", filepath.Join(dir, "data"),
		"-c", "unix_socket_directories="+socket, "-c", "listen_addresses=")
	cmd.ExtraFiles = []*os.File{lock}
	s := &Server{cmd: cmd, ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-s.ended
	})
	if err := errors.Join(s.awaitReady(t.Context(), dir), lock.Close()); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestAServerThatOutlivedItsProgramIsStopped(t *testing.T) {
	dir := sharedHome(t)
	old := leaveServer(t, dir)
	rows := remember(t, dsn(socketDir(dir)))
	s := begin(t, dir)
	wantRows(t, s.DSN(), rows)
	if pid := postmaster(t, dir); pid == old {
		t.Errorf("the server is still process %d", old)
	}
}

func TestDataSurvivesKillingTheServer(t *testing.T) {
	dir := sharedHome(t)
	s := begin(t, dir)
	rows := remember(t, s.DSN())
	// A backend that is busy when its postmaster dies.
	busy := connect(t, s.DSN())
	if _, err := busy.Exec(t.Context(), `begin; insert into kept values (2)`); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := busy.Exec(context.Background(), `select pg_sleep(600)`)
		failed <- err
	}()
	kill(t, postmaster(t, dir))
	if err := <-s.Exited(); err == nil {
		t.Error("the owner was not told that the server ended")
	}
	again := begin(t, dir)
	if err := <-failed; err == nil {
		t.Error("a statement outlived its server")
	}
	wantRows(t, again.DSN(), rows)
	stop(t, s) // the old handle touches nothing
	remember(t, again.DSN())
}

func TestKillingABackendKeepsTheServer(t *testing.T) {
	dir := sharedHome(t)
	s := begin(t, dir)
	rows := remember(t, s.DSN())
	before := postmaster(t, dir)
	victim := connect(t, s.DSN())
	kill(t, int(victim.PgConn().PID()))
	if _, err := victim.Exec(t.Context(), `select 1`); err == nil {
		t.Error("the killed backend answered")
	}
	// PostgreSQL refuses connections while it recovers, about 50 ms.
	for {
		conn, err := pgx.Connect(t.Context(), s.DSN())
		if err == nil {
			_ = conn.Close(t.Context())
			break
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	wantRows(t, s.DSN(), rows)
	if after := postmaster(t, dir); after != before {
		t.Errorf("postmaster %d became %d", before, after)
	}
	select {
	case err := <-s.Exited():
		t.Errorf("the server ended: %v", err)
	default:
	}
}

func TestAStalePidOfALivingProcessIsNoObstacle(t *testing.T) {
	dir := sharedHome(t)
	s := begin(t, dir)
	rows := remember(t, s.DSN())
	a, err := accountFor(dir)
	if err != nil {
		t.Fatal(err)
	}
	// A process of the same account, which PostgreSQL cannot tell from a postmaster.
	sleep := a.command(t.Context(), binaries{dir: "/bin"}, "sleep", "600")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sleep.Process.Kill()
		_ = sleep.Wait()
	}()
	pid := filepath.Join(dir, "data", "postmaster.pid")
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	kill(t, postmaster(t, dir))
	<-s.Exited()
	text = append([]byte(strconv.Itoa(sleep.Process.Pid)), text[len(strconv.Itoa(s.cmd.Process.Pid)):]...)
	if err := os.WriteFile(pid, text, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRows(t, begin(t, dir).DSN(), rows)
	if err := sleep.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("an innocent process was stopped: %v", err)
	}
}

func TestKillingTheProgramDuringInitialisationLeavesNoHalfCluster(t *testing.T) {
	dir := filepath.Join(openDir(t), "pg")
	program := exec.CommandContext(t.Context(), self(t))
	program.Env = append(os.Environ(), ownerDir+"="+dir)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	// initdb writes PG_VERSION early and takes its time over the rest.
	for tick := time.Tick(time.Millisecond); t.Context().Err() == nil; <-tick {
		if _, err := os.Stat(filepath.Join(dir, "data.init", "PG_VERSION")); err == nil {
			break
		}
	}
	kill(t, program.Process.Pid)
	_ = program.Wait()
	if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
		t.Fatal("initdb could not be caught at work, or a half cluster stands where the data belongs")
	}
	remember(t, begin(t, dir).DSN())
}

func TestACutOffStopIsStillSafe(t *testing.T) {
	dir := sharedHome(t)
	s := begin(t, dir)
	rows := remember(t, s.DSN())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); err == nil {
		t.Log("the server was quicker than the cut") // both are fine, the data counts
	}
	wantRows(t, begin(t, dir).DSN(), rows)
}
