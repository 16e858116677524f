package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"tallyman/triage"
	"tallyman/warehouse"
)

// codesAtOnce is how many events one round looks at.
const codesAtOnce = 50_000

// NoteCodes writes down the orders, notices, items and lots that recorded events
// name and that are not written down yet, a part at a time. It returns whether
// there is more to do.
func (db *DB) NoteCodes(ctx context.Context) (more bool, err error) {
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var done, head int64
		err := tx.QueryRow(ctx, `
			select c.seq, e.seq
			from known_code_head c, event_head e
			for update of c`).Scan(&done, &head)
		if err != nil || done >= head {
			return err
		}
		until := min(head, done+codesAtOnce)
		more = until < head
		q := &pgx.Batch{}
		q.Queue(`
			insert into known_code (site, kind, code)
			select distinct site, kind, upper(code)
			from event, lateral (values ('sku', sku), ('po', order_ref), ('asn', load), ('lot', lot)) named (kind, code)
			where seq > $1 and seq <= $2 and code is not null
			on conflict do nothing`, done, until)
		q.Queue(`update known_code_head set seq = $1`, until)
		return tx.SendBatch(ctx, q).Close()
	})
	if err != nil {
		return false, fmt.Errorf("known codes: %w", err)
	}
	return more, nil
}

// Code is something that a text may name.
type Code struct {
	Kind  triage.EntityKind
	Value string
}

// KnownCodes returns those of the codes that events of a site name.
func (db *DB) KnownCodes(ctx context.Context, site warehouse.Site, codes []Code) (map[Code]bool, error) {
	return knownCodes(ctx, db.pool, site, codes)
}

func knownCodes(ctx context.Context, q querier, site warehouse.Site, codes []Code) (map[Code]bool, error) {
	kinds, values := make([]string, len(codes)), make([]string, len(codes))
	for i, c := range codes {
		kinds[i], values[i] = string(c.Kind), c.Value
	}
	rows, _ := q.Query(ctx, `
		select k.kind, k.code
		from unnest($2::text[], $3::text[]) asked (kind, code)
		join known_code k on k.site = $1 and k.kind = asked.kind and k.code = asked.code`, site, kinds, values)
	known := map[Code]bool{}
	var c Code
	_, err := pgx.ForEachRow(rows, []any{&c.Kind, &c.Value}, func() error {
		known[c] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("known codes of %s: %w", site, err)
	}
	return known, nil
}

// entitiesOf finds what a text names, looked up among the events of a site.
func entitiesOf(ctx context.Context, q querier, site warehouse.Site, text string) ([]triage.Entity, error) {
	asked := map[Code]bool{}
	triage.Entities(text, func(kind triage.EntityKind, value string) bool {
		asked[Code{kind, value}] = true
		return false
	})
	codes := make([]Code, 0, len(asked))
	for c := range asked {
		codes = append(codes, c)
	}
	known, err := knownCodes(ctx, q, site, codes)
	if err != nil {
		return nil, err
	}
	entities := triage.Entities(text, func(kind triage.EntityKind, value string) bool { return known[Code{kind, value}] })
	return slices.DeleteFunc(entities, func(e triage.Entity) bool { return e.Kind == triage.Quantity && e.Unit == "" }), nil
}
