// Command approve measures the transaction that approves a step, beside pgbench
// inserting as many rows, and the commands that read what many such
// transactions left behind. Every figure is one line of JSON.
//
//	approve -part approve    approvals and pgbench, taking turns
//	approve -table FILE      the lines of FILE as tables in Markdown
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

func main() {
	part := flag.String("part", "approve", "what to measure: approve")
	rounds := flag.Int("rounds", 3, "rounds of approvals and pgbench")
	load := flag.String("load", "1:1000,8:4000,32:6400", "clients and how many transactions they make in a turn")
	table := flag.String("table", "", "print this file of results as tables")
	flag.Parse()
	if err := run(context.Background(), *part, *load, *rounds, *table); err != nil {
		fmt.Fprintln(os.Stderr, "approve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, part, load string, rounds int, table string) error {
	if table != "" {
		return printTables(os.Stdout, table)
	}
	return withServer(ctx, func(dsn string) error {
		switch part {
		case "approve":
			return approvals(ctx, dsn, load, rounds)
		default:
			return fmt.Errorf("no part is called %q", part)
		}
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
	Rows    float64 `json:"rows,omitempty"` // written by each transaction
}

func (r *result) rate() float64 { return float64(r.Count) / r.Seconds }

func report(r *result) error { return json.NewEncoder(os.Stdout).Encode(r) }
