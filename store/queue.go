package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// RankingID names a ranking of a site's positions.
type RankingID int64

// Ranking is what a site was told to count, as of an instant.
type Ranking struct {
	ID        RankingID
	Site      warehouse.Site
	AsOf      time.Time
	Watermark Seq     // of the state that it was made from
	Model     ModelID // 0 when none was in force
	CreatedAt time.Time
}

// QueueRow is one position to count.
type QueueRow struct {
	Rank           int // from 1; a position that rests, see [AskedCounts], leaves a gap
	Position       warehouse.Position
	Zone, Class    string
	Probability    float64         // that the count differs from book beyond the tolerance
	Size           float64         // expected units of variance, if there is one
	Loss           warehouse.Money // expected; no currency when no cost is known
	Minutes        float64         // that counting takes
	ValuePerMinute float64         // expected loss found, in major units
	LastCount      time.Time       // zero when never counted
	Book           warehouse.MaybeQty
	Reasons        []Reason
	Control        bool    // drawn at random, to measure by
	Propensity     float64 // probability with which the row came to be in the queue
	Vector         []float32
	Step           guardrails.StepID // given by the store
	State          guardrails.State  // of the step
}

// Reason says in words why a risk is higher or lower than usual.
type Reason struct {
	Code         string
	Text         string
	Contribution float64 // to the log odds
	Value        float64 // of the feature that says most; NaN when unknown
}

// jsonReason is a reason as the database holds it: JSON has no NaN.
type jsonReason struct {
	Code         string   `json:"code"`
	Text         string   `json:"text"`
	Contribution float64  `json:"contribution"`
	Value        *float64 `json:"value,omitempty"`
}

func marshalReasons(reasons []Reason) ([]byte, error) {
	wire := make([]jsonReason, len(reasons))
	for i, r := range reasons {
		wire[i] = jsonReason{Code: r.Code, Text: r.Text, Contribution: r.Contribution}
		if !math.IsNaN(r.Value) {
			wire[i].Value = &reasons[i].Value
		}
	}
	return json.Marshal(wire)
}

func unmarshalReasons(b []byte) ([]Reason, error) {
	var wire []jsonReason
	if err := json.Unmarshal(b, &wire); err != nil {
		return nil, err
	}
	var reasons []Reason
	for _, w := range wire {
		r := Reason{Code: w.Code, Text: w.Text, Contribution: w.Contribution, Value: math.NaN()}
		if w.Value != nil {
			r.Value = *w.Value
		}
		reasons = append(reasons, r)
	}
	return reasons, nil
}

// ReplaceQueue puts a ranking in the place of the site's current one: what that
// one proposed and nobody took up is superseded, and each row becomes a
// recommendation with a step of its own. A position that rests, see
// [AskedCounts], is left out. A ranking that saw less than the current one is
// an [ErrStaleRanking].
func (db *DB) ReplaceQueue(ctx context.Context, r Ranking, rows []QueueRow) (RankingID, error) {
	var id RankingID
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if err := supersedeQueue(ctx, tx, r); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `
			insert into ranking (site, as_of, watermark, model_id)
			values ($1, $2, $3, nullif($4::bigint, 0))
			returning id, created_at`, r.Site, r.AsOf, r.Watermark, r.Model).Scan(&r.ID, &r.CreatedAt)
		if err != nil {
			return err
		}
		id = r.ID
		return db.proposeQueue(ctx, tx, &r, rows)
	})
	if err != nil {
		return 0, fmt.Errorf("replace the queue of %s: %w", r.Site, err)
	}
	return id, nil
}

// supersedeQueue ends the current ranking of the site; rankings of one site
// take turns.
func supersedeQueue(ctx context.Context, tx pgx.Tx, r Ranking) error {
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('queue'), hashtext($1))`, r.Site); err != nil {
		return err
	}
	var watermark Seq
	var asOf time.Time
	err := tx.QueryRow(ctx, `
		update ranking
		set current = false
		where site = $1 and current
		returning watermark, as_of`, r.Site).Scan(&watermark, &asOf)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if watermark > r.Watermark || watermark == r.Watermark && asOf.After(r.AsOf) {
		return fmt.Errorf("it saw events until %d and this one until %d: %w", watermark, r.Watermark, ErrStaleRanking)
	}
	_, err = tx.Exec(ctx, `
		update step
		set state = 'superseded', version = version + 1, changed_at = clock_timestamp()
		where action = 'count_position' and site = $1 and state in ('blocked', 'pending') and touched_at is null
			and recommendation_id in (select id from recommendation where ranking_id is not null)`, r.Site)
	return err
}
