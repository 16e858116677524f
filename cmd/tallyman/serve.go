package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"tallyman/api"
	"tallyman/jobs"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/web"
)

// serveCmd runs the service.
type serveCmd struct {
	database
	auditSettings
	Listen string `env:"TALLYMAN_LISTEN" default:"127.0.0.1:8080" help:"Address of API and pages. Pages have no login yet: keep it private, or put a proxy with one in front."`
}

// Help explains the command at length.
func (*serveCmd) Help() string {
	return `Runs API, pages and ranking. The WMS posts events to /v1/events and asks for the
risk of a load at /v1/risk-evaluations with an API key ("tallyman key add");
supervisors open /queue. Any number of processes may share one --database-url.`
}

// Run serves until interrupted.
func (c *serveCmd) Run(ctx context.Context) error {
	log := newLog()
	db, closeAll, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer closeAll()
	stopAudit, err := c.keep(ctx, db, c.Dir, log)
	if err != nil {
		return err
	}
	defer stopAudit()
	engine, err := jobs.Load(ctx, db, time.Now())
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return err
	}
	log.Info("listening", slog.String("url", "http://"+listener.Addr().String()))
	return serve(ctx, listener, db, engine, log)
}

// serve answers requests, follows events and ranks until ctx ends, and returns
// when everything has stopped. That ctx ended is no error, also where it ended
// while something was still starting.
func serve(ctx context.Context, listener net.Listener, db *store.DB, engine *scoring.Engine, log *slog.Logger) error {
	mux := http.NewServeMux()
	answers := api.New(db, engine, time.Now, log)
	for _, path := range []string{"/v1/", "/openapi.json", "/healthz", "/readyz", "/metrics"} {
		mux.Handle(path, answers)
	}
	mux.Handle("/", web.New(db, time.Now, log))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 60 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 60 * time.Second, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	interrupted := ctx
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return server.Shutdown(ending)
	})
	group.Go(func() error {
		jobs.Follow(ctx, db, engine, time.Now, log)
		return nil
	})
	group.Go(func() error { return jobs.Work(ctx, db, engine, time.Now, log) })
	err := group.Wait()
	if interrupted.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
