// Command approve measures the transaction that approves a step, beside pgbench
// inserting as many rows, and the commands that read what many such
// transactions left behind. Every figure is one line of JSON.
//
//	approve -part approve                   approvals and pgbench, taking turns
//	approve -part audit                     approvals with and without an audit entry
//	approve -part commands -tallyman FILE   audit verify, audit export, policy simulate
//	approve -table FILE                     the lines of FILE as tables in Markdown
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"

	"tallyman/pglocal"
	"tallyman/store"
)

type settings struct {
	part, load, tallyman string
	rounds, steps        int
}

func main() {
	var s settings
	flag.StringVar(&s.part, "part", "approve", "what to measure: approve, audit or commands")
	flag.StringVar(&s.load, "load", "1:1000,8:4000,32:6400", "clients and how many transactions they make in a turn")
	flag.StringVar(&s.tallyman, "tallyman", "bin/tallyman", "the program, for commands")
	flag.IntVar(&s.rounds, "rounds", 3, "how often everything takes its turn")
	flag.IntVar(&s.steps, "steps", 50_000, "recorded steps, for commands")
	table := flag.String("table", "", "print this file of results as tables")
	flag.Parse()
	var err error
	if *table != "" {
		err = printTables(os.Stdout, *table)
	} else {
		err = run(context.Background(), &s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "approve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s *settings) error {
	return withServer(ctx, func(dsn string) error {
		switch s.part {
		case "approve":
			return approvals(ctx, dsn, s.load, s.rounds)
		case "audit":
			return overhead(ctx, dsn, s.rounds)
		case "commands":
			return commands(ctx, dsn, s)
		}
		return fmt.Errorf("no part is called %q", s.part)
	})
}

// withServer runs a private PostgreSQL as Tallyman does by default: what is
// committed is on disk.
func withServer(ctx context.Context, f func(dsn string) error) (err error) {
	dir, err := os.MkdirTemp("", "tallyman-bench-")
	if err != nil {
		return err
	}
	config := pglocal.Config{Dir: dir}
	server, err := pglocal.Start(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(ctx), pglocal.Remove(ctx, config)) }()
	return f(server.DSN())
}

// newDatabase makes a database, migrated where that is wanted, and returns its DSN.
func newDatabase(ctx context.Context, dsn, name string, schema bool) (string, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, `create database `+name)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return "", err
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	if schema {
		err = store.Migrate(ctx, u.String())
	}
	return u.String(), err
}

// result is one figure.
type result struct {
	Part    string  `json:"part"`
	Program string  `json:"program"`
	Clients int     `json:"clients,omitempty"`
	Count   int     `json:"count"`   // transactions, entries or steps
	Seconds float64 `json:"seconds"` // by the clock
	P50     float64 `json:"p50_ms,omitempty"`
	P95     float64 `json:"p95_ms,omitempty"`
	P99     float64 `json:"p99_ms,omitempty"`
	Client  float64 `json:"client_ms,omitempty"` // processor time for each transaction
	Server  float64 `json:"server_ms,omitempty"`
	Rows    float64 `json:"rows,omitempty"`                // written by each transaction
	Adds    float64 `json:"adds_percent,omitempty"`        // the audit entry, to the mean
	Adds50  float64 `json:"adds_median_percent,omitempty"` // … to the median

	ClientSeconds float64 `json:"client_s,omitempty"` // processor time of all
	ServerSeconds float64 `json:"server_s,omitempty"`
}

func (r *result) rate() float64 { return float64(r.Count) / r.Seconds }

func report(r *result) error { return json.NewEncoder(os.Stdout).Encode(r) }
