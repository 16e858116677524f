package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
	"tallyman/warehouse"
)

// Target is a WMS, an ERP or another system that carries steps out.
type Target struct {
	Name       string
	URL        string            // messages are posted to it
	QueryURL   string            // says whether a key was applied; "" when it cannot
	Sites      []warehouse.Site  // "*" for every site
	Kinds      []guardrails.Kind // it carries out
	Idempotent bool              // applies a key once, however often it is sent
	Private    bool              // may have a private address, and speak http
	PausedAt   *time.Time
	CreatedAt  time.Time
	Waiting    int // operations on their way
}

const targetColumns = `name, url, coalesce(query_url, ''), sites, kinds, idempotent, allow_private, paused_at, created_at,
	(select count(*) from execution e where e.target = target.name and e.state in ('queued', 'sending', 'unknown'))`

// AddTarget adds a target and returns its signing secret, which is shown once.
func (db *DB) AddTarget(ctx context.Context, t Target) (secret []byte, err error) {
	secret = newSecret()
	var query *string
	if t.QueryURL != "" {
		query = &t.QueryURL
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		q := &pgx.Batch{}
		q.Queue(`
			insert into target (name, url, query_url, sites, kinds, idempotent, allow_private)
			values ($1, $2, $3, $4, $5, $6, $7)`, t.Name, t.URL, query, t.Sites, t.Kinds, t.Idempotent, t.Private)
		q.Queue(`insert into target_secret (target, secret) values ($1, $2)`, t.Name, secret)
		if err := tx.SendBatch(ctx, q).Close(); err != nil {
			return err
		}
		return noteChange(ctx, tx, "target", "added", operator, []audit.Fact{
			{Name: "target", Value: t.Name},
			{Name: "url", Value: t.URL},
			{Name: "query_url", Value: t.QueryURL},
			{Name: "sites", Value: fmt.Sprint(t.Sites)},
			{Name: "kinds", Value: fmt.Sprint(t.Kinds)},
			{Name: "idempotent", Value: fmt.Sprint(t.Idempotent)},
			{Name: "private", Value: fmt.Sprint(t.Private)},
		})
	})
	switch {
	case violates(err, "target_pkey"):
		err = errors.New("there is one of this name already")
	case violates(err, "target_reserved"), violates(err, "target_name_check"):
		err = errors.New("a name has lower-case letters, digits and hyphens, begins with a letter, and is neither tallyman nor manual")
	}
	if err != nil {
		return nil, fmt.Errorf("add target %s: %w", t.Name, err)
	}
	return secret, nil
}

// PutTarget adds a target, or gives the one of its name another address, and
// returns its secrets.
func (db *DB) PutTarget(ctx context.Context, t Target) ([][]byte, error) {
	var there bool
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `update target set url = $2, query_url = nullif($3, '') where name = $1`, t.Name, t.URL, t.QueryURL)
		if err != nil || done.RowsAffected() == 0 {
			return err
		}
		there = true
		return noteChange(ctx, tx, "target", "moved", operator, []audit.Fact{
			{Name: "target", Value: t.Name}, {Name: "url", Value: t.URL}, {Name: "query_url", Value: t.QueryURL},
		})
	})
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", t.Name, err)
	}
	if !there {
		secret, err := db.AddTarget(ctx, t)
		return [][]byte{secret}, err
	}
	_, secrets, err := db.Target(ctx, t.Name)
	return secrets, err
}

func newSecret() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return secret
}

// Targets returns every target, by name.
func (db *DB) Targets(ctx context.Context) ([]Target, error) {
	rows, _ := db.pool.Query(ctx, `select `+targetColumns+` from target order by name`)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Target])
	if err != nil {
		return nil, fmt.Errorf("targets: %w", err)
	}
	return all, nil
}

// Target returns a target and the secrets that sign for it now, the newest
// first.
func (db *DB) Target(ctx context.Context, name string) (Target, [][]byte, error) {
	rows, _ := db.pool.Query(ctx, `select `+targetColumns+` from target where name = $1`, name)
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Target])
	if err != nil {
		return t, nil, fmt.Errorf("target %s: %w", name, notFound(err))
	}
	rows, _ = db.pool.Query(ctx, `
		select secret
		from target_secret
		where target = $1 and (expires_at is null or expires_at > clock_timestamp())
		order by id desc`, name)
	secrets, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return t, nil, fmt.Errorf("secrets of target %s: %w", name, err)
	}
	return t, secrets, nil
}

// RotateSecret gives a target another secret. The ones before sign beside it for
// a while, so that the target can change at its leisure.
func (db *DB) RotateSecret(ctx context.Context, name string, overlap time.Duration) (secret []byte, err error) {
	secret = newSecret()
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `
			update target_secret
			set expires_at = clock_timestamp() + $2::interval
			where target = $1 and (expires_at is null or expires_at > clock_timestamp() + $2::interval)`, name, overlap)
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			return ErrNotFound
		}
		if _, err := tx.Exec(ctx, `insert into target_secret (target, secret) values ($1, $2)`, name, secret); err != nil {
			return err
		}
		return noteChange(ctx, tx, "target", "rotated", operator, []audit.Fact{{Name: "target", Value: name}, {Name: "overlap", Value: overlap.String()}})
	})
	if err != nil {
		return nil, fmt.Errorf("rotate the secret of target %s: %w", name, err)
	}
	return secret, nil
}

// PauseTarget sends nothing to a target until it is resumed. What is approved
// waits.
func (db *DB) PauseTarget(ctx context.Context, name, reason string) error {
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		now, err := clock(ctx, tx)
		if err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `select name from target where name = $1`, name).Scan(&name); err != nil {
			return notFound(err)
		}
		return db.pause(ctx, tx, name, reason, operator, now)
	})
	if err != nil {
		return fmt.Errorf("pause target %s: %w", name, err)
	}
	return nil
}

func (db *DB) pause(ctx context.Context, tx pgx.Tx, name, reason, actor string, now time.Time) error {
	done, err := tx.Exec(ctx, `update target set paused_at = $2 where name = $1 and paused_at is null`, name, now)
	if err != nil || done.RowsAffected() == 0 {
		return err
	}
	return noteChange(ctx, tx, "target", "paused", actor, []audit.Fact{{Name: "target", Value: name}, {Name: "reason", Value: reason}})
}

// ResumeTarget sends what waits for a target. It returns how many steps do.
func (db *DB) ResumeTarget(ctx context.Context, name string) (int, error) {
	var waiting []guardrails.StepID
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `update target set paused_at = null where name = $1`, name)
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			return ErrNotFound
		}
		rows, _ := tx.Query(ctx, `
			update execution
			set next_attempt_at = clock_timestamp()
			where target = $1 and state in ('queued', 'unknown') and next_attempt_at <= clock_timestamp() + $2::interval
			returning step_id`, name, pausedFor)
		if waiting, err = pgx.CollectRows(rows, pgx.RowTo[guardrails.StepID]); err != nil {
			return err
		}
		for _, id := range waiting {
			if err := db.enqueueExecutions(ctx, tx, id); err != nil {
				return err
			}
		}
		return noteChange(ctx, tx, "target", "resumed", operator, []audit.Fact{{Name: "target", Value: name}})
	})
	if err != nil {
		return 0, fmt.Errorf("resume target %s: %w", name, err)
	}
	return len(waiting), nil
}

// operator is whoever runs a command on the database.
const operator = "operator"

// noteChange adds an entry to a stream that no row's lock protects.
func noteChange(ctx context.Context, tx pgx.Tx, stream, event, actor string, facts []audit.Fact) error {
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('audit'), hashtext($1))`, stream); err != nil {
		return err
	}
	var e audit.Entry
	err := tx.QueryRow(ctx, `select coalesce(max(seq), 0) + 1, clock_timestamp() from audit_entry where stream = $1`, stream).Scan(&e.Seq, &e.At)
	if err != nil {
		return err
	}
	if e.Prev, err = lastLeaf(ctx, tx, stream); err != nil {
		return err
	}
	e.Stream, e.Event, e.Actor, e.Facts = stream, event, actor, facts
	q := &pgx.Batch{}
	if err := queueAudit(q, e); err != nil {
		return err
	}
	return tx.SendBatch(ctx, q).Close()
}

// PersonByEmail returns who acts when a command names a person: whoever has the
// shell, which the audit log says.
func (db *DB) PersonByEmail(ctx context.Context, email string) (By, error) {
	by := By{Session: "command", Operator: true}
	err := db.pool.QueryRow(ctx, `select id from person where email = $1 and deactivated_at is null`, strings.ToLower(email)).Scan(&by.Person)
	if err != nil {
		return By{}, fmt.Errorf("person %s: %w", email, notFound(err))
	}
	return by, nil
}
