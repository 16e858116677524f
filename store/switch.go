package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

// KillSwitch is a switch that was thrown and not lifted.
type KillSwitch struct {
	ID int64
	guardrails.Switch
	At time.Time
}

// ThrowSwitch keeps what the switch matches from being sent, from now on.
func (db *DB) ThrowSwitch(ctx context.Context, k guardrails.Switch) (id int64, err error) {
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			insert into kill_switch (kind, site, model_id, target, reason)
			values (nullif($1, ''), nullif($2, ''), nullif($3::bigint, 0), nullif($4, ''), $5)
			returning id`, k.Kind, k.Site, k.Model, k.Target, k.Reason).Scan(&id)
		if err != nil {
			return err
		}
		return noteChange(ctx, tx, "switch", "thrown", operator, []audit.Fact{
			{Name: "switch", Value: fmt.Sprint(id)},
			{Name: "kind", Value: string(k.Kind)},
			{Name: "site", Value: string(k.Site)},
			{Name: "model", Value: fmt.Sprint(k.Model)},
			{Name: "target", Value: k.Target},
			{Name: "reason", Value: k.Reason},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("throw the switch: %w", err)
	}
	return id, nil
}

// Switches returns the switches that are on, the oldest first.
func (db *DB) Switches(ctx context.Context) ([]KillSwitch, error) {
	rows, _ := db.pool.Query(ctx, `
		select id, coalesce(kind, ''), coalesce(site, ''), coalesce(model_id, 0), coalesce(target, ''), reason, thrown_at
		from kill_switch
		where lifted_at is null
		order by id`)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k KillSwitch, err error) {
		return k, row.Scan(&k.ID, &k.Kind, &k.Site, &k.Model, &k.Target, &k.Reason, &k.At)
	})
	if err != nil {
		return nil, fmt.Errorf("switches: %w", err)
	}
	return all, nil
}

// LiftSwitch ends a switch. What it held is sent within a minute.
func (db *DB) LiftSwitch(ctx context.Context, id int64) error {
	return db.lift(ctx, "kill_switch", "switch", id)
}

// FreezeWindow is a time in which approved steps are not sent.
type FreezeWindow struct {
	ID int64
	guardrails.Freeze
}

// AddFreeze keeps what it matches from being sent between two instants.
func (db *DB) AddFreeze(ctx context.Context, f guardrails.Freeze) (id int64, err error) {
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			insert into freeze_window (kind, site, begins_at, ends_at, reason)
			values (nullif($1, ''), nullif($2, ''), $3, $4, $5)
			returning id`, f.Kind, f.Site, f.Begin, f.End, f.Reason).Scan(&id)
		if err != nil {
			return err
		}
		return noteChange(ctx, tx, "switch", "frozen", operator, []audit.Fact{
			{Name: "freeze", Value: fmt.Sprint(id)},
			{Name: "kind", Value: string(f.Kind)},
			{Name: "site", Value: string(f.Site)},
			{Name: "from", Value: f.Begin.UTC().Format(time.RFC3339)},
			{Name: "until", Value: f.End.UTC().Format(time.RFC3339)},
			{Name: "reason", Value: f.Reason},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("add a freeze: %w", err)
	}
	return id, nil
}

// Freezes returns the windows that are not over, by their beginning.
func (db *DB) Freezes(ctx context.Context) ([]FreezeWindow, error) {
	rows, _ := db.pool.Query(ctx, `
		select id, coalesce(kind, ''), coalesce(site, ''), begins_at, ends_at, reason
		from freeze_window
		where lifted_at is null and ends_at > clock_timestamp()
		order by begins_at, id`)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f FreezeWindow, err error) {
		return f, row.Scan(&f.ID, &f.Kind, &f.Site, &f.Begin, &f.End, &f.Reason)
	})
	if err != nil {
		return nil, fmt.Errorf("freezes: %w", err)
	}
	return all, nil
}

// LiftFreeze ends a window early.
func (db *DB) LiftFreeze(ctx context.Context, id int64) error {
	return db.lift(ctx, "freeze_window", "freeze", id)
}

func (db *DB) lift(ctx context.Context, table, what string, id int64) error {
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `update `+table+` set lifted_at = clock_timestamp() where id = $1 and lifted_at is null`, id)
		if err != nil {
			return err
		}
		if done.RowsAffected() == 0 {
			return ErrNotFound
		}
		return noteChange(ctx, tx, "switch", "lifted", operator, []audit.Fact{{Name: what, Value: fmt.Sprint(id)}})
	})
	if err != nil {
		return fmt.Errorf("lift %s %d: %w", what, id, err)
	}
	return nil
}
