package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
)

// people returns persons with what they may do now.
func people(ctx context.Context, q querier, ids []guardrails.PersonID) (map[guardrails.PersonID]guardrails.Person, error) {
	rows, _ := q.Query(ctx, `
		select p.id, p.deactivated_at is null, p.refs_known,
			array(select f.ref from person_ref f where f.person_id = p.id order by f.ref)
		from person p
		where p.id = any ($1)`, ids)
	found := map[guardrails.PersonID]guardrails.Person{}
	var p guardrails.Person
	_, err := pgx.ForEachRow(rows, []any{&p.ID, &p.Active, &p.RefsKnown, &p.Refs}, func() error {
		found[p.ID] = p
		p = guardrails.Person{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, _ = q.Query(ctx, `
		select person_id, role, site, coalesce(limit_minor, 0), coalesce(daily_minor, 0), unlimited, coalesce(granted_by, 0), granted_at
		from role_grant
		where person_id = any ($1) and revoked_at is null
		order by id`, ids)
	var id guardrails.PersonID
	var g guardrails.Grant
	var unlimited bool
	_, err = pgx.ForEachRow(rows, []any{&id, &g.Role, &g.Site, &g.Limit.Minor, &g.Daily.Minor, &unlimited, &g.By, &g.At}, func() error {
		g.Limit.Unlimited, g.Daily.Unlimited = unlimited, unlimited
		p := found[id]
		p.Grants = append(p.Grants, g)
		found[id] = p
		return nil
	})
	return found, err
}

// delegationOf returns the delegation that lets somebody act for another on a
// step, nil when there is none.
func delegationOf(ctx context.Context, q querier, s *Step, by By, now time.Time) (*guardrails.Delegation, error) {
	d := guardrails.Delegation{From: by.OnBehalfOf, To: by.Person}
	var limit *int64
	err := q.QueryRow(ctx, `
		select kinds, sites, limit_minor, begins_at, ends_at
		from delegation
		where from_id = $1 and to_id = $2 and revoked_at is null and $3 = any (kinds)
			and ($4 = any (sites) or '*' = any (sites)) and begins_at <= $5 and ends_at > $5
		order by limit_minor desc nulls first
		limit 1`, by.OnBehalfOf, by.Person, s.Kind, s.Site, now).Scan(&d.Kinds, &d.Sites, &limit, &d.Begin, &d.End)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // there may be none
	}
	if limit == nil {
		d.Limit.Unlimited = true
	} else {
		d.Limit.Minor = *limit
	}
	return &d, err
}
