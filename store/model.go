package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/features"
)

// ModelID names a trained model.
type ModelID int64

// ModelState is a model's place in the registry.
type ModelState string

// The states of a model. There is at most one champion for an outcome.
const (
	Candidate ModelState = "candidate"
	Champion  ModelState = "champion"
	Retired   ModelState = "retired" // was champion
)

// Model is a trained model, without its artifact.
type Model struct {
	ID           ModelID
	Subject      features.Subject
	Outcome      string
	SchemaHash   string
	DataFrom     time.Time // of the events it was fitted on
	DataUntil    time.Time
	Params       json.RawMessage // JSON object
	Metrics      json.RawMessage // JSON object
	ParentID     ModelID         // the champion it was compared with; 0 is none
	ArtifactHash []byte          // SHA-256
	State        ModelState
	CreatedAt    time.Time
	PromotedAt   *time.Time
}

const modelColumns = `id, subject, outcome, schema_hash, data_from, data_until, params, metrics,
	coalesce(parent_id, 0) as parent_id, artifact_hash, state, created_at, promoted_at`

// SaveModel adds a candidate. ID, hash, state and times of m are the store's to
// give.
func (db *DB) SaveModel(ctx context.Context, m Model, artifact []byte) (ModelID, error) {
	var id ModelID
	err := db.pool.QueryRow(ctx, `
		insert into model (subject, outcome, schema_hash, data_from, data_until, params, metrics, parent_id, artifact)
		values ($1, $2, $3, $4, $5, $6, $7, nullif($8::bigint, 0), $9)
		returning id`,
		m.Subject, m.Outcome, m.SchemaHash, m.DataFrom, m.DataUntil, m.Params, m.Metrics, m.ParentID, artifact).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("save model of %s %s: %w", m.Subject, m.Outcome, err)
	}
	return id, nil
}

// Models returns every model, the newest first.
func (db *DB) Models(ctx context.Context) ([]Model, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+modelColumns+`
		from model
		order by id desc`)
	models, err := pgx.CollectRows(rows, pgx.RowToStructByName[Model])
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	return models, nil
}

// Champions returns the models in force, by subject and outcome.
func (db *DB) Champions(ctx context.Context) ([]Model, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+modelColumns+`
		from model
		where state = 'champion'
		order by subject, outcome`)
	models, err := pgx.CollectRows(rows, pgx.RowToStructByName[Model])
	if err != nil {
		return nil, fmt.Errorf("champions: %w", err)
	}
	return models, nil
}

// Artifact returns the file of a model.
func (db *DB) Artifact(ctx context.Context, id ModelID) ([]byte, error) {
	var artifact []byte
	err := db.pool.QueryRow(ctx, `select artifact from model where id = $1`, id).Scan(&artifact)
	if err != nil {
		return nil, fmt.Errorf("artifact of model %d: %w", id, notFound(err))
	}
	return artifact, nil
}

// Promote makes a model the champion of its outcome, retires the one before it,
// and wakes the rankings that it bears on. A retired model may come back. Of
// promotions at the same time the last one holds.
func (db *DB) Promote(ctx context.Context, id ModelID) error {
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		subject, err := lockRivals(ctx, tx, id)
		if err != nil {
			return err
		}
		q := &pgx.Batch{}
		q.Queue(`
			update model
			set state = 'retired'
			where state = 'champion' and id <> $1
				and (subject, outcome) = (select subject, outcome from model where id = $1)`, id)
		q.Queue(`
			update model
			set state = 'champion', promoted_at = clock_timestamp()
			where id = $1 and state <> 'champion'`, id)
		if err := tx.SendBatch(ctx, q).Close(); err != nil {
			return err
		}
		if subject != features.PositionSubject {
			return nil
		}
		rows, _ := tx.Query(ctx, `select code from site order by code`)
		sites, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		return db.enqueueRanks(ctx, tx, sites)
	})
	if err != nil {
		return fmt.Errorf("promote model %d: %w", id, err)
	}
	return nil
}

// lockRivals locks the models of the same outcome, in an order that all
// promotions share.
func lockRivals(ctx context.Context, tx pgx.Tx, id ModelID) (features.Subject, error) {
	var subject features.Subject
	rows, _ := tx.Query(ctx, `
		select subject
		from model
		where (subject, outcome) = (select subject, outcome from model where id = $1)
		order by id
		for update`, id)
	_, err := pgx.ForEachRow(rows, []any{&subject}, func() error { return nil })
	if err == nil && subject == "" {
		err = ErrNotFound
	}
	return subject, err
}

// notFound turns the driver's word for it into ours.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
