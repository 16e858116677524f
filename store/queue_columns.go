package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// queueColumns are rows as columns, for unnest.
type queueColumns struct {
	recommendations, locations, skus, zones, classes []string
	ranks                                            []int32
	probabilities, sizes                             []float64
	losses                                           []*int64
	currencies                                       []*string
	minutes, valuesPerMinute                         []float64
	lastCounts                                       []*time.Time
	books                                            []*int64
	reasons                                          []string
	controls                                         []bool
	propensities                                     []float64
	vectors                                          [][]byte
}

func columnsOf(rows []QueueRow, proposals []proposal) (*queueColumns, error) {
	c := &queueColumns{}
	for i := range rows {
		r := &rows[i]
		c.recommendations = append(c.recommendations, proposals[i].id)
		reasons, err := marshalReasons(r.Reasons)
		if err != nil {
			return nil, fmt.Errorf("rank %d: reasons: %w", r.Rank, err)
		}
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

func (c *queueColumns) insert(ctx context.Context, tx pgx.Tx, ranking RankingID) error {
	_, err := tx.Exec(ctx, `
		insert into queue_row (recommendation_id, ranking_id, rank, location, sku, zone, class, probability, size,
			expected_loss_minor, currency, minutes, value_per_minute, last_count_at, book, reasons,
			control, propensity, vector)
		select t.recommendation, $1, t.rank, t.location, t.sku, t.zone, t.class, t.probability, t.size,
			t.loss, t.currency, t.minutes, t.value_per_minute, t.last_count_at, t.book, t.reasons,
			t.control, t.propensity, t.vector
		from unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[], $9::float8[],
			$10::bigint[], $11::text[], $12::float8[], $13::float8[], $14::timestamptz[], $15::bigint[], $16::jsonb[],
			$17::bool[], $18::float8[], $19::bytea[])
			as t (recommendation, rank, location, sku, zone, class, probability, size,
			loss, currency, minutes, value_per_minute, last_count_at, book, reasons,
			control, propensity, vector)`,
		ranking, c.recommendations, c.ranks, c.locations, c.skus, c.zones, c.classes, c.probabilities, c.sizes,
		c.losses, c.currencies, c.minutes, c.valuesPerMinute, c.lastCounts, c.books, c.reasons,
		c.controls, c.propensities, c.vectors)
	return err
}
