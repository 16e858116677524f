package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Conflicts returns the refused records kept for review, the newest first.
func (db *DB) Conflicts(ctx context.Context, limit int) ([]ConflictingEvent, error) {
	rows, _ := db.pool.Query(ctx, `
		select source, event_id as id, seq as holder, body
		from event_conflict
		order by event_conflict.id desc
		limit $1`, limit)
	conflicts, err := pgx.CollectRows(rows, pgx.RowToStructByName[ConflictingEvent])
	if err != nil {
		return nil, fmt.Errorf("conflicting events: %w", err)
	}
	return conflicts, nil
}
