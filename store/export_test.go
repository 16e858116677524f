package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
)

// DecideUnaudited is [DB.Decide] for one command that is let through, without
// its audit entry, to measure what the entry costs.
func (db *DB) DecideUnaudited(ctx context.Context, id guardrails.StepID, by By, cmd guardrails.Command) error {
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		s, err := readStep(ctx, tx, id, `for update of s`)
		if err != nil {
			return err
		}
		x, err := contextOf(ctx, tx, &s, by, cmd)
		if err != nil {
			return err
		}
		t, err := guardrails.Decide(s.Step, x, cmd)
		if err != nil {
			return err
		}
		q := &pgx.Batch{}
		if err := queueTransition(q, &s, &t, x.Now); err != nil {
			return err
		}
		if err := tx.SendBatch(ctx, q).Close(); err != nil {
			return err
		}
		if err := db.enqueueExecutions(ctx, tx, id); err != nil {
			return err
		}
		_, err = readStep(ctx, tx, id, "")
		return err
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
