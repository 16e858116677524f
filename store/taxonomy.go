package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tallyman/triage"
)

// keepTaxonomy writes a taxonomy down, so that tickets can name its labels, and
// returns its hash.
func (db *DB) keepTaxonomy(ctx context.Context, t *triage.Taxonomy) ([]byte, error) {
	if hash, known := db.taxonomies.Load(t); known {
		return hash.([]byte), nil //nolint:forcetypeassert // nothing else is stored
	}
	body, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("taxonomy %s: %w", t.Name, err)
	}
	sum := sha256.Sum256(body)
	ids := make([]string, len(t.Labels))
	for i := range t.Labels {
		ids[i] = t.Labels[i].ID
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		q := &pgx.Batch{}
		q.Queue(`
			insert into taxonomy (hash, name, version, body)
			values ($1, $2, $3, $4)
			on conflict (hash) do nothing`, sum[:], t.Name, t.Version, body)
		q.Queue(`
			insert into taxonomy_label (taxonomy, id)
			select $1, unnest($2::text[])
			on conflict do nothing`, sum[:], ids)
		return tx.SendBatch(ctx, q).Close()
	})
	if err != nil {
		return nil, fmt.Errorf("taxonomy %s: %w", t.Name, err)
	}
	db.taxonomies.Store(t, sum[:])
	return sum[:], nil
}
