package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
	"tallyman/warehouse"
)

// personStream is the stream of the audit log that changes of people are in.
const personStream = "person"

// Administrator is who changes people: the command line, a person, or a sign-in
// with an OpenID Connect provider.
type Administrator struct {
	Person guardrails.PersonID // 0 for the others
	OIDC   bool

	AuthenticatedAt time.Time // of a person
}

func (a Administrator) origin() string {
	switch {
	case a.Person != 0:
		return "person"
	case a.OIDC:
		return "oidc"
	}
	return "command"
}

func (a Administrator) String() string {
	if a.Person != 0 {
		return fmt.Sprintf("person:%d", a.Person)
	}
	return a.origin()
}

// changePeople runs a change with its audit entry. Changes of people take
// turns, as entries of one stream must.
func (db *DB) changePeople(ctx context.Context, by Administrator, change func(pgx.Tx) (event string, facts []audit.Fact, err error)) error {
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error { return changePeopleIn(ctx, tx, by, change) })
}

// changePeopleIn is changePeople within a transaction.
func changePeopleIn(ctx context.Context, tx pgx.Tx, by Administrator, change func(pgx.Tx) (event string, facts []audit.Fact, err error)) error {
	if err := lockPeople(ctx, tx); err != nil {
		return err
	}
	event, facts, err := change(tx)
	if err != nil || event == "" {
		return err
	}
	return notePeople(ctx, tx, by.String(), event, facts...)
}

// lockPeople waits for the turn of a change of people. Whoever also locks the row of an
// account locks it before: an attempt to sign in knows only then that it is one too many,
// and attempts that are not must not take turns with all others.
func lockPeople(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('audit'), hashtext($1))`, personStream)
	return err
}

// notePeople appends to the stream. The caller holds [lockPeople].
func notePeople(ctx context.Context, tx pgx.Tx, actor, event string, facts ...audit.Fact) error {
	return noteChange(ctx, tx, personStream, event, actor, facts)
}

func personFact(id guardrails.PersonID) audit.Fact {
	return audit.Fact{Name: "person", Value: strconv.FormatInt(int64(id), 10)}
}

// AddPerson makes a person with a local account. An email, which may be empty,
// lets a later sign-in through an identity provider find the same person.
func (db *DB) AddPerson(ctx context.Context, by Administrator, login, name, email, password string) (guardrails.PersonID, error) {
	if !validLogin(login) {
		return 0, fmt.Errorf("%q cannot be a user name: use lower-case letters, digits, dots, dashes, underscores and @", login)
	}
	hash, err := hashPassword(ctx, password)
	if err != nil {
		return 0, fmt.Errorf("add %s: %w", login, err)
	}
	var id guardrails.PersonID
	err = db.changePeople(ctx, by, func(tx pgx.Tx) (string, []audit.Fact, error) {
		err := tx.QueryRow(ctx, `
			with p as (insert into person (name, email) values ($1, nullif(lower($2), '')) returning id)
			insert into account (person_id, issuer, subject, password_hash)
			select id, 'local', $3, $4
			from p
			returning person_id`, name, email, login, hash).Scan(&id)
		return "added", []audit.Fact{personFact(id), {Name: "name", Value: name}, {Name: "login", Value: login}}, err
	})
	switch {
	case violates(err, "account_issuer_subject_key"):
		err = ErrExists
	case violates(err, "person_email_key"):
		err = fmt.Errorf("email %s: %w", email, ErrExists)
	}
	if err != nil {
		return 0, fmt.Errorf("add %s: %w", login, err)
	}
	return id, nil
}

func validLogin(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-@") == "" && strings.Trim(s, "0123456789") != ""
}

// SetPassword gives a person's local account another password, unlocks it and
// ends its sessions.
func (db *DB) SetPassword(ctx context.Context, by Administrator, id guardrails.PersonID, password string) error {
	hash, err := hashPassword(ctx, password)
	if err != nil {
		return fmt.Errorf("password of person %d: %w", id, err)
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update account
			set password_hash = $2, failures = 0, locked_until = null
			where person_id = $1 and issuer = 'local'`, id, hash)
		if err == nil && tag.RowsAffected() == 0 {
			err = fmt.Errorf("local account: %w", ErrNotFound)
		}
		if err != nil {
			return err
		}
		return changePeopleIn(ctx, tx, by, func(tx pgx.Tx) (string, []audit.Fact, error) {
			_, err := tx.Exec(ctx, `delete from session where person_id = $1`, id)
			return "password_set", []audit.Fact{personFact(id)}, err
		})
	})
	if err != nil {
		return fmt.Errorf("password of person %d: %w", id, err)
	}
	return nil
}

// Deactivate ends a person's access at once: sessions, decisions and what they
// approved that was not sent yet. What they decided stays.
func (db *DB) Deactivate(ctx context.Context, by Administrator, id guardrails.PersonID) error {
	err := db.changePeople(ctx, by, func(tx pgx.Tx) (string, []audit.Fact, error) {
		tag, err := tx.Exec(ctx, `update person set deactivated_at = clock_timestamp() where id = $1 and deactivated_at is null`, id)
		if err == nil && tag.RowsAffected() == 0 {
			err = fmt.Errorf("active person: %w", ErrNotFound)
		}
		if err == nil {
			_, err = tx.Exec(ctx, `delete from session where person_id = $1`, id)
		}
		return "deactivated", []audit.Fact{personFact(id)}, err
	})
	if err != nil {
		return fmt.Errorf("deactivate person %d: %w", id, err)
	}
	return nil
}

// SetRefs says which users of other systems a person is, all of them: from then
// on it is known of every count and receipt whether it was theirs.
func (db *DB) SetRefs(ctx context.Context, by Administrator, id guardrails.PersonID, refs []string) error {
	refs = slices.Compact(slices.Sorted(slices.Values(refs)))
	err := db.changePeople(ctx, by, func(tx pgx.Tx) (string, []audit.Fact, error) {
		tag, err := tx.Exec(ctx, `update person set refs_known = true where id = $1`, id)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrNotFound
		}
		if err == nil {
			_, err = tx.Exec(ctx, `delete from person_ref where person_id = $1`, id)
		}
		if err == nil {
			_, err = tx.Exec(ctx, `insert into person_ref (ref, person_id) select unnest($2::text[]), $1`, id, refs)
		}
		return "refs_set", []audit.Fact{personFact(id), {Name: "refs", Value: strings.Join(refs, " ")}}, err
	})
	if violates(err, "person_ref_pkey") {
		err = fmt.Errorf("one of these users is another person already: %w", ErrExists)
	}
	if err != nil {
		return fmt.Errorf("users of person %d: %w", id, err)
	}
	return nil
}

// GrantRole gives a person a role at a site, or changes its limits. Who gives it
// cannot be who gets it.
func (db *DB) GrantRole(ctx context.Context, by Administrator, id guardrails.PersonID, g guardrails.Grant) error {
	err := db.changePeople(ctx, by, func(tx pgx.Tx) (string, []audit.Fact, error) {
		return "role_granted", grantFacts(id, g), grantRole(ctx, tx, by, id, g)
	})
	if err != nil {
		return fmt.Errorf("role %s for person %d: %w", g.Role, id, err)
	}
	return nil
}

func grantRole(ctx context.Context, tx pgx.Tx, by Administrator, id guardrails.PersonID, g guardrails.Grant) error {
	if g.Limit.Unlimited != g.Daily.Unlimited {
		return errors.New("either both limits are unlimited or none is")
	}
	if _, err := revokeRole(ctx, tx, id, g.Role, g.Site); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		insert into role_grant (person_id, role, site, limit_minor, daily_minor, unlimited, origin, granted_by)
		values ($1, $2, $3, $4, $5, $6, $7, nullif($8::bigint, 0))`,
		id, g.Role, g.Site, present(g.Limit.Minor, !g.Limit.Unlimited), present(g.Daily.Minor, !g.Daily.Unlimited), g.Limit.Unlimited, by.origin(), by.Person)
	switch {
	case violates(err, "role_grant_not_own"):
		return errors.New("nobody gives themselves a role")
	case violates(err, "role_grant_person_id_fkey"):
		return ErrNotFound
	case violates(err, "role_grant_role_check"):
		return fmt.Errorf("%q cannot be a role: use lower-case letters, digits and underscores", g.Role)
	}
	return err
}

// RevokeRole ends a role of a person at a site.
func (db *DB) RevokeRole(ctx context.Context, by Administrator, id guardrails.PersonID, role guardrails.Role, site warehouse.Site) error {
	err := db.changePeople(ctx, by, func(tx pgx.Tx) (string, []audit.Fact, error) {
		had, err := revokeRole(ctx, tx, id, role, site)
		if err == nil && !had {
			err = ErrNotFound
		}
		return "role_revoked", []audit.Fact{personFact(id), {Name: "role", Value: string(role)}, {Name: "site", Value: string(site)}}, err
	})
	if err != nil {
		return fmt.Errorf("role %s of person %d at %s: %w", role, id, site, err)
	}
	return nil
}

func revokeRole(ctx context.Context, tx pgx.Tx, id guardrails.PersonID, role guardrails.Role, site warehouse.Site) (had bool, err error) {
	tag, err := tx.Exec(ctx, `
		update role_grant
		set revoked_at = clock_timestamp()
		where person_id = $1 and role = $2 and site = $3 and revoked_at is null`, id, role, site)
	return tag.RowsAffected() > 0, err
}

func grantFacts(id guardrails.PersonID, g guardrails.Grant) []audit.Fact {
	return []audit.Fact{
		personFact(id),
		{Name: "role", Value: string(g.Role)},
		{Name: "site", Value: string(g.Site)},
		{Name: "limit", Value: limitText(g.Limit)},
		{Name: "daily", Value: limitText(g.Daily)},
	}
}

func limitText(l guardrails.Limit) string {
	if l.Unlimited {
		return "unlimited"
	}
	return strconv.FormatInt(l.Minor, 10)
}
