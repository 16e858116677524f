//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The owner's lock is held by the program. The server's lock is held by every
// process of the server, which inherit it: whoever gets it knows that not one of
// them lives, whatever postmaster.pid says and whoever has that pid today.
const (
	ownerLock  = "owner.lock"
	serverLock = "server.lock"
)

// openFile opens a file of the home. It never follows a link, as the program may be
// root and the home another's.
func openFile(home, name string, flags int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(home, name), flags|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(home)
	if err == nil && os.Geteuid() == 0 {
		owner := info.Sys().(*syscall.Stat_t)
		err = f.Chown(int(owner.Uid), int(owner.Gid))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// tryLock reports whether it got the lock.
func tryLock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

// lockOwner takes the owner's lock, or says who has it.
func lockOwner(home string) (*os.File, error) {
	f, err := openFile(home, ownerLock, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL directory: %w", err)
	}
	locked, err := tryLock(f)
	switch {
	case err == nil && !locked:
		pid, _ := io.ReadAll(f)
		err = &InUseError{home, strings.TrimSpace(string(pid)), dsn(socketDir(home))}
	case err == nil:
		err = f.Truncate(0)
		if err == nil {
			_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// disown gives the owner's lock back at once, even while a process being started
// elsewhere in the program holds a copy of the descriptor for an instant. Doing
// it twice is harmless.
func disown(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	_ = f.Close()
}

// awaitLeftovers returns the server's lock once no process of an earlier server
// is left, stopping a server that outlived its program.
func awaitLeftovers(ctx context.Context, home string, b binaries, a account, log *slog.Logger) (*os.File, error) {
	f, err := openFile(home, serverLock, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL directory: %w", err)
	}
	locked, err := tryLock(f)
	if err == nil && !locked {
		log.Info("stopping a PostgreSQL that outlived its program", slog.String("directory", home))
		stopLeftover(ctx, home, b, a)
		// Without a postmaster its last backends end by themselves, each when
		// it notices.
		locked, err = waitLock(ctx, f)
	}
	if err == nil && !locked {
		err = fmt.Errorf("processes of an earlier PostgreSQL in %s still run (%s/data/postmaster.pid names the first): "+
			"stop them, then start again", home, home)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func waitLock(ctx context.Context, f *os.File) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		locked, err := tryLock(f)
		if locked || err != nil {
			return locked, err
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-tick.C:
		}
	}
}

// stopLeftover asks the postmaster to end. It runs pg_ctl under the server's
// account, so that a wrong pid in the account's own file can hurt nobody else. A
// failure shows as a lock that stays taken.
func stopLeftover(ctx context.Context, home string, b binaries, a account) {
	for _, mode := range []string{"fast", "immediate"} {
		cmd := a.command(ctx, b, "pg_ctl", "stop", "-D", filepath.Join(home, "data"), "-m", mode, "-t", "20", "-s")
		if cmd.Run() == nil {
			return
		}
	}
}

// clearStalePid removes the pid file of a server that is gone, as PostgreSQL
// would refuse to start when some other process has that pid by now. A server
// that somebody started by hand on this data answers on its socket and is left
// alone.
func clearStalePid(ctx context.Context, home string) error {
	path := filepath.Join(home, "data", "postmaster.pid")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pid of an earlier PostgreSQL: %w", err)
	}
	// https://www.postgresql.org/docs/current/storage-file-layout.html:
	// pid, data directory, start time, port, socket directory, …
	if line := strings.Split(string(text), "\n"); len(line) > 4 && line[4] != "" {
		conn, err := dial(ctx, line[4], line[3])
		if err == nil {
			_ = conn.Close()
			return fmt.Errorf("process %s runs PostgreSQL on %s/data and was not started by this program: stop it first",
				line[0], home)
		}
	}
	return os.Remove(path)
}
