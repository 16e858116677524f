package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// StepFilter narrows a list of steps; an empty field does not.
type StepFilter struct {
	Site       warehouse.Site
	Kind       guardrails.Kind
	State      guardrails.State
	Live, Done bool                // only steps that something can, or cannot, happen to
	Waiting    guardrails.PersonID // only what waits for this person, who has not decided it
	Queue      bool                // also what a ranking proposes and nobody touched
}

// StepCursor is where a page of steps ends; the zero value is the beginning.
type StepCursor struct {
	ExpiresAt time.Time
	ID        guardrails.StepID
}

// InboxSteps returns at most limit steps that the viewer may see, the soonest to
// expire first; those that are done the latest first.
func (db *DB) InboxSteps(ctx context.Context, viewer Viewer, f StepFilter, after StepCursor, limit int) ([]Step, error) {
	order, compare, which := "s.expires_at, s.id", ">", ""
	if f.Done { // said as it is in the condition of the index step_done_idx
		order, compare, which = "s.expires_at desc, s.id desc", "<", " and not (s."+liveStates+")"
	}
	if f.Live {
		which += " and s." + liveStates
	}
	var steps []Step
	err := db.read(ctx, viewer, func(tx pgx.Tx) (err error) {
		rows, _ := tx.Query(ctx, `
			select `+stepColumns+`
			from step s
			join recommendation r on r.id = s.recommendation_id
			where ($1::bigint = 0 or `+waits+`)
				and ($2 = '' or s.site = $2)
				and ($3 = '' or s.action = $3)
				and ($4 = '' or s.state = $4)
				and ($5 or `+taken+`)
				and ($7 = '' or (s.expires_at, s.id) `+compare+` ($6, $7))`+which+`
			order by `+order+`
			limit $8`,
			f.Waiting, f.Site, f.Kind, f.State, f.Queue, after.ExpiresAt, after.ID, limit)
		steps, err = pgx.CollectRows(rows, scanStep)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("steps: %w", err)
	}
	return steps, nil
}

// Conditions of a step s and the person $1.
const (
	// taken: it is no proposal of a ranking that nobody touched.
	taken = `(s.audited > 0 or s.touched_at is not null)`

	// waits: it needs a role that they hold or were delegated, or one that stands in
	// by now, and they have said nothing to it yet.
	waits = `s.state = 'pending' and s.expires_at > clock_timestamp()
	and not exists (select from decision_human h where h.step_id = s.id and h.binding = s.binding and h.person_id = $1)
	and exists (
		select from role_grant g
		where g.revoked_at is null and g.site in (s.site, '*')
			and (s.requirement -> 'slots' @> jsonb_build_array(jsonb_build_object('role', g.role))
				or s.requirement -> 'stand_ins' @> jsonb_build_array(jsonb_build_object('role', g.role)) and exists (
					select from stand_ins(s.requirement) x
					where x.role = g.role and s.waits_since + x.after <= clock_timestamp()))
			and (g.person_id = $1 or exists (
				select from delegation d
				where d.from_id = g.person_id and d.to_id = $1 and d.revoked_at is null and s.action = any (d.kinds)
					and (s.site = any (d.sites) or '*' = any (d.sites)) and clock_timestamp() between d.begins_at and d.ends_at)))`
)

// WaitingSteps counts what waits for a person, to a hundred. Every page asks.
func (db *DB) WaitingSteps(ctx context.Context, person guardrails.PersonID) (n int, err error) {
	err = db.read(ctx, Viewer{Person: person}, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			select count(*)
			from (select from step s where `+taken+` and `+waits+` limit 100) t`, person).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("count what waits for person %d: %w", person, err)
	}
	return n, nil
}

// StepsByID returns those of the steps that the viewer may see.
func (db *DB) StepsByID(ctx context.Context, viewer Viewer, ids []guardrails.StepID) (map[guardrails.StepID]Step, error) {
	var steps []Step
	err := db.read(ctx, viewer, func(tx pgx.Tx) (err error) {
		rows, _ := tx.Query(ctx, `
			select `+stepColumns+`
			from step s
			join recommendation r on r.id = s.recommendation_id
			where s.id = any ($1)`, ids)
		steps, err = pgx.CollectRows(rows, scanStep)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("steps: %w", err)
	}
	byID := make(map[guardrails.StepID]Step, len(steps))
	for i := range steps {
		byID[steps[i].ID] = steps[i]
	}
	return byID, nil
}

// TryApprovals judges whether a person could approve each of the steps now. It
// changes nothing; a nil says that they could.
func (db *DB) TryApprovals(ctx context.Context, by By, steps []Step) ([]*guardrails.Refusal, error) {
	var refusals []*guardrails.Refusal
	err := db.readOnly(ctx, func(tx pgx.Tx) error {
		t, err := newTrial(ctx, tx, by, steps)
		if err == nil {
			refusals, err = t.approve(ctx, tx, steps)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("try approvals: %w", err)
	}
	return refusals, nil
}

// Try judges commands of one person on a step, as [DB.Decide] would, and changes
// nothing; a nil says that it would be carried out.
func (db *DB) Try(ctx context.Context, id guardrails.StepID, by By, commands ...guardrails.Command) ([]*guardrails.Refusal, error) {
	refusals := make([]*guardrails.Refusal, len(commands))
	err := db.readOnly(ctx, func(tx pgx.Tx) error {
		s, err := readStep(ctx, tx, id, "")
		if err != nil {
			return err
		}
		for i, cmd := range commands {
			x, err := contextOf(ctx, tx, &s, by, cmd)
			if err != nil {
				return err
			}
			if _, err := guardrails.Decide(s.Step, x, cmd); err != nil && !errors.As(err, &refusals[i]) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("try step %s: %w", id, err)
	}
	return refusals, nil
}

func (db *DB) readOnly(ctx context.Context, read func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, read)
}

// NoteView writes down that a person opened a step and what it asked for then.
func (db *DB) NoteView(ctx context.Context, person guardrails.PersonID, s *Step) error {
	_, err := db.pool.Exec(ctx, `
		insert into step_view (step_id, person_id, binding)
		values ($1, $2, $3)
		on conflict do nothing`, s.ID, person, s.Binding[:])
	if err != nil {
		return fmt.Errorf("note the view of step %s: %w", s.ID, err)
	}
	return nil
}

// Opened returns those of the steps that a person has looked at as they are now.
func (db *DB) Opened(ctx context.Context, person guardrails.PersonID, ids []guardrails.StepID) (map[guardrails.StepID]bool, error) {
	opened, err := db.stepSet(ctx, `
		select s.id
		from step s
		join step_view v on v.step_id = s.id and v.binding = s.binding
		where s.id = any ($1) and v.person_id = $2`, ids, person)
	if err != nil {
		return nil, fmt.Errorf("opened steps: %w", err)
	}
	return opened, nil
}

// Approved returns those of the steps that a person approved as they are now.
func (db *DB) Approved(ctx context.Context, person guardrails.PersonID, ids []guardrails.StepID) (map[guardrails.StepID]bool, error) {
	approved, err := db.stepSet(ctx, `
		select s.id
		from step s
		join decision d on d.step_id = s.id and d.binding = s.binding
		where s.id = any ($1) and d.person_id = $2 and d.verdict = 'approve'`, ids, person)
	if err != nil {
		return nil, fmt.Errorf("approved steps: %w", err)
	}
	return approved, nil
}

func (db *DB) stepSet(ctx context.Context, query string, args ...any) (map[guardrails.StepID]bool, error) {
	rows, _ := db.pool.Query(ctx, query, args...)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[guardrails.StepID])
	set := make(map[guardrails.StepID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set, err
}

// Approval is one of several that are given together.
type Approval struct {
	Step    guardrails.StepID
	Binding guardrails.Hash
}

// ApproveTogether approves steps inside the limits of [guardrails.CheckBulk],
// each by itself: the answers say which were not, and why. An error that is a
// [*guardrails.Refusal] refuses them as a whole.
func (db *DB) ApproveTogether(ctx context.Context, by By, approvals []Approval) ([]error, error) {
	ids := make([]guardrails.StepID, len(approvals))
	for i, a := range approvals {
		ids[i] = a.Step
	}
	found, err := db.StepsByID(ctx, Viewer{Person: by.Person}, ids)
	if err != nil {
		return nil, err
	}
	opened, err := db.Opened(ctx, by.Person, ids)
	if err != nil {
		return nil, err
	}
	var steps []guardrails.Step
	for _, id := range ids {
		s, ok := found[id]
		if !ok {
			return nil, fmt.Errorf("step %s: %w", id, ErrNotFound)
		}
		steps = append(steps, s.Step)
	}
	if refusal := guardrails.CheckBulk(steps, opened); refusal != nil {
		return nil, refusal
	}
	answers := make([]error, len(approvals))
	for i, a := range approvals {
		_, answers[i] = db.Decide(ctx, a.Step, by, guardrails.Approve{Binding: a.Binding})
	}
	return answers, nil
}
