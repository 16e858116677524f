package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"tallyman/pglocal"
	"tallyman/store"
)

// database says where everything is remembered.
type database struct {
	URL string `name:"database-url" env:"DATABASE_URL" placeholder:"URL" help:"PostgreSQL to use. Without it the program runs a private one in --dir."`
	Dir string `env:"TALLYMAN_DIR" default:".data" placeholder:"DIR" help:"Folder of the private PostgreSQL and whatever else is kept (.data)."`
}

// startTimeout leaves a private cluster time to recover after a crash.
const startTimeout = 2 * time.Minute

// open connects to the database, starting the private one when no URL is
// given, and brings its schema up to date. The caller calls closeAll.
func (d *database) open(ctx context.Context, log *slog.Logger) (db *store.DB, closeAll func(), err error) {
	return d.connect(ctx, log, startPrivate, false)
}

// openBeside is open for what is done beside a running service: where that has
// the private PostgreSQL already, it uses it.
func (d *database) openBeside(ctx context.Context, log *slog.Logger) (db *store.DB, closeAll func(), err error) {
	return d.connect(ctx, log, startBeside, false)
}

// openToRead is openBeside for what changes nothing. Where the schema is this
// program's already, it is left alone, which takes half a second less.
func (d *database) openToRead(ctx context.Context, log *slog.Logger) (db *store.DB, closeAll func(), err error) {
	return d.connect(ctx, log, startBeside, true)
}

func startBeside(ctx context.Context, cfg pglocal.Config, log *slog.Logger) (dsn string, stop func(), err error) {
	dsn, stop, err = startPrivate(ctx, cfg, log)
	if used := (*pglocal.InUseError)(nil); errors.As(err, &used) {
		return used.DSN, func() {}, nil
	}
	return dsn, stop, err
}

type starter func(context.Context, pglocal.Config, *slog.Logger) (dsn string, stop func(), err error)

func (d *database) connect(ctx context.Context, log *slog.Logger, start starter, reads bool) (db *store.DB, closeAll func(), err error) {
	owner, stop := d.URL, func() {}
	program := owner
	if owner == "" {
		if owner, stop, err = start(ctx, pglocal.Config{Dir: filepath.Join(d.Dir, "postgres"), Log: log}, log); err != nil {
			return nil, nil, err
		}
		program = pglocal.As(owner, store.AppRole)
	}
	if reads {
		db, err = store.Open(ctx, program)
		switch {
		case err == nil:
			return db, func() { db.Close(); stop() }, nil
		case !errors.Is(err, store.ErrNotMigrated):
			stop()
			return nil, nil, err
		}
	}
	if err := migrate(ctx, owner); err != nil {
		stop()
		return nil, nil, err
	}
	db, err = store.Open(ctx, program)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return db, func() { db.Close(); stop() }, nil
}

// migrate brings the schema up to date, unless the account is the program's own
// role, which may not: then an owner of the tables runs "tallyman migrate".
func migrate(ctx context.Context, dsn string) error {
	if app, err := store.IsAppRole(dsn); app || err != nil {
		return err
	}
	return store.Migrate(ctx, dsn)
}

// startPrivate starts the private PostgreSQL and keeps it running until stop.
func startPrivate(ctx context.Context, cfg pglocal.Config, log *slog.Logger) (dsn string, stop func(), err error) {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	server, err := pglocal.Start(starting, cfg)
	if err != nil {
		return "", nil, err
	}
	// It is the last to go: what is being saved when ctx ends still is.
	keeping, release := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		keepRunning(keeping, server, cfg, log)
	}()
	return server.DSN(), func() { release(); <-stopped }, nil
}

// keepRunning starts PostgreSQL again when it ends by itself, as when the system
// kills it for its memory. It ends PostgreSQL when ctx ends.
func keepRunning(ctx context.Context, server *pglocal.Server, cfg pglocal.Config, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			if err := server.Stop(context.WithoutCancel(ctx)); err != nil {
				log.Error("stopping PostgreSQL", slog.Any("error", err))
			}
			return
		case err := <-server.Exited():
			log.Error("PostgreSQL is started again", slog.Any("reason", err))
		}
		if server = startAgain(ctx, cfg, log); server == nil {
			return
		}
	}
}

// startAgain tries until it works, or returns nil when ctx ends.
func startAgain(ctx context.Context, cfg pglocal.Config, log *slog.Logger) *pglocal.Server {
	for {
		server, err := pglocal.Start(ctx, cfg)
		if err == nil {
			return server
		}
		log.Error("starting PostgreSQL again", slog.Any("error", err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// growHeap lets the heap of a command that reads much and ends grow to five times
// what lives in it before it is collected: a sixth of a replay's time for twice the
// memory. GOGC in the environment has its say.
func growHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// newLog writes to the standard error what an operator wants to know.
func newLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// quiet logs nothing but trouble, for commands that print their own progress.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// plural writes a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
