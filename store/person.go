package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
)

// people returns persons with what they may do now.
func people(ctx context.Context, q querier, ids []guardrails.PersonID) (all map[guardrails.PersonID]guardrails.Person, err error) {
	b := &pgx.Batch{}
	queuePeople(b, ids, "", func(found map[guardrails.PersonID]guardrails.Person) { all = found })
	return all, q.SendBatch(ctx, b).Close()
}

// queuePeople queues [people], and whoever decided about a step.
func queuePeople(q *pgx.Batch, ids []guardrails.PersonID, step guardrails.StepID, found func(map[guardrails.PersonID]guardrails.Person)) {
	const wanted = `any ($1::bigint[]
		|| array(select unnest(array[person_id, on_behalf_of]) from decision where step_id = $2))`
	all := map[guardrails.PersonID]guardrails.Person{}
	q.Queue(`
		select p.id, p.deactivated_at is null, p.refs_known,
			array(select f.ref from person_ref f where f.person_id = p.id order by f.ref)
		from person p
		where p.id = `+wanted, ids, step).Query(func(rows pgx.Rows) error {
		var p guardrails.Person
		_, err := pgx.ForEachRow(rows, []any{&p.ID, &p.Active, &p.RefsKnown, &p.Refs}, func() error {
			all[p.ID] = p
			p = guardrails.Person{}
			return nil
		})
		return err
	})
	q.Queue(`
		select person_id, role, site, coalesce(limit_minor, 0), coalesce(daily_minor, 0), unlimited, coalesce(granted_by, 0), granted_at
		from role_grant
		where person_id = `+wanted+` and revoked_at is null
		order by id`, ids, step).Query(func(rows pgx.Rows) error {
		var id guardrails.PersonID
		var g guardrails.Grant
		var unlimited bool
		_, err := pgx.ForEachRow(rows, []any{&id, &g.Role, &g.Site, &g.Limit.Minor, &g.Daily.Minor, &unlimited, &g.By, &g.At}, func() error {
			g.Limit.Unlimited, g.Daily.Unlimited = unlimited, unlimited
			p := all[id]
			p.Grants = append(p.Grants, g)
			all[id] = p
			return nil
		})
		found(all)
		return err
	})
}

// queueDelegation queues the reading of the delegation that lets somebody act for
// another on a step; it stays nil when there is none.
func queueDelegation(q *pgx.Batch, id guardrails.StepID, by By, found **guardrails.Delegation) {
	q.Queue(`
		select d.kinds, d.sites, d.limit_minor, d.begins_at, d.ends_at
		from delegation d
		join step s on s.id = $3
		where d.from_id = $1 and d.to_id = $2 and d.revoked_at is null and s.action = any (d.kinds)
			and (s.site = any (d.sites) or '*' = any (d.sites)) and d.begins_at <= clock_timestamp() and d.ends_at > clock_timestamp()
		order by d.limit_minor desc nulls first
		limit 1`, by.OnBehalfOf, by.Person, id).Query(func(rows pgx.Rows) error {
		d := guardrails.Delegation{From: by.OnBehalfOf, To: by.Person}
		var limit *int64
		_, err := pgx.ForEachRow(rows, []any{&d.Kinds, &d.Sites, &limit, &d.Begin, &d.End}, func() error {
			d.Limit.Unlimited = limit == nil
			if limit != nil {
				d.Limit.Minor = *limit
			}
			*found = &d
			return nil
		})
		return err
	})
}
