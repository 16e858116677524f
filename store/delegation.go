package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

// Delegation is a delegation as it is kept.
type Delegation struct {
	ID int64
	guardrails.Delegation
	FromName, ToName string
}

// Delegate lets another person decide for the one who gives it. It takes effect
// with its dates and gives nothing that the giver does not hold when it is used. A
// person must have been authenticated anew, or it is a [*guardrails.Refusal]: who
// borrows a session could else give themselves what they cannot do in it.
func (db *DB) Delegate(ctx context.Context, by Administrator, d guardrails.Delegation) error {
	err := db.changePeople(ctx, by, func(tx pgx.Tx) (string, []audit.Fact, error) {
		if by.Person != 0 {
			now, err := clock(ctx, tx)
			if err != nil {
				return "", nil, err
			}
			if r := guardrails.NeedsFresh(by.AuthenticatedAt, now); r != nil {
				return "", nil, r
			}
		}
		_, err := tx.Exec(ctx, `
			insert into delegation (from_id, to_id, kinds, sites, limit_minor, begins_at, ends_at)
			values ($1, $2, coalesce($3::text[], '{}'), coalesce($4::text[], '{}'), $5, $6, $7)`,
			d.From, d.To, d.Kinds, d.Sites, present(d.Limit.Minor, !d.Limit.Unlimited), d.Begin, d.End)
		return "delegated", delegationFacts(&d), err
	})
	switch {
	case violates(err, "delegation_people"):
		err = fmt.Errorf("%w: nobody delegates to themselves", ErrDelegation)
	case violates(err, "delegation_time"):
		err = fmt.Errorf("%w: it must end after it begins, and within %d days", ErrDelegation, guardrails.MaxDelegation/(24*time.Hour))
	case violates(err, "delegation_kinds"):
		err = fmt.Errorf("%w: it needs at least one action, and changes of policy never can be", ErrDelegation)
	case violates(err, "delegation_sites"):
		err = fmt.Errorf("%w: it needs at least one site", ErrDelegation)
	case violates(err, "delegation_to_id_fkey"):
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delegate from person %d to %d: %w", d.From, d.To, err)
	}
	return nil
}

func delegationFacts(d *guardrails.Delegation) []audit.Fact {
	var kinds, sites []string
	for _, k := range d.Kinds {
		kinds = append(kinds, string(k))
	}
	for _, s := range d.Sites {
		sites = append(sites, string(s))
	}
	return []audit.Fact{
		{Name: "from", Value: strconv.FormatInt(int64(d.From), 10)},
		{Name: "to", Value: strconv.FormatInt(int64(d.To), 10)},
		{Name: "kinds", Value: strings.Join(kinds, " ")},
		{Name: "sites", Value: strings.Join(sites, " ")},
		{Name: "limit", Value: limitText(d.Limit)},
		{Name: "begins", Value: d.Begin.UTC().Format(time.RFC3339)},
		{Name: "ends", Value: d.End.UTC().Format(time.RFC3339)},
	}
}

// RevokeDelegation ends a delegation at once. Only who gave it can, or the
// command line.
func (db *DB) RevokeDelegation(ctx context.Context, by Administrator, id int64) error {
	err := db.changePeople(ctx, by, func(tx pgx.Tx) (string, []audit.Fact, error) {
		tag, err := tx.Exec(ctx, `
			update delegation
			set revoked_at = clock_timestamp()
			where id = $1 and revoked_at is null and $2::bigint in (0, from_id)`, id, by.Person)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrNotFound
		}
		return "delegation_revoked", []audit.Fact{{Name: "delegation", Value: strconv.FormatInt(id, 10)}}, err
	})
	if err != nil {
		return fmt.Errorf("revoke delegation %d: %w", id, err)
	}
	return nil
}

// Delegations returns those that a person gave or got and that have not ended.
func (db *DB) Delegations(ctx context.Context, person guardrails.PersonID) ([]Delegation, error) {
	list, err := delegationsOf(ctx, db.pool, person)
	if err != nil {
		return nil, fmt.Errorf("delegations of person %d: %w", person, err)
	}
	return list, nil
}

func delegationsOf(ctx context.Context, q querier, person guardrails.PersonID) ([]Delegation, error) {
	rows, _ := q.Query(ctx, `
		select d.id, d.from_id, d.to_id, d.kinds, d.sites, d.limit_minor, d.begins_at, d.ends_at, f.name, t.name
		from delegation d
		join person f on f.id = d.from_id
		join person t on t.id = d.to_id
		where $1 in (d.from_id, d.to_id) and d.revoked_at is null and d.ends_at > clock_timestamp()
		order by d.begins_at, d.id`, person)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Delegation, err error) {
		var limit *int64
		err = row.Scan(&d.ID, &d.From, &d.To, &d.Kinds, &d.Sites, &limit, &d.Begin, &d.End, &d.FromName, &d.ToName)
		if limit == nil {
			d.Limit.Unlimited = true
		} else {
			d.Limit.Minor = *limit
		}
		return d, err
	})
}
