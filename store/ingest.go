package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/warehouse"
)

// Seq numbers the events in the order in which they were taken in, from 1
// without gaps. Who sees an event sees every smaller one, and none will come.
type Seq int64

// An Answer says what became of one record.
type Answer string

// The answers.
const (
	Accepted  Answer = "accepted"
	Duplicate Answer = "duplicate" // the same record was there: nothing to do
	Conflict  Answer = "conflict"  // its key was there with other content: refused and kept for review
)

// Outcome is the answer to one record. Seq is that of the event which holds the
// record's (source, id): the record's own, or the one that was there before.
type Outcome struct {
	Answer Answer
	Seq    Seq
}

// Ingest takes in events as they happen, all in one transaction, and answers
// each. What a feature may use from when on is the time of recording. The
// events were checked by [warehouse.Reader].
func (db *DB) Ingest(ctx context.Context, events []warehouse.Event) ([]Outcome, error) {
	if len(events) == 0 {
		return nil, nil
	}
	b := &batch{}
	for i := range events {
		b.add(&events[i])
	}
	if err := db.save(ctx, b, intake{checked: true}); err != nil {
		return nil, fmt.Errorf("ingest %d events: %w", len(events), err)
	}
	outcomes := make([]Outcome, len(b.rows))
	for i := range b.rows {
		outcomes[i] = b.rows[i].outcome
	}
	return outcomes, nil
}

// intake says how a batch is to be taken in.
type intake struct {
	history bool // known since it occurred, rather than since it was recorded
	checked bool // look for keys that are there; else the first one fails the batch
}

// isTaken reports that an unchecked batch held a key that was there.
func isTaken(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505" && pg.TableName == "event_key"
}

// save takes in a batch in one transaction and answers its rows.
func (db *DB) save(ctx context.Context, b *batch, in intake) error {
	var months []time.Time
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		head, err := lockHead(ctx, tx)
		if err != nil {
			return err
		}
		b.accept()
		if in.checked {
			if err := b.findKeys(ctx, tx); err != nil {
				return err
			}
		}
		accepted := b.number(head, in)
		if accepted > 0 {
			if months, err = db.addMonths(ctx, tx, b); err != nil {
				return err
			}
			if err := b.copyIn(ctx, tx); err != nil {
				return err
			}
		}
		return db.finish(ctx, tx, b, eventHead{head.seq + Seq(accepted), head.recordedAt})
	})
	if err != nil {
		return err
	}
	for _, month := range months {
		db.months.Store(month, true)
	}
	return nil
}

// eventHead is where the events end.
type eventHead struct {
	seq        Seq
	recordedAt time.Time
}

// lockHead waits for its turn and keeps it until the transaction ends. The
// clock is read once the wait is over.
func lockHead(ctx context.Context, tx pgx.Tx) (eventHead, error) {
	var head eventHead
	var now time.Time
	q := &pgx.Batch{}
	q.Queue(`select seq, recorded_at from event_head for update`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&head.seq, &head.recordedAt)
	})
	q.Queue(`select clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	if err := tx.SendBatch(ctx, q).Close(); err != nil {
		return head, fmt.Errorf("lock the event head: %w", err)
	}
	if now.After(head.recordedAt) {
		head.recordedAt = now
	}
	return head, nil
}

// addMonths makes the partitions of the batch that are not known to exist, and
// returns their first days.
func (db *DB) addMonths(ctx context.Context, tx pgx.Tx, b *batch) ([]time.Time, error) {
	var added []time.Time
	q := &pgx.Batch{}
	for month := range b.months {
		if _, known := db.months.Load(month); !known {
			q.Queue(`select add_event_month($1)`, month)
			added = append(added, month)
		}
	}
	if len(added) == 0 {
		return nil, nil
	}
	if err := tx.SendBatch(ctx, q).Close(); err != nil {
		return nil, fmt.Errorf("add event partitions: %w", err)
	}
	return added, nil
}

// finish moves the head, the sites and whoever listens on, and keeps what was
// refused.
func (db *DB) finish(ctx context.Context, tx pgx.Tx, b *batch, head eventHead) error {
	q := &pgx.Batch{}
	for i := range b.rows {
		if r := &b.rows[i]; r.outcome.Answer == Conflict {
			q.Queue(`
				insert into event_conflict (source, event_id, seq, hash, body)
				values ($1, $2, $3, $4, $5)
				on conflict do nothing`, r.source, r.id, r.outcome.Seq, r.hash[:], b.body(i))
		}
	}
	sites := b.touched()
	if len(sites.codes) > 0 {
		q.Queue(`update event_head set seq = $1, recorded_at = $2`, head.seq, head.recordedAt)
		q.Queue(`
			insert into site (code, name, currency, last_seq)
			select code, code, currency, last_seq
			from unnest($1::text[], $2::text[], $3::bigint[]) as t (code, currency, last_seq)
			on conflict (code) do update
			set last_seq = excluded.last_seq,
				currency = case when site.currency = 'XXX' then excluded.currency else site.currency end`,
			sites.codes, sites.currencies, sites.lastSeqs)
		q.Queue(`select pg_notify('events', $1::text)`, fmt.Sprint(head.seq))
	}
	if q.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, q).Close(); err != nil {
		return fmt.Errorf("move the event head: %w", err)
	}
	return db.enqueueRanks(ctx, tx, sites.codes)
}
