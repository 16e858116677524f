package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
	dsn, stop := d.URL, func() {}
	if dsn == "" {
		starting, cancel := context.WithTimeout(ctx, startTimeout)
		defer cancel()
		server, err := pglocal.Start(starting, pglocal.Config{Dir: filepath.Join(d.Dir, "postgres"), Log: log})
		if err != nil {
			return nil, nil, err
		}
		dsn, stop = server.DSN(), func() {
			if err := server.Stop(context.WithoutCancel(ctx)); err != nil {
				log.Error("stopping PostgreSQL", slog.Any("error", err))
			}
		}
	}
	if err := store.Migrate(ctx, dsn); err != nil {
		stop()
		return nil, nil, err
	}
	db, err = store.Open(ctx, dsn)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return db, func() { db.Close(); stop() }, nil
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
