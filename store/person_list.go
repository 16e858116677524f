package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// PersonRow is a person as administrators see them.
type PersonRow struct {
	guardrails.Person
	Name     string
	Email    string
	Accounts []string // user names; those of identity providers with their issuer
	Locked   *time.Time
}

const personRowColumns = `
	p.id, p.name, coalesce(p.email, ''),
	array(
		select case a.issuer when 'local' then a.subject else a.subject || ' at ' || a.issuer end
		from account a
		where a.person_id = p.id
		order by a.id),
	(select max(a.locked_until) from account a where a.person_id = p.id and a.locked_until > clock_timestamp())`

// Persons returns everybody by name.
func (db *DB) Persons(ctx context.Context) ([]PersonRow, error) {
	list, err := db.personRows(ctx, `order by p.name, p.id`)
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	return list, nil
}

// FindPerson returns the one person who has this user name, email or number.
func (db *DB) FindPerson(ctx context.Context, who string) (PersonRow, error) {
	list, err := db.personRows(ctx, `
		where p.id::text = $1 or p.email = lower($1)
			or exists (select from account a where a.person_id = p.id and a.subject = $1)
		order by p.id`, who)
	switch {
	case err != nil:
		return PersonRow{}, fmt.Errorf("person %q: %w", who, err)
	case len(list) == 0:
		return PersonRow{}, fmt.Errorf("person %q: %w", who, ErrNotFound)
	case len(list) > 1:
		return PersonRow{}, fmt.Errorf("%q is more than one person; use the number that \"tallyman user list\" shows", who)
	}
	return list[0], nil
}

// Person returns a person, or an [ErrNotFound].
func (db *DB) Person(ctx context.Context, id guardrails.PersonID) (PersonRow, error) {
	list, err := db.personRows(ctx, `where p.id = $1`, id)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return PersonRow{}, fmt.Errorf("person %d: %w", id, err)
	}
	return list[0], nil
}

func (db *DB) personRows(ctx context.Context, where string, args ...any) ([]PersonRow, error) {
	rows, _ := db.pool.Query(ctx, `select `+personRowColumns+` from person p `+where, args...)
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p PersonRow, err error) {
		err = row.Scan(&p.ID, &p.Name, &p.Email, &p.Accounts, &p.Locked)
		return p, err
	})
	if err != nil {
		return nil, err
	}
	ids := make([]guardrails.PersonID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	known, err := people(ctx, db.pool, ids)
	for i := range list {
		list[i].Person = known[list[i].ID]
	}
	return list, err
}

// Sees reports whether the person may look at what happens at a site: whoever
// has a role there.
func (p *PersonRow) Sees(site warehouse.Site) bool {
	for _, g := range p.Grants {
		if g.Site == site || g.Site == guardrails.Everywhere {
			return true
		}
	}
	return false
}

// AnyAccount reports whether anybody could sign in.
func (db *DB) AnyAccount(ctx context.Context) (exists bool, err error) {
	if db.accounts.Load() {
		return true, nil
	}
	err = db.pool.QueryRow(ctx, `select exists (select from account)`).Scan(&exists)
	if exists {
		db.accounts.Store(true) // accounts are never deleted
	}
	if err != nil {
		return false, fmt.Errorf("accounts: %w", err)
	}
	return exists, nil
}
