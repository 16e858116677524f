package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

// Identity is what an OpenID Connect provider says of somebody.
type Identity struct {
	Issuer, Subject string
	Name            string
	Email           string // verified by the provider
	AuthenticatedAt time.Time
	Grants          []guardrails.Grant // that their groups give
}

// SignInWith opens a session for somebody whom a provider vouches for, in the
// place of the session of the token old. The first time it makes the account: of
// the person with this email or, if there is none, of a new one. Roles that the
// provider's groups gave before and give no longer are revoked. It is an
// [ErrUnauthorized] for people whose access has ended.
func (db *DB) SignInWith(ctx context.Context, who *Identity, old string) (token string, s Session, err error) {
	token = newToken()
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if err := lockPeople(ctx, tx); err != nil {
			return err
		}
		account, person, err := accountOf(ctx, tx, who)
		if err != nil {
			return err
		}
		if err := syncGrants(ctx, tx, person, who.Grants); err != nil {
			return err
		}
		s, err = openSession(ctx, tx, account, old, token, who.AuthenticatedAt)
		return err
	})
	if err != nil {
		return "", Session{}, fmt.Errorf("sign in with %s: %w", who.Issuer, err)
	}
	return token, s, nil
}

func accountOf(ctx context.Context, tx pgx.Tx, who *Identity) (account int64, person guardrails.PersonID, err error) {
	err = tx.QueryRow(ctx, `select id, person_id from account where issuer = $1 and subject = $2`, who.Issuer, who.Subject).Scan(&account, &person)
	if !errors.Is(err, pgx.ErrNoRows) {
		return account, person, err
	}
	facts := []audit.Fact{{Name: "issuer", Value: who.Issuer}, {Name: "subject", Value: who.Subject}}
	event := "account_linked"
	err = tx.QueryRow(ctx, `select id from person where email = lower($1)`, who.Email).Scan(&person)
	if errors.Is(err, pgx.ErrNoRows) {
		event = "added"
		err = tx.QueryRow(ctx, `insert into person (name, email) values ($1, lower($2)) returning id`, who.Name, who.Email).Scan(&person)
	}
	if err == nil {
		err = tx.QueryRow(ctx, `insert into account (person_id, issuer, subject) values ($1, $2, $3) returning id`, person, who.Issuer, who.Subject).Scan(&account)
	}
	if err == nil {
		err = notePeople(ctx, tx, "oidc", event, append([]audit.Fact{personFact(person)}, facts...)...)
	}
	return account, person, err
}

// heldGrant is a role that somebody has, and whether a group gave it.
type heldGrant struct {
	guardrails.Grant
	FromGroup bool
}

func heldGrants(ctx context.Context, tx pgx.Tx, person guardrails.PersonID) ([]heldGrant, error) {
	rows, _ := tx.Query(ctx, `
		select role, site, coalesce(limit_minor, 0), coalesce(daily_minor, 0), unlimited, origin = 'oidc'
		from role_grant
		where person_id = $1 and revoked_at is null`, person)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (h heldGrant, err error) {
		err = row.Scan(&h.Role, &h.Site, &h.Limit.Minor, &h.Daily.Minor, &h.Limit.Unlimited, &h.FromGroup)
		h.Daily.Unlimited = h.Limit.Unlimited
		return h, err
	})
}

// syncGrants makes the roles that come from groups those that are wanted. What
// somebody gave by hand stays and comes first.
func syncGrants(ctx context.Context, tx pgx.Tx, person guardrails.PersonID, wanted []guardrails.Grant) error {
	held, err := heldGrants(ctx, tx, person)
	if err != nil {
		return err
	}
	by := Administrator{OIDC: true}
	done := map[guardrails.Grant]bool{}
	key := func(g guardrails.Grant) guardrails.Grant { return guardrails.Grant{Role: g.Role, Site: g.Site} }
	for _, h := range held {
		if !h.FromGroup {
			done[key(h.Grant)] = true
		}
	}
	for _, g := range wanted {
		if done[key(g)] {
			continue
		}
		done[key(g)] = true
		if slices.Contains(held, heldGrant{g, true}) {
			continue
		}
		if err := grantRole(ctx, tx, by, person, g); err != nil {
			return err
		}
		if err := notePeople(ctx, tx, by.String(), "role_granted", grantFacts(person, g)...); err != nil {
			return err
		}
	}
	for _, h := range held {
		if !h.FromGroup || done[key(h.Grant)] {
			continue
		}
		if _, err := revokeRole(ctx, tx, person, h.Role, h.Site); err != nil {
			return err
		}
		if err := notePeople(ctx, tx, by.String(), "role_revoked", grantFacts(person, h.Grant)...); err != nil {
			return err
		}
	}
	return nil
}
