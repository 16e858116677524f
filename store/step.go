package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// StepID names a workflow step.
type StepID string

// NewStepID returns a random one.
func NewStepID() StepID { return StepID("st_" + randomID()) }

// Step is what waits for a human behind a recommendation.
type Step struct {
	ID        StepID
	Action    guardrails.Action
	Site      warehouse.Site
	Subject   []string // count_position: location and SKU; verify_load: load
	State     guardrails.StepState
	Version   int
	CreatedAt time.Time
	ChangedAt time.Time
}

const stepColumns = `id, action, site, subject, state, version, created_at, changed_at`

// liveStates is the condition of the index step_live, word for word.
const liveStates = `state in ('proposed', 'open', 'claimed', 'changes_requested')`

// Step returns a step.
func (db *DB) Step(ctx context.Context, id StepID) (Step, error) {
	rows, _ := db.pool.Query(ctx, `select `+stepColumns+` from step where id = $1`, id)
	s, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Step])
	if err != nil {
		return Step{}, fmt.Errorf("step %s: %w", id, notFound(err))
	}
	return s, nil
}

// VerifyStep returns the live step to verify a load, or an [ErrNotFound].
func (db *DB) VerifyStep(ctx context.Context, site warehouse.Site, load warehouse.Load) (Step, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+stepColumns+`
		from step
		where action = 'verify_load' and site = $1 and subject = array[$2::text] and `+liveStates, site, load)
	s, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Step])
	if err != nil {
		return Step{}, fmt.Errorf("step to verify load %s of %s: %w", load, site, notFound(err))
	}
	return s, nil
}

// proposeVerify makes the step to verify the load of an evaluation, in place of
// one that was only proposed.
func proposeVerify(ctx context.Context, tx pgx.Tx, e *Evaluation, id StepID) error {
	q := &pgx.Batch{}
	// Two evaluations of one load take turns.
	q.Queue(`select pg_advisory_xact_lock(hashtext('verify_load'), hashtext($1 || ' ' || $2))`, e.Site, e.Load)
	q.Queue(`
		update step
		set state = 'superseded', version = version + 1, changed_at = clock_timestamp()
		where action = 'verify_load' and site = $1 and subject = array[$2::text] and state = 'proposed'`, e.Site, e.Load)
	recommendation := "rec_" + randomID()
	q.Queue(`
		insert into recommendation (id, action, site, subject, evaluation_id)
		values ($1, 'verify_load', $2, array[$3::text], $4)`, recommendation, e.Site, e.Load, e.ID)
	q.Queue(`
		insert into step (id, recommendation_id, action, site, subject)
		values ($1, $2, 'verify_load', $3, array[$4::text])`, id, recommendation, e.Site, e.Load)
	err := tx.SendBatch(ctx, q).Close()
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.ConstraintName == "step_live" {
		return ErrStepLive
	}
	return err
}
