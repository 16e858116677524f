package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/guardrails"
)

// pastChunk is how many steps are handed to a visit at once.
const pastChunk = 256

// PastSteps calls the visits, side by side, each with a share of the steps that
// were proposed in [from, to), in no order.
func (db *DB) PastSteps(ctx context.Context, from, to time.Time, visits ...func(*guardrails.PastStep) error) error {
	return pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// Steps and their recommendations are joined in memory up to a month or so of a large site.
		if _, err := tx.Exec(ctx, `set local statement_timeout = 0; set local work_mem = '64MB'`); err != nil {
			return err
		}
		group, working := errgroup.WithContext(ctx)
		chunks := make(chan []pastRow, len(visits))
		group.Go(func() error {
			defer close(chunks)
			return readPast(working, tx, from, to, chunks)
		})
		for _, visit := range visits {
			group.Go(func() error {
				for chunk := range chunks {
					for i := range chunk {
						p, err := chunk[i].step()
						if err == nil {
							err = visit(&p)
						}
						if err != nil {
							return err
						}
					}
				}
				return nil
			})
		}
		return group.Wait()
	})
}

// pastRow is a step as the database has it.
type pastRow struct {
	ID                          guardrails.StepID
	At                          time.Time
	Value                       int64
	Requirement, Payload, Facts []byte
	Blocked                     bool
	Reason                      string
}

func readPast(ctx context.Context, tx pgx.Tx, from, to time.Time, out chan<- []pastRow) error {
	rows, _ := tx.Query(ctx, `
		select s.id, s.created_at, s.value_minor, s.requirement, r.payload, r.facts, s.state = 'blocked', s.reason
		from step s
		join recommendation r on r.id = s.recommendation_id
		where s.created_at >= $1 and s.created_at < $2`, from, to)
	defer rows.Close()
	send := func(chunk []pastRow) error {
		select {
		case out <- chunk:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	chunk := make([]pastRow, 0, pastChunk)
	for rows.Next() {
		var p pastRow
		if err := rows.Scan(&p.ID, &p.At, &p.Value, &p.Requirement, &p.Payload, &p.Facts, &p.Blocked, &p.Reason); err != nil {
			return err
		}
		if chunk = append(chunk, p); len(chunk) < pastChunk {
			continue
		}
		if err := send(chunk); err != nil {
			return err
		}
		chunk = make([]pastRow, 0, pastChunk)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return send(chunk)
}

func (r *pastRow) step() (p guardrails.PastStep, err error) {
	p = guardrails.PastStep{ID: r.ID, At: r.At, Value: r.Value}
	if p.Recommendation, err = pastRecommendation(r.Payload, r.Facts); err != nil {
		return p, fmt.Errorf("step %s: %w", p.ID, err)
	}
	if p.Required.Requirement, err = readRequirement(r.Requirement); err != nil {
		return p, fmt.Errorf("step %s: %w", p.ID, err)
	}
	if r.Blocked {
		p.Required.Blocked = r.Reason
	}
	return p, nil
}
