package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"tallyman/audit"
)

// AuditedEntry is an entry with what proves it.
type AuditedEntry struct {
	audit.Entry
	Leaf  audit.Hash
	Index int64 // place in the tree; -1 until it has one
}

// AuditStream returns the history of a stream, such as a step's id.
func (db *DB) AuditStream(ctx context.Context, stream string) ([]AuditedEntry, error) {
	rows, _ := db.pool.Query(ctx, `
		select e.body, e.leaf, coalesce(l.n, -1)
		from audit_entry e
		left join audit_leaf l using (stream, seq)
		where e.stream = $1
		order by e.seq`, stream)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (a AuditedEntry, err error) {
		var body, leaf []byte
		if err := row.Scan(&body, &leaf, &a.Index); err != nil {
			return a, err
		}
		a.Leaf = audit.Hash(leaf)
		a.Entry, err = audit.ParseEntry(body)
		return a, err
	})
}

// readAudit runs f on one state of the database, however long it takes.
func (db *DB) readAudit(ctx context.Context, f func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local statement_timeout = 0`); err != nil {
			return err
		}
		return f(tx)
	})
}

// VerifyAudit checks the whole log in the database against checkpoints signed by
// the keys and against anchors, and every step against its stream. A
// [*audit.Fault] says what is wrong with it; another error, that it could not be
// checked. Progress hears how many entries of how many are done.
func (db *DB) VerifyAudit(ctx context.Context, keys []string, anchors [][]byte, progress func(done, of int64)) (report audit.Report, err error) {
	err = db.readAudit(ctx, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `select note from audit_checkpoint order by size, created_at`)
		notes, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if err != nil {
			return err
		}
		c, err := audit.NewChecker(keys, notes, anchors)
		if err != nil {
			return err
		}
		if err := checkTree(ctx, tx, c, progress); err != nil {
			return err
		}
		if report, err = c.Finish(); err != nil {
			return err
		}
		if err := checkWaiting(ctx, tx, c); err != nil {
			return err
		}
		if err := checkSteps(ctx, tx, c); err != nil {
			return err
		}
		report, err = c.Finish()
		return err
	})
	return report, err
}

// verifyChunk is how many entries are read at once.
const verifyChunk = 10_000

func checkTree(ctx context.Context, tx pgx.Tx, c *audit.Checker, progress func(done, of int64)) error {
	var size int64
	if err := tx.QueryRow(ctx, `select coalesce(max(n) + 1, 0) from audit_leaf`).Scan(&size); err != nil {
		return err
	}
	for c.Size() < size {
		if err := checkChunk(ctx, tx, c, min(c.Size()+verifyChunk, size)); err != nil {
			return err
		}
		progress(c.Size(), size)
	}
	var beyond bool
	err := tx.QueryRow(ctx, `select exists (select from audit_node where n >= $1)`, tlog.StoredHashCount(size)).Scan(&beyond)
	if err == nil && beyond {
		err = &audit.Fault{Index: size, What: "the tree has hashes from here on and the log no entries: they were removed from its end"}
	}
	return err
}

func checkChunk(ctx context.Context, tx pgx.Tx, c *audit.Checker, end int64) error {
	first, last := tlog.StoredHashCount(c.Size()), tlog.StoredHashCount(end)
	stored, err := storedHashes(ctx, tx, first, last)
	if err != nil {
		return err
	}
	rows, _ := tx.Query(ctx, `
		select l.n, l.stream, l.seq, e.body
		from audit_leaf l
		left join audit_entry e using (stream, seq)
		where l.n >= $1 and l.n < $2
		order by l.n`, c.Size(), end)
	var n int64
	var stream string
	var seq int
	var body []byte
	_, err = pgx.ForEachRow(rows, []any{&n, &stream, &seq, &body}, func() error {
		at := c.Size()
		switch {
		case n != at:
			return &audit.Fault{Index: at, What: "no entry has this place any more: it was removed"}
		case body == nil:
			return &audit.Fault{Index: at, What: fmt.Sprintf("entry %d of %s is gone: it was removed", seq, stream)}
		}
		if err := c.Add(body, stored[tlog.StoredHashCount(at)-first:tlog.StoredHashCount(at+1)-first]); err != nil {
			return err
		}
		return sameEntry(c, at, stream, seq)
	})
	if err == nil && c.Size() < end {
		err = &audit.Fault{Index: c.Size(), What: "no entry has this place any more: it was removed"}
	}
	return err
}

// sameEntry holds that a row is filed under the stream and number that its body names.
func sameEntry(c *audit.Checker, index int64, stream string, seq int) error {
	if c.Last(stream) == seq {
		return nil
	}
	return &audit.Fault{Index: index, What: fmt.Sprintf("it is filed as entry %d of %s, which its body is not", seq, stream)}
}

func storedHashes(ctx context.Context, tx pgx.Tx, first, last int64) ([]audit.Hash, error) {
	rows, _ := tx.Query(ctx, `select n, hash from audit_node where n >= $1 and n < $2 order by n`, first, last)
	hashes := make([]audit.Hash, 0, last-first)
	var n int64
	var hash []byte
	_, err := pgx.ForEachRow(rows, []any{&n, &hash}, func() error {
		if n != first+int64(len(hashes)) {
			return errHashGone(first + int64(len(hashes)))
		}
		hashes = append(hashes, audit.Hash(hash))
		return nil
	})
	if err == nil && int64(len(hashes)) < last-first {
		err = errHashGone(first + int64(len(hashes)))
	}
	return hashes, err
}

func errHashGone(n int64) error {
	level, place := tlog.SplitStoredHashIndex(n)
	return &audit.Fault{Index: place << level, What: "a hash of the tree above it is gone: it was removed"}
}

// checkWaiting follows the streams through entries that have no place yet.
func checkWaiting(ctx context.Context, tx pgx.Tx, c *audit.Checker) error {
	rows, _ := tx.Query(ctx, `
		select stream, seq, e.body, u.id is not null
		from audit_entry e
		full join audit_unsequenced u using (stream, seq)
		where not exists (select from audit_leaf l where l.stream = e.stream and l.seq = e.seq)
		order by stream, seq`)
	var stream string
	var seq int
	var body []byte
	var waits bool
	_, err := pgx.ForEachRow(rows, []any{&stream, &seq, &body, &waits}, func() error {
		switch {
		case body == nil:
			return &audit.Fault{Index: -1, What: fmt.Sprintf("entry %d of %s was removed before it got its place in the tree", seq, stream)}
		case !waits:
			return &audit.Fault{Index: -1, What: fmt.Sprintf("entry %d of %s has no place in the tree and does not wait for one: its place was removed", seq, stream)}
		}
		if err := c.AddWaiting(body); err != nil {
			return err
		}
		return sameEntry(c, -1, stream, seq)
	})
	return err
}

// checkSteps holds that every step has as many entries as it had changes.
func checkSteps(ctx context.Context, tx pgx.Tx, c *audit.Checker) error {
	rows, _ := tx.Query(ctx, `select id, audited from step order by id`)
	var id string
	var audited int
	_, err := pgx.ForEachRow(rows, []any{&id, &audited}, func() error {
		if last := c.Last(id); last != audited {
			return &audit.Fault{Index: -1, What: fmt.Sprintf("step %s has %d entries and was changed %d times: entries were removed or added", id, last, audited)}
		}
		return nil
	})
	return err
}
