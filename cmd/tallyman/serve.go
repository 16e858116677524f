package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"tallyman/api"
	"tallyman/jobs"
	"tallyman/llm"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/triage"
	"tallyman/web"
)

// serveCmd runs the service.
type serveCmd struct {
	database
	signInSettings
	auditSettings
	ownTickets
	languageModel
	Listen string `env:"TALLYMAN_LISTEN" default:"127.0.0.1:8080" help:"Address of API and pages. Put a proxy with TLS in front, and say its address with --public-url."`
}

// signInSettings say how people sign in.
type signInSettings struct {
	PublicURL    string `env:"TALLYMAN_PUBLIC_URL" placeholder:"URL" help:"Address of the pages as browsers see it, such as https://tallyman.example.com."`
	OIDCIssuer   string `name:"oidc-issuer" env:"TALLYMAN_OIDC_ISSUER" placeholder:"URL" help:"OpenID Connect provider to sign in with, beside local accounts."`
	OIDCClientID string `name:"oidc-client-id" env:"TALLYMAN_OIDC_CLIENT_ID" placeholder:"ID" help:"Client id there; it must allow PUBLIC-URL/oidc/callback."`
	OIDCSecret   string `name:"oidc-client-secret" env:"TALLYMAN_OIDC_CLIENT_SECRET" placeholder:"SECRET" help:"Its secret; better given by the environment."`
	OIDCRoles    string `name:"oidc-roles" env:"TALLYMAN_OIDC_ROLES" type:"existingfile" placeholder:"FILE" help:"What its groups may approve, a row a line: group, role, site, limit, daily limit."`
}

// config returns what the pages need to know.
func (s *signInSettings) config() (web.Config, error) {
	c := web.Config{PublicURL: s.PublicURL}
	if s.OIDCIssuer == "" {
		return c, nil
	}
	c.OIDC = &web.OIDC{Issuer: s.OIDCIssuer, ClientID: s.OIDCClientID, Secret: s.OIDCSecret}
	if s.OIDCRoles == "" {
		return c, nil
	}
	file, err := os.Open(s.OIDCRoles)
	if err != nil {
		return c, err
	}
	defer func() { _ = file.Close() }()
	if c.OIDC.Roles, err = web.ReadGroupRoles(file); err != nil {
		return c, fmt.Errorf("%s: %w", s.OIDCRoles, err)
	}
	return c, nil
}

// Help explains the command at length.
func (*serveCmd) Help() string {
	return `Runs API, pages, ranking and the execution of approved steps. The WMS posts events to /v1/events and asks for the
risk of a load at /v1/risk-evaluations with an API key ("tallyman key add");
exception tickets go to /v1/tickets. Supervisors sign in and open /queue, /steps and /tickets ("tallyman user add"). Until the first
account is made, whoever reaches the address can read /queue. Any number of processes may share one --database-url.`
}

// Run serves until interrupted.
func (c *serveCmd) Run(ctx context.Context) error {
	log := newLog()
	config, err := c.config()
	if err != nil {
		return err
	}
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
	desk, basis, err := c.desk(ctx, db, c.LLMBaseURL != "", refitThreads())
	if err != nil {
		return err
	}
	client, err := c.budgeted(db, log)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return err
	}
	ready := func() error {
		log.Info("listening", slog.String("url", "http://"+listener.Addr().String()))
		return nil
	}
	return serve(ctx, listener, &service{db, engine, desk, basis, client}, config, ready, log)
}

// service is what a program serves from.
type service struct {
	db     *store.DB
	engine *scoring.Engine
	desk   *triage.Desk
	basis  jobs.Basis
	client *llm.Client // nil for no language model
}

// serve answers requests, follows events, ranks and executes until ctx ends, and returns
// when everything has stopped. It calls ready when the first request will be
// answered as quickly as later ones. That ctx ended is no error, also where it
// ended while something was still starting.
func serve(ctx context.Context, listener net.Listener, s *service, config web.Config, ready func() error, log *slog.Logger) error {
	db, engine := s.db, s.engine
	handler, err := s.handler(config, log)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 60 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 60 * time.Second, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	interrupted := ctx
	group, ctx := errgroup.WithContext(ctx)
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
	group.Go(func() error {
		jobs.AdoptModels(ctx, db, engine, log)
		return nil
	})
	group.Go(func() error {
		jobs.AdoptPolicies(ctx, db, log)
		return nil
	})
	group.Go(func() error { return jobs.Work(ctx, db, engine, time.Now, log) })
	group.Go(func() error { return jobs.Execute(ctx, db, time.Now, log) })
	group.Go(func() error { return jobs.Tickets(ctx, db, s.desk, s.basis, s.client, time.Now, log) })
	group.Go(func() error { // the last, when the others have taken the connections that they keep
		jobs.RehearseTickets(ctx, db, s.desk, runtime.GOMAXPROCS(0), time.Now(), log)
		if err := ready(); err != nil {
			return err
		}
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	err = group.Wait()
	if interrupted.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// handler answers programs and people.
func (s *service) handler(config web.Config, log *slog.Logger) (http.Handler, error) {
	config.Taxonomy = s.desk.Taxonomy
	pages, err := web.New(s.db, time.Now, log, config)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	answers := api.New(s.db, s.engine, s.desk, time.Now, log)
	for _, path := range []string{"/v1/", "/openapi.json", "/healthz", "/readyz", "/metrics"} {
		mux.Handle(path, answers)
	}
	mux.Handle("/", pages)
	return mux, nil
}
