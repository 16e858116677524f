//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// settings are given on the command line, where no edited file can undo them. That
// fsync and full_page_writes are on is PostgreSQL's own default.
var settings = []string{
	"listen_addresses=", // no network
	"unix_socket_permissions=0700",
	"logging_collector=off",
	// A backend in a long query notices that its program is gone.
	"client_connection_check_interval=1s",
	"shared_buffers=256MB",
	"max_wal_size=4GB",
	"random_page_cost=1.1",
	"jit=off", // compiling costs more than these queries
}

// command prepares one of PostgreSQL's programs to run as the account, apart from
// the terminal's ^C, and knowing nothing of the user's environment.
func (a account) command(ctx context.Context, b binaries, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.path(program), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + b.dir + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return cmd
}

// initialise makes the data directory. It comes into being by a rename, so that
// a crash half way leaves no half cluster.
func initialise(ctx context.Context, home string, b binaries, a account, lock *os.File) error {
	data := filepath.Join(home, "data")
	unfinished := data + ".init"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("rest of an earlier initialisation: %w", err)
	}
	if err := a.privateDir(unfinished); err != nil {
		return fmt.Errorf("PostgreSQL data: %w", err)
	}
	initdb := a.command(ctx, b, "initdb", "-D", unfinished, "-U", "tallyman", "--auth-local=trust", "--auth-host=reject",
		"-E", "UTF8", "--locale=C", "--data-checksums", "--no-instructions")
	if err := runHolding(initdb, lock); err != nil {
		return err
	}
	if err := os.Rename(unfinished, data); err != nil {
		return fmt.Errorf("PostgreSQL data: %w", err)
	}
	return syncDir(home)
}

// runHolding runs cmd to its end with the server's lock in its hands.
func runHolding(cmd *exec.Cmd, lock *os.File) error {
	runtime.LockOSThread() // the system watches the thread, not the program
	defer runtime.UnlockOSThread()
	dieWithProgram(cmd.SysProcAttr, syscall.SIGKILL)
	cmd.ExtraFiles = []*os.File{lock}
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}
