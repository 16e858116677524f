package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/warehouse"
)

// How long a position rests, unless it is counted before.
const (
	restApproved = 7 * 24 * time.Hour // since people approved a count, and it was asked for
	restRefused  = 24 * time.Hour     // since they rejected or withdrew one
)

// AskedCounts are the counts of a site's positions that are not to be proposed
// again now.
type AskedCounts map[warehouse.Position]askedCount

type askedCount struct {
	live bool      // its step is not over yet
	at   time.Time // else when people last spoke of one
}

// Rests reports whether a position is to be left alone: people are at the step of
// its count, or have spoken of one since it was last counted. lastCount is zero for
// never.
func (a AskedCounts) Rests(p warehouse.Position, lastCount time.Time) bool {
	asked, ok := a[p]
	return ok && (asked.live || asked.at.After(lastCount))
}

// AskedCounts returns the counts of a site that were asked for. What a ranking
// proposed and nobody touched is not among them.
func (db *DB) AskedCounts(ctx context.Context, site warehouse.Site) (AskedCounts, error) {
	asked, err := askedCounts(ctx, db.pool, site)
	if err != nil {
		return nil, fmt.Errorf("counts asked for at %s: %w", site, err)
	}
	return asked, nil
}

func askedCounts(ctx context.Context, q querier, site warehouse.Site) (AskedCounts, error) {
	rows, _ := q.Query(ctx, `
		select subject[1], subject[2], true, created_at
		from step s
		where action = 'count_position' and site = $1 and `+liveStates+`
			and not (state in ('blocked', 'pending') and touched_at is null
				and exists (select from recommendation r where r.id = s.recommendation_id and r.ranking_id is not null))
		union all
		select subject[1], subject[2], false, case state when 'succeeded' then approved_at else changed_at end
		from step
		where action = 'count_position' and site = $1 and state in ('succeeded', 'rejected', 'withdrawn')
			and changed_at > clock_timestamp() - $2::interval
			and (state = 'succeeded' or changed_at > clock_timestamp() - $3::interval)`, site, restApproved, restRefused)
	asked := AskedCounts{}
	p := warehouse.Position{Site: site}
	var a askedCount
	_, err := pgx.ForEachRow(rows, []any{&p.Location, &p.SKU, &a.live, &a.at}, func() error {
		old := asked[p]
		if a.live = a.live || old.live; old.at.After(a.at) {
			a.at = old.at
		}
		asked[p] = a
		return nil
	})
	return asked, err
}
