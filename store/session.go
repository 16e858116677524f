package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

// Limits of a session.
const (
	SessionIdle = 30 * time.Minute // without a request
	SessionLife = 12 * time.Hour   // from signing in
)

// Failures in a row after which an account is locked: for a minute, then for
// twice as long with every further one, up to the longest.
const (
	maxFailures = 5
	longestLock = 15 * time.Minute
)

// SessionPrefix begins every session token: a scanner for leaked secrets, and
// the API, tell it from an API key by it.
const SessionPrefix = "tlyses_"

// Session is a person who is signed in.
type Session struct {
	ID              string // public; says nothing about the token
	Person          guardrails.PersonID
	Name            string // of the person
	Login           string // user name of the account
	Local           bool   // signs in with a password
	AuthenticatedAt time.Time
	ExpiresAt       time.Time
}

// By is the session's person acting for themselves.
func (s *Session) By() By {
	return By{Person: s.Person, Session: s.ID, AuthenticatedAt: s.AuthenticatedAt}
}

func newToken() string { return SessionPrefix + randomBase62(secretLen) }

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// sessionID is what decisions and the audit log name a session by.
func sessionID(hash []byte) string {
	sum := sha256.Sum256(append([]byte("tallyman/session/v1\x00"), hash...))
	return "ses_" + hex.EncodeToString(sum[:8])
}

// SignIn opens a session for a local account. old is the token of a session
// that it replaces, "" for none: every authentication makes a new token. A wrong
// user name, a wrong password and a locked account give the same
// [ErrUnauthorized] and take the same work but for counting failures, which does not
// wait for the disk: the time tells little of whether there is such an account.
func (db *DB) SignIn(ctx context.Context, login, password, old string) (token string, s Session, err error) {
	token = newToken()
	s, err = db.signIn(ctx, strings.ToLower(strings.TrimSpace(login)), password, old, token)
	if err != nil {
		return "", Session{}, fmt.Errorf("sign in: %w", err)
	}
	return token, s, nil
}

func (db *DB) signIn(ctx context.Context, login, password, old, token string) (Session, error) {
	if strings.ContainsRune(login, 0) || !utf8.ValidString(login) {
		login = "" // nobody's name: no database can hold what was typed
	}
	var account int64
	phc := nobodysHash
	err := db.pool.QueryRow(ctx, `select id, password_hash from account where issuer = 'local' and subject = $1`, login).Scan(&account, &phc)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Session{}, err
	}
	right, err := checkPassword(ctx, password, phc)
	if err != nil {
		return Session{}, err
	}
	if account == 0 {
		return Session{}, ErrUnauthorized
	}
	var s Session
	var refused error
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		// Attempts on one account take turns: no crowd outruns the counter.
		var usable bool
		var failures int
		err := tx.QueryRow(ctx, `
			select a.password_hash = $2 and a.disabled_at is null and p.deactivated_at is null
				and coalesce(a.locked_until <= clock_timestamp(), true), a.failures
			from account a
			join person p on p.id = a.person_id
			where a.id = $1
			for update of a`, account, phc).Scan(&usable, &failures)
		if err != nil {
			return err
		}
		if !usable {
			refused = ErrUnauthorized
			return nil
		}
		if !right {
			refused = ErrUnauthorized
			return noteFailure(ctx, tx, account, failures+1)
		}
		if failures > 0 {
			if _, err := tx.Exec(ctx, `update account set failures = 0, locked_until = null where id = $1`, account); err != nil {
				return err
			}
		}
		s, err = openSession(ctx, tx, account, old, token, time.Time{})
		return err
	})
	return s, errors.Join(err, refused)
}

func noteFailure(ctx context.Context, tx pgx.Tx, account int64, failures int) error {
	var lock time.Duration
	if failures >= maxFailures {
		lock = min(longestLock, time.Minute<<min(10, failures-maxFailures))
	}
	if failures != maxFailures {
		if _, err := tx.Exec(ctx, `set local synchronous_commit = off`); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `
		update account
		set failures = $2, locked_until = clock_timestamp() + nullif($3::interval, interval '0')
		where id = $1`, account, failures, lock)
	if err != nil || failures != maxFailures {
		return err
	}
	if err := lockPeople(ctx, tx); err != nil {
		return err
	}
	return notePeople(ctx, tx, "sign-in", "account_locked", audit.Fact{Name: "account", Value: fmt.Sprint(account)})
}

// openSession makes a session of an account in the place of an old one, and
// deletes those of the account that have ended. at is when the person was authenticated, now when zero.
func openSession(ctx context.Context, tx pgx.Tx, account int64, old, token string, at time.Time) (Session, error) {
	if old != "" {
		if _, err := tx.Exec(ctx, `delete from session where token_hash = $1`, tokenHash(old)); err != nil {
			return Session{}, err
		}
	}
	_, err := tx.Exec(ctx, `
		delete from session
		where account_id = $1 and (expires_at < clock_timestamp() or seen_at < clock_timestamp() - $2::interval)`, account, SessionIdle)
	if err != nil {
		return Session{}, err
	}
	_, err = tx.Exec(ctx, `
		with auth as (select least(coalesce($3, clock_timestamp()), clock_timestamp()) as at)
		insert into session (token_hash, account_id, person_id, authenticated_at, expires_at)
		select $1, a.id, a.person_id, auth.at, auth.at + $4::interval
		from account a, auth
		where a.id = $2`, tokenHash(token), account, present(at, !at.IsZero()), SessionLife)
	if err != nil {
		return Session{}, err
	}
	return sessionOf(ctx, tx, token)
}

func sessionOf(ctx context.Context, q querier, token string) (Session, error) {
	hash := tokenHash(token)
	s := Session{ID: sessionID(hash)}
	err := q.QueryRow(ctx, `
		select s.person_id, p.name, a.subject, a.issuer = 'local', s.authenticated_at, s.expires_at
		from session s
		join account a on a.id = s.account_id
		join person p on p.id = s.person_id
		where s.token_hash = $1 and s.expires_at > clock_timestamp() and s.seen_at > clock_timestamp() - $2::interval
			and a.disabled_at is null and p.deactivated_at is null`, hash, SessionIdle).
		Scan(&s.Person, &s.Name, &s.Login, &s.Local, &s.AuthenticatedAt, &s.ExpiresAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Session{}, ErrUnauthorized
	}
	return s, err
}

// SessionByToken returns the session that a token opens and notes that it is in
// use, or an [ErrUnauthorized].
func (db *DB) SessionByToken(ctx context.Context, token string) (Session, error) {
	if !strings.HasPrefix(token, SessionPrefix) {
		return Session{}, fmt.Errorf("session: %w", ErrUnauthorized)
	}
	s, err := sessionOf(ctx, db.pool, token)
	if err == nil {
		_, err = db.pool.Exec(ctx, `
			update session
			set seen_at = clock_timestamp()
			where token_hash = $1 and seen_at < clock_timestamp() - interval '1 minute'`, tokenHash(token))
	}
	if err != nil {
		return Session{}, fmt.Errorf("session: %w", err)
	}
	return s, nil
}

// SignOut ends a session.
func (db *DB) SignOut(ctx context.Context, token string) error {
	if _, err := db.pool.Exec(ctx, `delete from session where token_hash = $1`, tokenHash(token)); err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}
