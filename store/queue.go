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
	Rank           int // from 1; a position that people are at work on leaves a gap
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
	Step           StepID               // given by the store
	State          guardrails.StepState // of the step
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
// recommendation with a proposed step. A position whose step people have taken
// up keeps it and is left out. A ranking that saw less than the current one is
// an [ErrStaleRanking].
func (db *DB) ReplaceQueue(ctx context.Context, r Ranking, rows []QueueRow) (RankingID, error) {
	c, err := columnsOf(rows)
	if err != nil {
		return 0, fmt.Errorf("queue of %s: %w", r.Site, err)
	}
	var id RankingID
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if err := supersedeQueue(ctx, tx, r); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `
			insert into ranking (site, as_of, watermark, model_id)
			values ($1, $2, $3, nullif($4::bigint, 0))
			returning id`, r.Site, r.AsOf, r.Watermark, r.Model).Scan(&id)
		if err != nil {
			return err
		}
		return c.insert(ctx, tx, r.Site, id)
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
		where action = 'count_position' and site = $1 and state = 'proposed'`, r.Site)
	return err
}

// queueColumns are rows as columns, for unnest.
type queueColumns struct {
	ids, locations, skus, zones, classes []string
	ranks                                []int32
	probabilities, sizes                 []float64
	losses                               []*int64
	currencies                           []*string
	minutes, valuesPerMinute             []float64
	lastCounts                           []*time.Time
	books                                []*int64
	reasons                              []string
	controls                             []bool
	propensities                         []float64
	vectors                              [][]byte
}

func columnsOf(rows []QueueRow) (*queueColumns, error) {
	c := &queueColumns{}
	for i := range rows {
		r := &rows[i]
		reasons, err := marshalReasons(r.Reasons)
		if err != nil {
			return nil, fmt.Errorf("rank %d: reasons: %w", r.Rank, err)
		}
		c.ids = append(c.ids, randomID())
		c.ranks = append(c.ranks, int32(r.Rank))
		c.locations, c.skus = append(c.locations, string(r.Position.Location)), append(c.skus, string(r.Position.SKU))
		c.zones, c.classes = append(c.zones, r.Zone), append(c.classes, r.Class)
		c.probabilities, c.sizes = append(c.probabilities, r.Probability), append(c.sizes, r.Size)
		c.losses = append(c.losses, present(r.Loss.Minor, r.Loss.Currency != ""))
		c.currencies = append(c.currencies, present(string(r.Loss.Currency), r.Loss.Currency != ""))
		c.minutes, c.valuesPerMinute = append(c.minutes, r.Minutes), append(c.valuesPerMinute, r.ValuePerMinute)
		c.lastCounts = append(c.lastCounts, present(r.LastCount, !r.LastCount.IsZero()))
		c.books = append(c.books, present(int64(r.Book.Qty), r.Book.Known))
		c.reasons = append(c.reasons, string(reasons))
		c.controls, c.propensities = append(c.controls, r.Control), append(c.propensities, r.Propensity)
		c.vectors = append(c.vectors, appendVector([]byte{}, r.Vector))
	}
	return c, nil
}

// present returns nil, which is null in SQL, for a value that is not there.
func present[T any](v T, there bool) *T {
	if !there {
		return nil
	}
	return &v
}

func (c *queueColumns) insert(ctx context.Context, tx pgx.Tx, site warehouse.Site, ranking RankingID) error {
	_, err := tx.Exec(ctx, `
		with fresh as materialized (
			select t.*, array[t.location, t.sku] collate "C" as subject
			from unnest($3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::float8[], $10::float8[],
				$11::bigint[], $12::text[], $13::float8[], $14::float8[], $15::timestamptz[], $16::bigint[], $17::jsonb[],
				$18::bool[], $19::float8[], $20::bytea[])
				as t (id, rank, location, sku, zone, class, probability, size,
				loss, currency, minutes, value_per_minute, last_count_at, book, reasons,
				control, propensity, vector)
			where not exists (
				select from step
				where action = 'count_position' and site = $1 and subject = array[t.location, t.sku] and `+liveStates+`)
		), recommended as (
			insert into recommendation (id, action, site, subject, ranking_id)
			select 'rec_' || id, 'count_position', $1, subject, $2
			from fresh
		), proposed as (
			insert into step (id, recommendation_id, action, site, subject)
			select 'st_' || id, 'rec_' || id, 'count_position', $1, subject
			from fresh
		)
		insert into queue_row (recommendation_id, ranking_id, rank, location, sku, zone, class, probability, size,
			expected_loss_minor, currency, minutes, value_per_minute, last_count_at, book, reasons,
			control, propensity, vector)
		select 'rec_' || id, $2, rank, location, sku, zone, class, probability, size,
			loss, currency, minutes, value_per_minute, last_count_at, book, reasons,
			control, propensity, vector
		from fresh`,
		site, ranking, c.ids, c.ranks, c.locations, c.skus, c.zones, c.classes, c.probabilities, c.sizes,
		c.losses, c.currencies, c.minutes, c.valuesPerMinute, c.lastCounts, c.books, c.reasons,
		c.controls, c.propensities, c.vectors)
	return err
}
