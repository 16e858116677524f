package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
)

// Request is one that changes something and is answered once: the same key
// stands for the same bytes and gets the same answer.
type Request struct {
	Actor       string
	Key         string
	Fingerprint [sha256.Size]byte
	Status      int                        // of an answer
	Answer      func(Step) ([]byte, error) // writes it
}

// DecideOnce carries out a command like [DB.Decide] and keeps the answer under
// the request's key, in one transaction. A repetition gets that answer and does
// nothing; the key with other bytes is an [ErrIdempotencyMismatch]. A refusal is
// not kept, since it changed nothing: the next attempt is judged anew.
func (db *DB) DecideOnce(ctx context.Context, id guardrails.StepID, by By, cmd guardrails.Command, r Request) (answer []byte, err error) {
	return db.answerOnce(ctx, id, r, func(tx pgx.Tx) (Step, error, error) { return db.decideIn(ctx, tx, id, by, cmd) })
}

// answerOnce does something to a step, or gives the answer that is kept of it.
func (db *DB) answerOnce(ctx context.Context, id guardrails.StepID, r Request, do func(pgx.Tx) (after Step, refused, err error)) (answer []byte, err error) {
	var refused error
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext($1), hashtext($2))`, r.Actor, r.Key); err != nil {
			return err
		}
		var fingerprint []byte
		err := tx.QueryRow(ctx, `select fingerprint, answer from answered_request where actor = $1 and key = $2`, r.Actor, r.Key).
			Scan(&fingerprint, &answer)
		if err == nil && [sha256.Size]byte(fingerprint) != r.Fingerprint {
			return ErrIdempotencyMismatch
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		var s Step
		if s, refused, err = do(tx); err != nil || refused != nil {
			return err
		}
		if answer, err = r.Answer(s); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into answered_request (actor, key, fingerprint, status, answer)
			values ($1, $2, $3, $4, $5)`, r.Actor, r.Key, r.Fingerprint[:], r.Status, answer)
		return err
	})
	if err = errors.Join(err, refused); err != nil {
		return nil, fmt.Errorf("step %s: %w", id, err)
	}
	return answer, nil
}
