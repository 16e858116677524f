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
	Authority    string // by which it was last put in force: a step, or "operator"; "" for a candidate
}

const modelColumns = `id, subject, outcome, schema_hash, data_from, data_until, params, metrics,
	coalesce(parent_id, 0) as parent_id, artifact_hash, state, created_at, promoted_at, coalesce(authority, '') as authority`

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

// notFound turns the driver's word for it into ours.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
