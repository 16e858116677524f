package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
)

// Viewer is who reads steps: a person, or an API key with [StepsRead]. They see the
// sites where the person has a role, or that the key is for. The zero Viewer sees
// nothing.
type Viewer struct {
	Person guardrails.PersonID
	Key    string // id
}

// read reads as the viewer: rows of other sites are not there. Role and viewer end
// with the transaction, so that the connection goes back to the pool without them.
func (db *DB) read(ctx context.Context, v Viewer, read func(pgx.Tx) error) error {
	return db.readOnly(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			select set_config('role', 'tallyman_viewer', true), set_config('tallyman.person', $1::bigint::text, true), set_config('tallyman.key', $2, true)`,
			v.Person, v.Key)
		if err != nil {
			return err
		}
		return read(tx)
	})
}
