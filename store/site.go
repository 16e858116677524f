package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/warehouse"
)

// Site is a warehouse that sent an event. It is made by the first one, with its
// code for a name, in UTC, and in the first currency that a cost names.
type Site struct {
	Code      warehouse.Site
	Name      string
	TimeZone  string // IANA
	Currency  warehouse.Currency
	LastSeq   Seq // of its newest event
	CreatedAt time.Time
}

// Sites returns every site by code.
func (db *DB) Sites(ctx context.Context) ([]Site, error) {
	rows, _ := db.pool.Query(ctx, `
		select code, name, time_zone, currency, last_seq, created_at
		from site
		order by code`)
	sites, err := pgx.CollectRows(rows, pgx.RowToStructByName[Site])
	if err != nil {
		return nil, fmt.Errorf("sites: %w", err)
	}
	return sites, nil
}

// SetSite gives a site another name and time zone; an empty one stays. Its days
// are counted there.
func (db *DB) SetSite(ctx context.Context, code warehouse.Site, name, zone string) error {
	if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
		return fmt.Errorf("site %s: there is no time zone %q; write one like Europe/Berlin", code, zone)
	}
	tag, err := db.pool.Exec(ctx, `
		update site
		set name = coalesce(nullif($2, ''), name), time_zone = coalesce(nullif($3, ''), time_zone)
		where code = $1`, code, name, zone)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("site %s: %w", code, err)
	}
	return nil
}
