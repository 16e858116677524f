package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

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
		if err := db.checkTree(ctx, tx, c, progress); err != nil {
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

const (
	// verifyChunk is how many entries are read at once.
	verifyChunk = 4000

	// verifyReaders is how many connections read side by side, where the pool has them. Finding the entries of
	// a chunk takes PostgreSQL longer than checking them takes.
	verifyReaders = 2
)

// checkTree reads the log in chunks ahead of the check. All of it is one state of
// the database.
func (db *DB) checkTree(ctx context.Context, tx pgx.Tx, c *audit.Checker, progress func(done, of int64)) error {
	readers := min(verifyReaders, int(db.pool.Stat().MaxConns())-1) // tx has one
	if readers < 1 {
		return errors.New("the check needs two connections: set pool_max_conns in the database URL to 2 or more")
	}
	var size int64
	var snapshot string
	if err := tx.QueryRow(ctx, `select coalesce(max(n) + 1, 0), pg_export_snapshot() from audit_leaf`).Scan(&size, &snapshot); err != nil {
		return err
	}
	group, reading := errgroup.WithContext(ctx)
	chunks := make([]chan *auditChunk, readers)
	for i := range chunks {
		chunks[i] = make(chan *auditChunk, 1)
		group.Go(func() error {
			defer close(chunks[i])
			return db.readChunks(reading, snapshot, int64(i)*verifyChunk, int64(readers)*verifyChunk, size, chunks[i])
		})
	}
	group.Go(func() error {
		for i := 0; c.Size() < size; i++ {
			chunk, ok := <-chunks[i%readers]
			if !ok {
				return nil // its reader says why
			}
			if err := chunk.check(c); err != nil {
				return err
			}
			progress(c.Size(), size)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	var beyond bool
	err := tx.QueryRow(ctx, `select exists (select from audit_node where n >= $1)`, tlog.StoredHashCount(size)).Scan(&beyond)
	if err == nil && beyond {
		err = &audit.Fault{Index: size, What: "the tree has hashes from here on and the log no entries: they were removed from its end"}
	}
	return err
}

// readChunks reads a chunk in each stride, beginning with that of an index.
func (db *DB) readChunks(ctx context.Context, snapshot string, first, stride, size int64, out chan<- *auditChunk) error {
	return db.readAudit(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set transaction snapshot '`+snapshot+`'`); err != nil {
			return err
		}
		var used [3]auditChunk // in turn: one is read, one waits, one is checked
		for i := 0; first < size; i++ {
			chunk := &used[i%len(used)]
			if err := chunk.read(ctx, tx, first, min(first+verifyChunk, size)); err != nil {
				return err
			}
			first += stride
			select {
			case out <- chunk:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
}

// auditChunk is a part of the log as the database has it.
type auditChunk struct {
	end     int64
	nodes   []audit.Hash // of the entries that should be there
	gone    error        // what is missing of them
	entries []storedEntry
	bodies  []byte
}

type storedEntry struct {
	n      int64
	stream string
	seq    int
	end    int // of its body in bodies
	there  bool
}

func (k *auditChunk) read(ctx context.Context, tx pgx.Tx, first, end int64) (err error) {
	k.end, k.gone, k.entries, k.bodies = end, nil, k.entries[:0], k.bodies[:0]
	k.nodes, err = storedHashes(ctx, tx, tlog.StoredHashCount(first), tlog.StoredHashCount(end))
	if f, ok := errors.AsType[*audit.Fault](err); ok {
		k.gone = f
	} else if err != nil {
		return err
	}
	// The limit keeps the planner to one index probe per entry.
	rows, _ := tx.Query(ctx, `
		select l.n, l.stream, l.seq, e.body
		from audit_leaf l
		left join lateral (
			select body
			from audit_entry
			where stream = l.stream and seq = l.seq
			limit 1) e on true
		where l.n >= $1 and l.n < $2
		order by l.n`, first, end)
	var e storedEntry
	var body pgtype.DriverBytes
	_, err = pgx.ForEachRow(rows, []any{&e.n, &e.stream, &e.seq, &body}, func() error {
		k.bodies = append(k.bodies, body...)
		e.end, e.there = len(k.bodies), body != nil
		k.entries = append(k.entries, e)
		return nil
	})
	return err
}

func (k *auditChunk) check(c *audit.Checker) error {
	if k.gone != nil {
		return k.gone
	}
	first, start := tlog.StoredHashCount(c.Size()), 0
	for _, e := range k.entries {
		at := c.Size()
		switch {
		case e.n != at:
			return &audit.Fault{Index: at, What: "no entry has this place any more: it was removed"}
		case !e.there:
			return &audit.Fault{Index: at, What: fmt.Sprintf("entry %d of %s is gone: it was removed", e.seq, e.stream)}
		}
		if err := c.Add(k.bodies[start:e.end], k.nodes[tlog.StoredHashCount(at)-first:tlog.StoredHashCount(at+1)-first]); err != nil {
			return err
		}
		if err := sameEntry(c, at, e.stream, e.seq); err != nil {
			return err
		}
		start = e.end
	}
	if c.Size() < k.end {
		return &audit.Fault{Index: c.Size(), What: "no entry has this place any more: it was removed"}
	}
	return nil
}

// sameEntry holds that a row is filed under the stream and number that its body names.
func sameEntry(c *audit.Checker, index int64, stream string, seq int) error {
	if c.Last(stream) == seq {
		return nil
	}
	return &audit.Fault{Index: index, What: fmt.Sprintf("it is filed as entry %d of %s, which its body is not", seq, stream)}
}

func storedHashes(ctx context.Context, tx pgx.Tx, first, last int64) ([]audit.Hash, error) {
	var all []byte
	var n int64
	err := tx.QueryRow(ctx, `
		select count(*), coalesce(string_agg(hash, ''), '')
		from (select hash from audit_node where n >= $1 and n < $2 order by n) x`, first, last).Scan(&n, &all)
	if err != nil {
		return nil, err
	}
	if n < last-first || len(all) != int(n)*tlog.HashSize {
		return nil, firstHashGone(ctx, tx, first, last)
	}
	hashes := make([]audit.Hash, n)
	for i := range hashes {
		hashes[i] = audit.Hash(all[i*tlog.HashSize:])
	}
	return hashes, nil
}

func firstHashGone(ctx context.Context, tx pgx.Tx, first, last int64) error {
	var gone int64
	err := tx.QueryRow(ctx, `
		select min(n)
		from generate_series($1::bigint, $2::bigint - 1) n
		where not exists (select from audit_node a where a.n = n.n and octet_length(a.hash) = $3)`, first, last, tlog.HashSize).Scan(&gone)
	if err != nil {
		return err
	}
	return errHashGone(gone)
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
