package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/warehouse"
)

// QueueFilter narrows a queue; an empty field does not.
type QueueFilter struct{ Zone, Class string }

// Ranking returns the current ranking of a site, or an [ErrNotFound].
func (db *DB) Ranking(ctx context.Context, site warehouse.Site) (Ranking, error) {
	rows, _ := db.pool.Query(ctx, `
		select id, site, as_of, watermark, coalesce(model_id, 0) as model, created_at
		from ranking
		where site = $1 and current`, site)
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Ranking])
	if err != nil {
		return Ranking{}, fmt.Errorf("ranking of %s: %w", site, notFound(err))
	}
	return r, nil
}

// Queue returns at most limit rows of a ranking after a rank, by rank.
func (db *DB) Queue(ctx context.Context, ranking RankingID, filter QueueFilter, after, limit int) ([]QueueRow, error) {
	rows, _ := db.pool.Query(ctx, `
		select q.rank, r.site, q.location, q.sku, q.zone, q.class, q.probability, q.size,
			coalesce(q.expected_loss_minor, 0), coalesce(q.currency, ''), q.minutes, q.value_per_minute,
			q.last_count_at, q.book, q.reasons, q.control, q.propensity, q.vector, s.id, s.state
		from queue_row q
		join recommendation r on r.id = q.recommendation_id
		join step s on s.recommendation_id = q.recommendation_id
		where q.ranking_id = $1 and q.rank > $2::bigint
			and ($3 = '' or q.zone = $3)
			and ($4 = '' or q.class = $4)
		order by q.rank
		limit $5`, ranking, after, filter.Zone, filter.Class, limit)
	queue, err := pgx.CollectRows(rows, scanQueueRow)
	if err != nil {
		return nil, fmt.Errorf("queue of ranking %d: %w", ranking, err)
	}
	return queue, nil
}

func scanQueueRow(row pgx.CollectableRow) (QueueRow, error) {
	var r QueueRow
	var lastCount *time.Time
	var book *warehouse.Qty
	var reasons, vector []byte
	err := row.Scan(&r.Rank, &r.Position.Site, &r.Position.Location, &r.Position.SKU, &r.Zone, &r.Class, &r.Probability, &r.Size,
		&r.Loss.Minor, &r.Loss.Currency, &r.Minutes, &r.ValuePerMinute,
		&lastCount, &book, &reasons, &r.Control, &r.Propensity, &vector, &r.Step, &r.State)
	if err != nil {
		return r, err
	}
	if lastCount != nil {
		r.LastCount = *lastCount
	}
	if book != nil {
		r.Book = warehouse.Some(*book)
	}
	r.Vector = readVector(vector)
	r.Reasons, err = unmarshalReasons(reasons)
	return r, err
}

// Facet is a value to filter by and how many rows have it.
type Facet struct {
	Value string
	Count int
}

// QueueFacets returns the zones and the classes of a ranking.
func (db *DB) QueueFacets(ctx context.Context, ranking RankingID) (zones, classes []Facet, err error) {
	rows, _ := db.pool.Query(ctx, `
		select grouping(zone) = 0, coalesce(zone, class), count(*)::int
		from queue_row
		where ranking_id = $1
		group by grouping sets (zone, class)
		order by 2`, ranking)
	var isZone bool
	var f Facet
	_, err = pgx.ForEachRow(rows, []any{&isZone, &f.Value, &f.Count}, func() error {
		if isZone {
			zones = append(zones, f)
		} else {
			classes = append(classes, f)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("facets of ranking %d: %w", ranking, err)
	}
	return zones, classes, nil
}

// RankStale wakes the ranking of every site with events that its current ranking
// has not seen, and of every site whose ranking, or whose proposals, have half of
// their life behind them: where nothing happens a queue would run out. It returns
// how many sites that are.
func (db *DB) RankStale(ctx context.Context) (int, error) {
	n := 0
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select s.code
			from site s
			left join ranking r on r.site = s.code and r.current
			where s.last_seq > coalesce(r.watermark, 0)
				or r.created_at < clock_timestamp() - interval '12 hours'
				or exists (
					select from recommendation c
					join step t on t.recommendation_id = c.id
					where c.ranking_id = r.id and t.state = 'pending' and t.touched_at is null
						and t.created_at + (t.expires_at - t.created_at) / 2 < clock_timestamp())
			order by s.code`)
		sites, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		n = len(sites)
		return db.enqueueRanks(ctx, tx, sites)
	})
	if err != nil {
		return 0, fmt.Errorf("rank stale sites: %w", err)
	}
	return n, nil
}

// queueKept is how long a ranking is kept after another took its place: for who
// has it on their screen.
const queueKept = time.Hour

// pruneBatch is how many proposals one transaction deletes.
const pruneBatch = 2000

// PruneQueues deletes the rankings that were replaced a while ago, with the
// proposals in them that nobody took up. What people have touched stays. It returns
// how many proposals that were.
func (db *DB) PruneQueues(ctx context.Context) (int, error) {
	n := 0
	for {
		done, err := db.pool.Exec(ctx, `
			delete from recommendation
			where id in (
				select r.id
				from ranking k
				join recommendation r on r.ranking_id = k.id
				join step s on s.recommendation_id = r.id
				where not k.current and k.created_at < clock_timestamp() - $1::interval and s.state = 'superseded' and s.audited = 0
				limit $2)`, queueKept, pruneBatch)
		if err != nil {
			return n, fmt.Errorf("prune queues: %w", err)
		}
		n += int(done.RowsAffected())
		if done.RowsAffected() < pruneBatch {
			break
		}
	}
	_, err := db.pool.Exec(ctx, `
		delete from ranking k
		where not current and created_at < clock_timestamp() - $1::interval
			and not exists (select from recommendation r where r.ranking_id = k.id)`, queueKept)
	if err != nil {
		return n, fmt.Errorf("prune queues: %w", err)
	}
	return n, nil
}
