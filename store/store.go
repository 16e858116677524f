// Package store is what Tallyman remembers. It is the only package that speaks
// SQL. One exported method is one business transaction: the state changes and
// the job that follows from them is enqueued, or nothing happened.
//
// Times come from the database's clock or from the caller, never from this
// machine's.
package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// DB is Tallyman's database. It is safe for concurrent use.
type DB struct {
	pool *pgxpool.Pool
	jobs *river.Client[pgx.Tx] // inserts only

	months   sync.Map    // event partitions known to exist, by first day
	policies sync.Map    // compiled, by version
	accounts atomic.Bool // somebody can sign in

	taxonomies sync.Map // hashes of those written down

	woken atomic.Int64 // when senders were last told of work, in microseconds
}

// settings are asked of every connection unless the DSN says otherwise. A
// method that streams lifts the statement timeout for its own transaction.
var settings = map[string]string{
	"application_name":                    "tallyman",
	"timezone":                            "UTC",
	"statement_timeout":                   "30s",
	"lock_timeout":                        "20s",
	"idle_in_transaction_session_timeout": "60s",
	"jit":                                 "off", // compiling costs more than any statement here gains
}

// Open connects to a database that [Migrate] has brought up to date. The DSN is
// a PostgreSQL URL or key=value list; pool_max_conns in it sets the number of
// connections, by default eight per processor and at least sixteen. Every
// connection works as [AppRole].
func Open(ctx context.Context, dsn string) (*DB, error) {
	config, err := poolConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.RuntimeParams["role"] = AppRole
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	db := &DB{pool: pool}
	db.jobs, err = river.NewClient(riverpgxv5.New(pool), &river.Config{})
	if err == nil {
		err = db.Ready(ctx)
	}
	if err == nil {
		err = db.checkRole(ctx)
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	return db, nil
}

func poolConfig(dsn string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	params := config.ConnConfig.RuntimeParams
	for name, value := range settings {
		if _, set := params[name]; !set {
			params[name] = value
		}
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = max(16, int32(8*runtime.NumCPU()))
	}
	if !strings.Contains(dsn, "pool_min_conns") {
		config.MinConns = min(readyConns, config.MaxConns)
	}
	config.AfterConnect = parseAhead
	config.ConnConfig.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(bufio.NewReaderSize(r, readBuffer), w)
	}
	return config, nil
}

// readBuffer is how many bytes are taken from PostgreSQL at once, in which it sends
// several times as much as pgx takes by default.
const readBuffer = 64 << 10

// readyConns are open before anybody asks.
const readyConns = 4

// parseAhead has a new connection parse what the risk call runs: a truck that comes
// first should not wait for it. Where the schema is not there yet this fails, and
// what needs the schema will say so.
func parseAhead(ctx context.Context, conn *pgx.Conn) error {
	for _, query := range []string{keyQuery, evaluationInsert} {
		if _, err := conn.Prepare(ctx, query, query); err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// inTwo runs a transaction in two round trips: what read queues is sent, and then
// what write queues when it has been read. An error rolls back.
func (db *DB) inTwo(ctx context.Context, read func(*pgx.Batch), write func(*pgx.Batch) error) error {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // which closes it when its transaction is still open
	q := &pgx.Batch{}
	q.Queue(`begin isolation level read committed`) // each statement has to see what was committed before its locks
	// Every statement finds a few rows by their key, in triggers too: planning it anew for
	// its values, as PostgreSQL comes to do where tables have grown, costs more than all of them.
	q.Queue(`set local plan_cache_mode = force_generic_plan`)
	read(q)
	if err = conn.SendBatch(ctx, q).Close(); err == nil {
		q = &pgx.Batch{}
		if err = write(q); err == nil {
			q.Queue(`commit`)
			err = conn.SendBatch(ctx, q).Close()
		}
	}
	if err != nil {
		_, _ = conn.Exec(ctx, `rollback`)
	}
	return err
}

// Close waits for running transactions and closes every connection.
func (db *DB) Close() { db.pool.Close() }
