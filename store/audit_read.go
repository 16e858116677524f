package store

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/jackc/pgx/v5"

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
		// Tables are read from their beginning, whoever else reads them, and by one process.
		_, err := tx.Exec(ctx, `set local statement_timeout = 0; set local synchronize_seqscans = off; set local enable_tidscan = on;
			set local max_parallel_workers_per_gather = 0; set local jit = off`)
		if err != nil {
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
		entries, err := db.checkTree(ctx, tx, c, progress)
		if err != nil {
			return err
		}
		if report, err = c.Finish(); err != nil {
			return err
		}
		if err := checkWaiting(ctx, tx, c, entries-c.Size()); err != nil {
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

// checkTree checks what has a place, and returns how many entries there are.
func (db *DB) checkTree(ctx context.Context, tx pgx.Tx, c *audit.Checker, progress func(done, of int64)) (entries int64, err error) {
	var size int64
	if err := tx.QueryRow(ctx, `select coalesce(max(n) + 1, 0) from audit_leaf`).Scan(&size); err != nil {
		return 0, err
	}
	placed := newPlacedEntries(tx, size)
	entries, err = placed.each(ctx, db, func(k *placeChunk) error {
		err := k.check(c)
		progress(c.Size(), size)
		return err
	})
	if err != nil {
		return 0, err
	}
	return entries, placed.noOthers(ctx)
}

func (k *placeChunk) check(c *audit.Checker) error {
	var hashes []audit.Hash
	for i := range k.places {
		if err := k.there(i); err != nil {
			return err
		}
		x, at := &k.places[i], c.Size()
		hashes = k.hashes(x, hashes[:0])
		if complete := bits.TrailingZeros64(uint64(at+1)) + 1; len(hashes) != complete {
			return &audit.Fault{Index: at, What: fmt.Sprintf("%d hashes of the tree stand beside it and not %d: the others were removed or put there", len(hashes), complete)}
		}
		if err := c.Add(x.entry, hashes); err != nil {
			return err
		}
		if err := sameEntry(x.entry, at, k.stream(x), x.seq); err != nil {
			return err
		}
	}
	return nil
}

// sameEntry holds that a row is filed under the stream and number that its body names.
func sameEntry(r *audit.Record, index int64, stream []byte, seq int) error {
	if r.Is(stream, seq) {
		return nil
	}
	return &audit.Fault{Index: index, What: fmt.Sprintf("it is filed as entry %d of %s, which its body is not", seq, stream)}
}

const (
	// waitingInQueue are the entries that wait for their place.
	waitingInQueue = `
		from audit_unsequenced u
		left join audit_entry e using (stream, seq)`

	// withoutPlace are all that have none: this reads the whole log anew.
	withoutPlace = `
		from audit_entry e
		full join audit_unsequenced u using (stream, seq)`
)

// checkWaiting follows the streams through the entries that have no place yet, of
// which there are so many beside those that have one. All of them must wait for one.
func checkWaiting(ctx context.Context, tx pgx.Tx, c *audit.Checker, without int64) error {
	var waiting int64
	err := tx.QueryRow(ctx, `
		select count(*)
		from audit_unsequenced u
		where not exists (select from audit_leaf l where l.stream = u.stream and l.seq = u.seq)`).Scan(&waiting)
	if err != nil {
		return err
	}
	from := waitingInQueue
	if waiting != without {
		from = withoutPlace
	}
	rows, _ := tx.Query(ctx, `
		select stream, seq, e.body, u.id is not null`+from+`
		where not exists (select from audit_leaf l where l.stream = e.stream and l.seq = e.seq)
		order by stream, seq`)
	var stream, body []byte
	var seq int
	var waits bool
	_, err = pgx.ForEachRow(rows, []any{&stream, &seq, &body, &waits}, func() error {
		switch {
		case body == nil:
			return &audit.Fault{Index: -1, What: fmt.Sprintf("entry %d of %s was removed before it got its place in the tree", seq, stream)}
		case !waits:
			return &audit.Fault{Index: -1, What: fmt.Sprintf("entry %d of %s has no place in the tree and does not wait for one: its place was removed", seq, stream)}
		}
		r := audit.Read(body)
		if err := c.AddWaiting(&r); err != nil {
			return err
		}
		without--
		return sameEntry(&r, -1, stream, seq)
	})
	if err == nil && without != 0 {
		err = &audit.Fault{Index: -1, What: "an entry is stored twice: one of the two was put there"}
	}
	return err
}

// checkSteps holds that every step has as many entries as it had changes.
func checkSteps(ctx context.Context, tx pgx.Tx, c *audit.Checker) error {
	var first string
	var changed int64
	err := readBinary(ctx, tx, `select id, audited from step`, func(raw [][]byte) error {
		audited, err := number(raw[1], "step.audited", -1)
		if int64(c.Last(raw[0])) != audited && (first == "" || string(raw[0]) < first) {
			first, changed = string(raw[0]), audited
		}
		return err
	})
	if err == nil && first != "" {
		err = &audit.Fault{Index: -1, What: fmt.Sprintf("step %s has %d entries and was changed %d times: entries were removed or added", first, c.Last([]byte(first)), changed)}
	}
	return err
}
