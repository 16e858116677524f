package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/features"
	"tallyman/guardrails"
)

// ErrModelInForce says that an outcome has, or had, a model in force, so that
// another needs a step that people approve.
var ErrModelInForce = errors.New("the outcome has had a model in force; another one must be proposed")

// InstallModel adds a model and puts it in force as the first of its outcome: the
// act of the operator who runs the command, which the audit log keeps. Where
// there has been one before it is an [ErrModelInForce]. ID, hash, state and times
// of m are the store's to give.
func (db *DB) InstallModel(ctx context.Context, m Model, artifact []byte) (ModelID, error) {
	var id ModelID
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) (err error) {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('first model'), hashtext($1))`, m.Outcome); err != nil {
			return err
		}
		if id, err = insertModel(ctx, tx, &m, artifact); err != nil {
			return err
		}
		if err := db.promote(ctx, tx, id, operator); err != nil {
			return err
		}
		return noteChange(ctx, tx, "model", "installed", operator, []audit.Fact{
			{Name: "model", Value: strconv.FormatInt(int64(id), 10)},
			{Name: "subject", Value: string(m.Subject)},
			{Name: "outcome", Value: m.Outcome},
			{Name: "artifact", Value: artifactHash(artifact).String()},
		})
	})
	if violates(err, "model_promotion") {
		err = ErrModelInForce
	}
	if err != nil {
		return 0, fmt.Errorf("install a model of %s %s: %w", m.Subject, m.Outcome, err)
	}
	return id, nil
}

// ProposeModel adds a candidate and makes the step that puts it in force when
// people approve it, with how it compares to its parent as evidence. It takes the
// place of a step for an earlier candidate that nobody approved. One that is
// approved already is an [ErrStepLive], and then nothing is saved.
func (db *DB) ProposeModel(ctx context.Context, m Model, artifact, evidence []byte, now time.Time) (Step, error) {
	var step Step
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		id, err := insertModel(ctx, tx, &m, artifact)
		if err != nil {
			return err
		}
		hash := artifactHash(artifact)
		step, err = db.propose(ctx, tx, NewStepID(), guardrails.Recommendation{
			Site:     guardrails.Everywhere,
			Action:   &guardrails.PromoteModel{Subject: string(m.Subject), Outcome: m.Outcome, Model: int64(id), Artifact: hex.EncodeToString(hash[:])},
			Parties:  []guardrails.Party{{Part: guardrails.Proposer, Ref: modelRef(id)}},
			Evidence: guardrails.Evidence{Body: evidence, Model: int64(id), Artifact: hash, ScoredAt: now},
		}, Source{})
		return err
	})
	if err != nil {
		return Step{}, fmt.Errorf("propose a model of %s %s: %w", m.Subject, m.Outcome, err)
	}
	return step, nil
}

func insertModel(ctx context.Context, tx pgx.Tx, m *Model, artifact []byte) (id ModelID, err error) {
	err = tx.QueryRow(ctx, `
		insert into model (subject, outcome, schema_hash, data_from, data_until, params, metrics, parent_id, artifact)
		values ($1, $2, $3, $4, $5, $6, $7, nullif($8::bigint, 0), $9)
		returning id`,
		m.Subject, m.Outcome, m.SchemaHash, m.DataFrom, m.DataUntil, m.Params, m.Metrics, m.ParentID, artifact).Scan(&id)
	return id, err
}

// promote makes a model the champion of its outcome, retires the one before it,
// and wakes the rankings that it bears on. The database refuses an authority that
// is none.
func (db *DB) promote(ctx context.Context, tx pgx.Tx, id ModelID, authority string) error {
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
		set state = 'champion', promoted_at = clock_timestamp(), authority = $2
		where id = $1 and state <> 'champion'`, id, authority)
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

// carryOutPromotion does what an approved promotion asks for. It may be repeated.
func (db *DB) carryOutPromotion(ctx context.Context, step guardrails.StepID, a *guardrails.PromoteModel) Report {
	var same bool
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select encode(artifact_hash, 'hex') = $2 and subject = $3 and outcome = $4 from model where id = $1`,
			a.Model, a.Artifact, a.Subject, a.Outcome).Scan(&same)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && !same {
			return nil
		}
		if err != nil {
			return err
		}
		return db.promote(ctx, tx, ModelID(a.Model), string(step))
	})
	switch {
	case err != nil:
		return Report{Outcome: ReportRetry, Detail: err.Error()}
	case !same:
		return Report{Outcome: ReportRefused, Detail: fmt.Sprintf("model %d is not the one that was approved", a.Model)}
	}
	return Report{Outcome: ReportApplied, Detail: fmt.Sprintf("model %d is in force", a.Model)}
}

// comparisonHolds reports whether what a promotion rests on is still so: the model
// that it was compared with is in force (without a parent: the one that comes with
// the program, as none is), or the promotion itself was made.
func comparisonHolds(ctx context.Context, q querier, s *Step) (bool, error) {
	var good bool
	err := q.QueryRow(ctx, `
		select m.artifact_hash = r.artifact_hash
			and case
				when m.state = 'champion' then m.authority = $2
				when m.parent_id is null then not exists (
					select from model where (subject, outcome) = (m.subject, m.outcome) and state = 'champion')
				else p.state = 'champion'
			end
		from recommendation r
		join model m on m.id = r.model_id
		left join model p on p.id = m.parent_id
		where r.id = $1`, s.Recommendation, s.ID).Scan(&good)
	return good, err
}

func artifactHash(artifact []byte) guardrails.Hash { return sha256.Sum256(artifact) }
