package e2e

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Ctrl-C at every stage of a start ends the program and its PostgreSQL well,
// and the next start takes up what is there.
func TestInterrupts(t *testing.T) {
	t.Parallel()
	bin, dir := program(t), t.TempDir()
	for _, stage := range []struct {
		line   string
		status int
	}{
		{"starting the database", 1},
		{"simulating", 1},
		{"fitting the first models", 1},
		{"fitting newer ones", 1},
		{"loading the state", 1},
		{"ranking what to count", 1},
		{started, 0},
		{started, 0}, // the second start, which has nothing to prepare
	} {
		t.Run(stage.line, func(t *testing.T) {
			status, output := interruptAt(t, stage.line, bin, demoArgs(dir)...)
			if status != stage.status {
				t.Errorf("exit status %d, want %d:\n%s", status, stage.status, output)
			}
			if status != 0 && !strings.HasSuffix(output, "tallyman: stopped\n") || strings.Contains(output, "level=") {
				t.Errorf("it does not end in plain words:\n%s", output)
			}
			nothingLeft(t, dir)
		})
	}
}

// The same of serve, which has less to do.
func TestInterruptedServe(t *testing.T) {
	t.Parallel()
	bin, dir := program(t), t.TempDir()
	status, output := interruptAt(t, "msg=listening", bin, "serve", "--dir", dir, "--listen", "127.0.0.1:0")
	if status != 0 || strings.Contains(output, "level=ERROR") {
		t.Errorf("exit status %d:\n%s", status, output)
	}
	nothingLeft(t, dir)
}

// started is the last line of a start, where a test that waits for another one ends.
const started = "Ctrl-C stops it."

// interruptAt runs the program in a process group of its own, as a terminal
// does, sends the interrupt to all of it when a line comes, and returns how it
// ended and what it said.
func interruptAt(t *testing.T, line, bin string, args ...string) (status int, output string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // of a test that failed
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		_ = in.Close()
	}()
	var said strings.Builder
	reached, interrupted := false, false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		here := strings.Contains(lines.Text(), line)
		reached = reached || here
		if !interrupted && (here || strings.Contains(lines.Text(), started)) {
			interrupted = true
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
	}
	err := <-ended
	if !reached {
		t.Fatalf("it never said %q: %v\n%s", line, err, said.String())
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), said.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, said.String()
}

// nothingLeft checks that PostgreSQL has ended in good order and that nobody
// takes the demo for ready.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"demo.json", "postgres/data/postmaster.pid"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left over: %v", name, err)
		}
	}
	for _, name := range []string{"owner.lock", "server.lock"} {
		f, err := os.Open(filepath.Join(dir, "postgres", name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Errorf("a process still holds %s: %v", name, err)
		}
		_ = f.Close()
	}
}
