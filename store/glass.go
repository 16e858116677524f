package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

// GlassReview is what one of two others found about a break of the glass.
type GlassReview struct {
	Person    guardrails.PersonID
	Name      string
	Justified bool
	Note      string
	At        time.Time
}

// BrokenGlass is a step that one human approved alone, and that others review.
type BrokenGlass struct {
	Step     Step
	By       string // name
	Incident string
	Reason   string
	Reviews  []GlassReview
	Due      time.Time
	Late     bool                // and while it is, the glass cannot be broken at the site
	You      *guardrails.Refusal // why the viewer may not review it, nil when they may
}

// Open reports whether a review is still missing.
func (b *BrokenGlass) Open() bool { return len(b.Reviews) < guardrails.GlassReviews }

// BrokenGlasses returns the breaks of the glass that a person may see: those that wait
// for a review, the oldest first, then those of the last 30 days.
func (db *DB) BrokenGlasses(ctx context.Context, by By) ([]BrokenGlass, error) {
	var all []BrokenGlass
	err := db.read(ctx, Viewer{Person: by.Person}, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select s.id
			from step s
			cross join lateral (select count(*) as n from glass_review g where g.step_id = s.id) reviewed
			where s.break_glass and (reviewed.n < $1 or s.approved_at > clock_timestamp() - interval '720 hours')
			order by least(reviewed.n, $1) = $1, s.approved_at
			limit 100`, guardrails.GlassReviews)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[guardrails.StepID])
		if err != nil {
			return err
		}
		for _, id := range ids {
			b, err := brokenGlass(ctx, tx, id, by)
			if err != nil {
				return err
			}
			all = append(all, b)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("broken glass: %w", err)
	}
	return all, nil
}

// WaitingReviews counts the breaks that a person may review, and has not.
func (db *DB) WaitingReviews(ctx context.Context, by By) (n int, err error) {
	all, err := db.BrokenGlasses(ctx, by)
	for i := range all {
		if all[i].Open() && all[i].You == nil {
			n++
		}
	}
	return n, err
}

func brokenGlass(ctx context.Context, tx pgx.Tx, id guardrails.StepID, by By) (b BrokenGlass, err error) {
	if b.Step, err = readStep(ctx, tx, id, ""); err != nil {
		return b, err
	}
	err = tx.QueryRow(ctx, `
		select p.name, d.incident, d.reason
		from decision d
		join person p on p.id = d.person_id
		where d.step_id = $1 and d.incident is not null and d.binding = $2
		order by d.id desc
		limit 1`, id, b.Step.Binding[:]).Scan(&b.By, &b.Incident, &b.Reason)
	if err != nil {
		return b, err
	}
	if b.Reviews, err = reviewsOf(ctx, tx, id); err != nil {
		return b, err
	}
	x, err := reviewContext(ctx, tx, &b.Step, by)
	if err != nil {
		return b, err
	}
	b.Due = b.Step.ApprovedAt.Add(guardrails.GlassReviewIn)
	b.Late = b.Open() && x.Now.After(b.Due)
	b.You = guardrails.MayReview(&b.Step.Step, &x, "x")
	for _, r := range b.Reviews {
		if r.Person == by.Person {
			b.You = &guardrails.Refusal{Code: guardrails.CodeAlreadyDecided, Detail: "you have reviewed it"}
		}
	}
	return b, nil
}

func reviewsOf(ctx context.Context, q querier, id guardrails.StepID) ([]GlassReview, error) {
	rows, _ := q.Query(ctx, `
		select g.person_id, p.name, g.justified, g.note, g.reviewed_at
		from glass_review g
		join person p on p.id = g.person_id
		where g.step_id = $1
		order by g.reviewed_at`, id)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[GlassReview])
}

// reviewContext is what a reviewer is judged by.
func reviewContext(ctx context.Context, tx pgx.Tx, s *Step, by By) (x guardrails.Context, err error) {
	if x.Now, err = clock(ctx, tx); err != nil {
		return x, err
	}
	if x.Decisions, err = decisionsOf(ctx, tx, s.ID); err != nil {
		return x, err
	}
	if x.People, err = people(ctx, tx, []guardrails.PersonID{by.Person}); err != nil {
		return x, err
	}
	x.Actor = guardrails.Actor{Person: x.People[by.Person], Machine: by.Machine, Session: by.Session, AuthenticatedAt: by.AuthenticatedAt}
	return x, nil
}

// ReviewGlass records what somebody found about a break of the glass. Two others do
// so within a day, or the site can break none.
func (db *DB) ReviewGlass(ctx context.Context, id guardrails.StepID, by By, justified bool, note string) error {
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		s, err := readStep(ctx, tx, id, `for update of s`)
		if err != nil {
			return err
		}
		x, err := reviewContext(ctx, tx, &s, by)
		if err != nil {
			return err
		}
		if r := guardrails.MayReview(&s.Step, &x, note); r != nil {
			return r
		}
		if _, err := tx.Exec(ctx, `insert into glass_review (step_id, person_id, justified, note) values ($1, $2, $3, $4)`,
			id, by.Person, justified, note); err != nil {
			return err
		}
		return noteChange(ctx, tx, string(id)+"/review", "reviewed", by.String(), []audit.Fact{
			{Name: "justified", Value: fmt.Sprint(justified)}, {Name: "reason", Value: note},
		})
	})
	if violates(err, "glass_review_pkey") {
		err = &guardrails.Refusal{Code: guardrails.CodeAlreadyDecided, Detail: "you have reviewed it"}
	}
	if err != nil {
		return fmt.Errorf("review step %s: %w", id, err)
	}
	return nil
}

// callReviewersEach is how long after a call others are called again.
const callReviewersEach = guardrails.GlassReviewIn / 4

// CallReviewers asks for the reviews that are missing: when the glass is broken, again
// at each quarter of the day that they may take, and on while they are late. The call
// is in the history of the step, and the count of calls in the log of the program.
func (db *DB) CallReviewers(ctx context.Context) (int, error) {
	rows, _ := db.pool.Query(ctx, `select s.id from step s where `+reviewersUncalled, guardrails.GlassReviews, callReviewersEach)
	due, err := pgx.CollectRows(rows, pgx.RowTo[guardrails.StepID])
	for _, id := range due {
		if err != nil {
			break
		}
		err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error { return callReviewers(ctx, tx, id) })
	}
	if err != nil {
		return 0, fmt.Errorf("call reviewers: %w", err)
	}
	return len(due), nil
}

// reviewersUncalled is a condition of a step s: reviews are missing, and nobody was
// called for a while.
const reviewersUncalled = `s.break_glass and (select count(*) from glass_review g where g.step_id = s.id) < $1
	and not exists (
		select from audit_entry a
		where a.stream = s.id || '/review' and a.at > clock_timestamp() - $2::interval
			and convert_from(a.body, 'UTF8')::jsonb ->> 'event' = 'review_asked')`

func callReviewers(ctx context.Context, tx pgx.Tx, id guardrails.StepID) error {
	s, err := readStep(ctx, tx, id, `for update of s`)
	if err != nil {
		return err
	}
	var missing int
	err = tx.QueryRow(ctx, `
		select $1 - (select count(*) from glass_review g where g.step_id = s.id)
		from step s
		where s.id = $3 and `+reviewersUncalled, guardrails.GlassReviews, callReviewersEach, id).Scan(&missing)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // another process did, or it was reviewed
	}
	if err != nil {
		return err
	}
	due := s.ApprovedAt.Add(guardrails.GlassReviewIn)
	why := fmt.Sprintf("%d of %d reviews are missing, due at %s", missing, guardrails.GlassReviews, due.UTC().Format("2006-01-02 15:04Z"))
	if s.ReadAt.After(due) {
		why += "; until they are there the glass cannot be broken at " + string(s.Site)
	}
	return noteChange(ctx, tx, string(id)+"/review", "review_asked", clockwork.Machine, []audit.Fact{{Name: "reason", Value: why}})
}
