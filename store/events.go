package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tallyman/warehouse"
)

// Recorded is an event as it was taken in.
type Recorded struct {
	warehouse.Event
	Seq        Seq
	RecordedAt time.Time // never before that of a smaller Seq
	KnownAt    time.Time // features as of an earlier instant must not use it
}

// Watermark returns the newest Seq, 0 before the first event. Every event up to
// it can be read.
func (db *DB) Watermark(ctx context.Context) (Seq, error) {
	var seq Seq
	if err := db.pool.QueryRow(ctx, `select seq from event_head`).Scan(&seq); err != nil {
		return 0, fmt.Errorf("watermark: %w", err)
	}
	return seq, nil
}

// Events calls fn for every event after one Seq and up to another, in that
// order, and ends with fn's first error. The event is fn's only during the
// call, its texts for ever.
func (db *DB) Events(ctx context.Context, after, until Seq, fn func(*Recorded) error) error {
	// Planning for hundreds of partitions takes longer than reading a few events.
	err := db.stream(ctx, fn, "force_generic_plan", `
		select `+eventColumns+`
		from event
		where seq > $1 and seq <= $2
		order by seq`, after, until)
	if err != nil {
		return fmt.Errorf("events after %d until %d: %w", after, until, err)
	}
	return nil
}

// EventsByTime calls fn for every event with from ≤ OccurredAt < to at the
// sites, all sites when none is named, in the order (OccurredAt, Seq), like
// [DB.Events].
func (db *DB) EventsByTime(ctx context.Context, from, to time.Time, sites []warehouse.Site, fn func(*Recorded) error) error {
	err := db.stream(ctx, fn, "auto", `
		select `+eventColumns+`
		from event
		where occurred_at >= $1 and occurred_at < $2
			and ($3::text[] is null or site = any($3))
		order by occurred_at, seq`, from, to, sites)
	if err != nil {
		return fmt.Errorf("events from %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), err)
	}
	return nil
}

// stream runs a query of [eventColumns] for as long as it takes.
func (db *DB) stream(ctx context.Context, fn func(*Recorded) error, planning, query string, args ...any) error {
	return pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			select set_config('statement_timeout', '0', true), set_config('plan_cache_mode', $1, true)`, planning)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, query, append([]any{pgx.QueryResultFormats{pgx.BinaryFormatCode}}, args...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		d := newEventDecoder()
		var e Recorded
		for rows.Next() {
			if err := d.decode(rows.RawValues(), &e); err != nil {
				return err
			}
			if err := fn(&e); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// longestWait bounds a wait for events, so that who waits knows that none came.
const longestWait = 10 * time.Second

// AwaitEvents returns the watermark as soon as it is above after, and after ten
// seconds as it is.
func (db *DB) AwaitEvents(ctx context.Context, after Seq) (Seq, error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return 0, fmt.Errorf("await events: %w", err)
	}
	seq, err := awaitEvents(ctx, conn, after)
	// A connection that still listens would gather notifications in the pool.
	if _, e := conn.Exec(context.WithoutCancel(ctx), `unlisten *`); e != nil {
		_ = conn.Conn().Close(context.WithoutCancel(ctx))
	}
	conn.Release()
	if err != nil {
		return 0, fmt.Errorf("await events after %d: %w", after, err)
	}
	return seq, nil
}

func awaitEvents(ctx context.Context, conn *pgxpool.Conn, after Seq) (Seq, error) {
	if _, err := conn.Exec(ctx, `listen events`); err != nil {
		return 0, err
	}
	waiting, stop := context.WithTimeout(ctx, longestWait)
	defer stop()
	for {
		var seq Seq
		if err := conn.QueryRow(ctx, `select seq from event_head`).Scan(&seq); err != nil {
			return 0, err
		}
		if seq > after || waiting.Err() != nil {
			return seq, nil
		}
		// The notification is a wake-up: what it says is read from the head.
		if _, err := conn.Conn().WaitForNotification(waiting); err != nil && (ctx.Err() != nil || waiting.Err() == nil) {
			return 0, err
		}
	}
}
