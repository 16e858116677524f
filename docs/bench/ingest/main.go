// Command ingest measures how fast history is loaded, beside PostgreSQL's own
// COPY of the same rows into the same tables with the same indexes.
//
// It runs its own PostgreSQL, or uses DATABASE_URL's, and makes and drops
// databases there. Each round, in turn:
//
//	copy    binary COPY of ready-made rows into event_key and event, partitions made before
//	import  store.Import of the same events from memory: canonical form, hash, encoding, batches
//	csv     … from canonical CSV through warehouse.Reader
//	again   store.Import of what is all there already
//	read    store.Events of everything, in order of seq
//	bytime  store.EventsByTime of everything
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/docs/bench/cpu"
	"tallyman/fixtures"
	"tallyman/pglocal"
	"tallyman/store"
	"tallyman/warehouse"
)

func main() {
	events := flag.Int("events", 500_000, "events to load")
	rounds := flag.Int("rounds", 3, "rounds, of which the median counts")
	flag.Parse()
	if err := run(context.Background(), *events, *rounds, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

// bench is what all rounds share.
type bench struct {
	dsn    string
	events []warehouse.Event
	csv    []byte
	rows   map[string][]byte // by table, as COPY wrote them
	took   map[string][]time.Duration
	used   map[string]cpu.Time // in all rounds
}

var measures = []string{"copy", "import", "csv", "again", "read", "bytime"}

func run(ctx context.Context, n, rounds int, w io.Writer) (err error) {
	b := &bench{dsn: os.Getenv("DATABASE_URL"), rows: map[string][]byte{}, took: map[string][]time.Duration{}, used: map[string]cpu.Time{}}
	if b.dsn == "" {
		dir, err := os.MkdirTemp("", "tallyman-bench-")
		if err != nil {
			return err
		}
		config := pglocal.Config{Dir: dir}
		server, err := pglocal.Start(ctx, config)
		if err != nil {
			return err
		}
		defer func() { _ = errors.Join(server.Stop(ctx), pglocal.Remove(ctx, config)) }()
		b.dsn = server.DSN()
	}
	if err := b.prepare(ctx, n); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "%d events, %d bytes of rows, %d of CSV\n", len(b.events), len(b.rows["event"])+len(b.rows["event_key"]), len(b.csv))
	for i := range rounds {
		if err := b.round(ctx); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		for _, m := range measures {
			_, _ = fmt.Fprintf(w, "round %d  %-6s  %8.0f events/s\n", i+1, m, b.rate(b.took[m][i]))
		}
	}
	base := b.rate(median(b.took["copy"]))
	for _, m := range measures {
		rate := b.rate(median(b.took[m]))
		each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(rounds*len(b.events)) }
		_, _ = fmt.Fprintf(w, "median   %-6s  %8.0f events/s  %.2f of copy;  CPU per event: client %.2f, PostgreSQL %.2f µs\n",
			m, rate, rate/base, each(b.used[m].Client), each(b.used[m].Server))
	}
	return nil
}

func (b *bench) rate(d time.Duration) float64 { return float64(len(b.events)) / d.Seconds() }

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// prepare simulates the events and lets a first import make the rows to copy.
func (b *bench) prepare(ctx context.Context, n int) error {
	world, err := fixtures.New(fixtures.Config{Sites: 3, SKUs: 4000, Days: 3650, Seed: 1, End: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return err
	}
	var csv bytes.Buffer
	out, err := warehouse.NewCSVWriter(&csv, fixtures.Columns)
	if err != nil {
		return err
	}
	for e := range world.Events() {
		if len(b.events) == n {
			break
		}
		b.events = append(b.events, e)
		if err := out.Write(&e); err != nil {
			return err
		}
	}
	b.csv = csv.Bytes()
	return b.withDatabase(ctx, func(dsn string, db *store.DB) error {
		if err := db.Import(ctx, b.fromMemory(), func(store.Imported) {}); err != nil {
			return err
		}
		return withConn(ctx, dsn, func(conn *pgx.Conn) error {
			for table, query := range map[string]string{
				"event":     `select * from event order by seq`,
				"event_key": `select * from event_key order by seq`,
			} {
				var rows bytes.Buffer
				if _, err := conn.PgConn().CopyTo(ctx, &rows, `copy (`+query+`) to stdout (format binary)`); err != nil {
					return err
				}
				b.rows[table] = rows.Bytes()
			}
			return nil
		})
	})
}

func (b *bench) fromMemory() func() (warehouse.Event, error) {
	i := 0
	return func() (warehouse.Event, error) {
		if i == len(b.events) {
			return warehouse.Event{}, io.EOF
		}
		i++
		return b.events[i-1], nil
	}
}

func (b *bench) time(measure string, fn func() error) error {
	before, start := cpu.Now(), time.Now()
	err := fn()
	b.took[measure] = append(b.took[measure], time.Since(start))
	used := cpu.Now().Sub(before)
	b.used[measure] = cpu.Time{Client: b.used[measure].Client + used.Client, Server: b.used[measure].Server + used.Server}
	if err != nil {
		return fmt.Errorf("%s: %w", measure, err)
	}
	return nil
}

func (b *bench) round(ctx context.Context) error {
	err := b.withDatabase(ctx, func(dsn string, _ *store.DB) error { return b.copyIn(ctx, dsn) })
	if err != nil {
		return err
	}
	err = b.withDatabase(ctx, func(_ string, db *store.DB) error {
		return b.time("csv", func() error {
			r, err := warehouse.NewReader(bytes.NewReader(b.csv), warehouse.ReadOptions{Source: b.events[0].Source, Now: time.Now()})
			if err != nil {
				return err
			}
			return db.Import(ctx, r.Next, func(store.Imported) {})
		})
	})
	if err != nil {
		return err
	}
	return b.withDatabase(ctx, func(_ string, db *store.DB) error {
		for _, measure := range []string{"import", "again"} {
			err := b.time(measure, func() error { return db.Import(ctx, b.fromMemory(), func(store.Imported) {}) })
			if err != nil {
				return err
			}
		}
		last := store.Seq(len(b.events))
		err := b.time("read", func() error { return db.Events(ctx, 0, last, b.counter()) })
		if err != nil {
			return err
		}
		return b.time("bytime", func() error { return db.EventsByTime(ctx, time.Unix(0, 0), time.Now(), nil, b.counter()) })
	})
}

// counter returns a reader that fails on more events than there are.
func (b *bench) counter() func(*store.Recorded) error {
	n := 0
	return func(*store.Recorded) error {
		if n++; n > len(b.events) {
			return fmt.Errorf("more than %d events", n)
		}
		return nil
	}
}

// copyIn is the peer: one COPY a table, in one transaction.
func (b *bench) copyIn(ctx context.Context, dsn string) error {
	return withConn(ctx, dsn, func(conn *pgx.Conn) error {
		for month := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC); month.Year() < 2027; month = month.AddDate(0, 1, 0) {
			if _, err := conn.Exec(ctx, `select add_event_month($1)`, month); err != nil {
				return err
			}
		}
		return b.time("copy", func() error {
			return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				for _, table := range []string{"event_key", "event"} {
					_, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(b.rows[table]), `copy `+table+` from stdin (format binary)`)
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

// withDatabase gives fn a new database and drops it afterwards.
func (b *bench) withDatabase(ctx context.Context, fn func(dsn string, db *store.DB) error) error {
	const name = "tallyman_bench"
	admin := func(sql string) error {
		return withConn(ctx, b.dsn, func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, sql)
			return err
		})
	}
	if err := errors.Join(admin(`drop database if exists `+name+` with (force)`), admin(`create database `+name)); err != nil {
		return err
	}
	config, err := pgx.ParseConfig(b.dsn)
	if err != nil {
		return err
	}
	dsn := fmt.Sprintf("host='%s' port=%d user='%s' password='%s' dbname=%s", config.Host, config.Port, config.User, config.Password, name)
	if strings.HasPrefix(config.Host, "/") {
		dsn += " sslmode=disable"
	}
	if err := store.Migrate(ctx, dsn); err != nil {
		return err
	}
	if err := admin(`checkpoint`); err != nil {
		return err
	}
	db, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	err = fn(dsn, db)
	db.Close()
	return errors.Join(err, admin(`drop database `+name+` with (force)`))
}

func withConn(ctx context.Context, dsn string, fn func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	return errors.Join(fn(conn), conn.Close(ctx))
}
