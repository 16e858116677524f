package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

// DecideUnaudited is [DB.Decide] for one command that is let through, without
// its audit entry, to measure what the entry costs.
func (db *DB) DecideUnaudited(ctx context.Context, id guardrails.StepID, by By, cmd guardrails.Command) error {
	var c *command
	return db.inTwo(ctx,
		func(q *pgx.Batch) { c = queueCommand(q, id, by, cmd) },
		func(q *pgx.Batch) error {
			t, err := guardrails.Decide(c.step.Step, c.context, c.Command)
			if err != nil {
				return err
			}
			return db.queueChange(q, &c.step, &t, c.context.Now)
		})
}

// ReadAs runs statements as a viewer, without whatever the program would add.
func (db *DB) ReadAs(ctx context.Context, v Viewer, read func(pgx.Tx) error) error {
	return db.read(ctx, v, read)
}

// OnAConnection runs statements as the program, outside of any transaction.
func (db *DB) OnAConnection(ctx context.Context, query string, into ...any) error {
	return db.pool.QueryRow(ctx, query).Scan(into...)
}

// ExecuteJobs inserts the job of a step twice: as River does, and as a decision does.
func (db *DB) ExecuteJobs(ctx context.Context, id guardrails.StepID) error {
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if err := db.enqueueExecutions(ctx, tx, id); err != nil {
			return err
		}
		q := &pgx.Batch{}
		db.queueExecute(q, id, time.Now())
		return tx.SendBatch(ctx, q).Close()
	})
}

// AuditLock is the lock that one sequencer at a time holds.
const AuditLock = int64(auditLock)

// VerifyScan checks the tree with a scan of the entries that goes so far ahead of
// the places, which are read few at a time.
func (db *DB) VerifyScan(ctx context.Context, ahead int64, keys []string, notes [][]byte) (entries int64, err error) {
	err = db.readAudit(ctx, func(tx pgx.Tx) error {
		c, err := audit.NewChecker(keys, notes, nil)
		if err != nil {
			return err
		}
		var size int64
		if err := tx.QueryRow(ctx, `select count(*) from audit_leaf`).Scan(&size); err != nil {
			return err
		}
		p := newPlacedEntries(tx, size)
		p.scan.ahead = ahead
		p.places.blocksAtOnce, p.places.placesAtOnce = 1, 7
		entries, err = p.each(ctx, db, func(k *placeChunk) error { return k.check(c) })
		return err
	})
	return entries, err
}
