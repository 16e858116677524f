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
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Server is a running private PostgreSQL.
type Server struct {
	Version string // of the binaries, such as 15.18

	socket   string
	cmd      *exec.Cmd
	owner    *os.File
	ended    chan struct{} // closed when the process is gone
	exited   chan error
	stopping atomic.Bool
}

// Start runs the cluster of cfg.Dir, making it first when it does not exist, and
// returns when the server takes connections. After a crash that includes its
// recovery, so give ctx time; ctx bounds only the start. The caller stops the
// server with Stop.
//
// It refuses a directory that another program owns, binaries other than those
// the data needs, and a machine without PostgreSQL, each time saying what to do.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	log := logger(cfg)
	home, a, err := openHome(cfg.Dir, log)
	if err != nil {
		return nil, err
	}
	owner, err := lockOwner(home)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, home, a, owner, log)
	if err != nil {
		disown(owner)
		return nil, err
	}
	return s, nil
}

func logger(cfg Config) *slog.Logger {
	if cfg.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return cfg.Log
}

func start(ctx context.Context, home string, a account, owner *os.File, log *slog.Logger) (*Server, error) {
	major, err := dataVersion(home)
	if err != nil {
		return nil, err
	}
	found := installed(ctx, candidates(), a)
	if ctx.Err() != nil { // it may have kept programs from saying their version
		return nil, context.Cause(ctx)
	}
	b, err := choose(found, major, home)
	if err != nil {
		return nil, err
	}
	lock, err := awaitLeftovers(ctx, home, b, a, log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }() // from then on the server alone holds it
	if major == 0 {
		log.Info("initialising PostgreSQL data", slog.String("directory", home), slog.String("version", b.version))
		if err := initialise(ctx, home, b, a, lock); err != nil {
			return nil, err
		}
	} else if err := clearStalePid(ctx, home); err != nil {
		return nil, err
	}
	socket := socketDir(home)
	if err := a.privateDir(socket); err != nil {
		return nil, fmt.Errorf("socket directory: %w", err)
	}
	s := &Server{Version: b.version, socket: socket, ended: make(chan struct{}), exited: make(chan error, 1), owner: owner}
	return s, s.launch(ctx, home, b, a, lock)
}

// launch starts the server and waits until it takes connections.
func (s *Server) launch(ctx context.Context, home string, b binaries, a account, lock *os.File) error {
	output, err := serverLog(home)
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }()
	begin, err := output.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("log of PostgreSQL: %w", err)
	}
	args := []string{"-D", filepath.Join(home, "data"), "-c", "unix_socket_directories=" + s.socket}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	// The server outlives ctx, which bounds its start only.
	s.cmd = a.command(context.WithoutCancel(ctx), b, "postgres", args...)
	s.cmd.Stdout, s.cmd.Stderr = output, output
	s.cmd.ExtraFiles = []*os.File{lock}
	dieWithProgram(s.cmd.SysProcAttr, syscall.SIGINT)
	if err := s.spawn(); err != nil {
		return err
	}
	if err := s.awaitReady(ctx, home); err != nil {
		s.stopping.Store(true)
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.ended
		return fmt.Errorf("start of PostgreSQL %s: %w%s", b.version, err, logSince(output, begin))
	}
	return nil
}

// spawn starts the process and the goroutine that waits for it.
func (s *Server) spawn() error {
	started := make(chan error)
	go func() {
		// The system watches the thread that started the server: it has to live
		// as long as the program.
		runtime.LockOSThread()
		if err := s.cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		err := s.cmd.Wait()
		disown(s.owner)
		if !s.stopping.Load() {
			s.exited <- fmt.Errorf("PostgreSQL ended by itself: %w", cause(err))
		}
		close(s.exited)
		close(s.ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start of PostgreSQL: %w", err)
	}
	return nil
}

func cause(err error) error {
	if err == nil {
		return errors.New("somebody else stopped it")
	}
	return err
}

// awaitReady returns when postmaster.pid is this server's and says ready.
func (s *Server) awaitReady(ctx context.Context, home string) error {
	pid := strconv.Itoa(s.cmd.Process.Pid)
	path := filepath.Join(home, "data", "postmaster.pid")
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(path) // absent at first
		if line := strings.Split(string(text), "\n"); len(line) > 7 && line[0] == pid && strings.TrimSpace(line[7]) == "ready" {
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// DSN is the server's address, good for pgx and psql. It stays the same when the
// cluster is started again.
func (s *Server) DSN() string { return dsn(s.socket) }

// Exited yields why the server ended without Stop, and is closed when it has
// ended. The directory is then free, and Start recovers what was committed.
func (s *Server) Exited() <-chan error { return s.exited }

// Stop ends the server: sessions are cut off, what was committed is written out.
// When ctx ends first the server is ended hard, which loses nothing but makes the
// next start recover. Close connection pools before. A second Stop does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	_ = s.cmd.Process.Signal(syscall.SIGINT) // an error means that it is gone
	var err error
	select {
	case <-s.ended:
	case <-ctx.Done():
		err = fmt.Errorf("PostgreSQL stopped hard, its next start will recover: %w", context.Cause(ctx))
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.ended
	}
	_ = os.Remove(s.socket) // empty after an orderly end
	return err
}

// Remove deletes the cluster of cfg.Dir with all its data, also where Dir is a
// link. A directory that is in use is refused, one that is not there is no error.
func Remove(ctx context.Context, cfg Config) error {
	if _, err := os.Stat(cfg.Dir); errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(cfg.Dir) // perhaps a link to a place that is gone
	}
	log := logger(cfg)
	home, a, err := openHome(cfg.Dir, log)
	if err != nil {
		return err
	}
	owner, err := lockOwner(home)
	if err != nil {
		return err
	}
	defer disown(owner)
	b, _ := choose(installed(ctx, candidates(), a), 0, home) // needed only where a leftover runs
	lock, err := awaitLeftovers(ctx, home, b, a, log)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	return errors.Join(os.RemoveAll(socketDir(home)), os.RemoveAll(home), os.RemoveAll(cfg.Dir))
}
