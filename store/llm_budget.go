package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Spend is what requests to a language model cost.
type Spend struct {
	Tokens int64 // in and out
	Nanos  int64 // money, in billionths of the currency unit of the price
}

// ReserveSpend sets aside the most that one request of a site may cost, today
// (UTC), or returns an [ErrBudget]. Requests side by side, also of other
// processes, take turns. A reservation that is never settled stands: a crash
// spends too little, never too much.
func (db *DB) ReserveSpend(ctx context.Context, site string, most, budget Spend) (reservation int64, err error) {
	err = db.pool.QueryRow(ctx, `
		with day as (
			insert into llm_day as d (site, day, requests, tokens, nanos)
			select $1, (clock_timestamp() at time zone 'UTC')::date, 1, $2::bigint, $3::bigint
			where $2 <= $4::bigint and $3 <= $5::bigint
			on conflict (site, day) do update
			set requests = d.requests + 1, tokens = d.tokens + excluded.tokens, nanos = d.nanos + excluded.nanos
			where d.tokens + excluded.tokens <= $4 and d.nanos + excluded.nanos <= $5
			returning site, day
		)
		insert into llm_request (site, day, most_tokens, most_nanos)
		select site, day, $2, $3
		from day
		returning id`, site, most.Tokens, most.Nanos, budget.Tokens, budget.Nanos).Scan(&reservation)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("site %q: %w", site, ErrBudget)
	}
	if err != nil {
		return 0, fmt.Errorf("reserve for a request of site %q: %w", site, err)
	}
	return reservation, nil
}

// SettleSpend puts a reservation right once it is known what the request cost.
func (db *DB) SettleSpend(ctx context.Context, reservation int64, used Spend) error {
	_, err := db.pool.Exec(ctx, `
		with settled as (
			update llm_request
			set tokens = $2::bigint, nanos = $3::bigint, settled_at = clock_timestamp()
			where id = $1 and settled_at is null
			returning site, day, most_tokens, most_nanos
		)
		update llm_day d
		set tokens = d.tokens + $2::bigint - s.most_tokens, nanos = d.nanos + $3::bigint - s.most_nanos
		from settled s
		where d.site = s.site and d.day = s.day`, reservation, used.Tokens, used.Nanos)
	if err != nil {
		return fmt.Errorf("settle request %d: %w", reservation, err)
	}
	return nil
}

// Spent is what a site has used and reserved on a day.
func (db *DB) Spent(ctx context.Context, site string, day time.Time) (requests int64, s Spend, err error) {
	err = db.pool.QueryRow(ctx, `
		select requests, tokens, nanos
		from llm_day
		where site = $1 and day = $2`, site, day.UTC().Format(time.DateOnly)).Scan(&requests, &s.Tokens, &s.Nanos)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, Spend{}, nil
	}
	if err != nil {
		return 0, s, fmt.Errorf("budget of site %q: %w", site, err)
	}
	return requests, s, nil
}
