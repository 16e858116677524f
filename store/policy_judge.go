package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// Rejudged counts what a new policy did to the steps that wait. Those that it denies,
// or cannot judge, are denied: nobody can approve them any more.
type Rejudged struct{ Tightened, Denied, Unblocked int }

// AdoptPolicy records that a scheduled policy is in force, if one has become so,
// and judges every waiting step by it: what it requires in addition is joined,
// and blocked steps that it can judge wait for humans. What it no longer
// requires stays required. A step that it cannot judge is denied with the reason. One
// that cannot be read or written holds up no other: the error names it, and the next
// call tries it again. Called again, it goes on where it was stopped, and for a
// while judges what was being proposed under the policy before.
func (db *DB) AdoptPolicy(ctx context.Context) (Rejudged, error) {
	if err := db.activateDue(ctx); err != nil {
		return Rejudged{}, fmt.Errorf("adopt the policy in force: %w", err)
	}
	var judged, last bool
	if err := db.pool.QueryRow(ctx, everyStepJudged).Scan(&judged); err != nil || judged {
		return Rejudged{}, err
	}
	if err := db.pool.QueryRow(ctx, `select effective_from + $1::interval < clock_timestamp()`+inForce, longestProposal).Scan(&last); err != nil {
		return Rejudged{}, fmt.Errorf("adopt the policy in force: %w", err)
	}
	done, err := db.rejudgeWaiting(ctx)
	if err == nil && last {
		err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
			return notePolicy(ctx, tx, "judged", "every step that waits", guardrails.Judge)
		})
	}
	if err != nil {
		return done, fmt.Errorf("adopt the policy in force: %w", err)
	}
	return done, nil
}

// rejudgeWaiting judges every step that waits under another policy than the one in
// force, also after one that could not be.
func (db *DB) rejudgeWaiting(ctx context.Context) (Rejudged, error) {
	var done Rejudged
	if _, err := db.policyInForce(ctx, db.pool); err != nil {
		return done, err // that would stop each of them
	}
	rows, _ := db.pool.Query(ctx, `
		select s.id
		from step s
		where s.state in ('pending', 'blocked') and s.policy <> (select version `+inForce+`)
		order by s.created_at, s.id`)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[guardrails.StepID])
	if err != nil {
		return done, err
	}
	var failed int
	var first error
	for _, id := range ids {
		t, err := db.rejudge(ctx, id, By{Machine: guardrails.Judge})
		switch {
		case ctx.Err() != nil:
			return done, ctx.Err()
		case err != nil:
			first = cmp.Or(first, fmt.Errorf("step %s: %w", id, err))
			failed++
		case t.Event == guardrails.Unblocked:
			done.Unblocked++
		case t.Event == guardrails.Tightened && len(t.Step.Requirement.Deny) > 0:
			done.Denied++
		case t.Event == guardrails.Tightened:
			done.Tightened++
		}
	}
	if failed > 0 {
		return done, fmt.Errorf("%d of %d waiting steps could not be judged anew and are tried again, among them %w", failed, len(ids), first)
	}
	return done, nil
}

// longestProposal is how long a transaction that read the policy before may take
// until the step that it proposes is seen.
const longestProposal = 2 * time.Minute

// everyStepJudged asks whether the last activation of a policy was followed by
// judging all that waited.
const everyStepJudged = `
	select coalesce((
		select convert_from(body, 'UTF8')::jsonb ->> 'event' = 'judged'
		from audit_entry
		where stream = 'policy' and convert_from(body, 'UTF8')::jsonb ->> 'event' in ('activated', 'judged')
		order by seq desc
		limit 1), true)`

// activateDue retires the policy that was in force before the one that is.
func (db *DB) activateDue(ctx context.Context) error {
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('policy'), 0)`); err != nil {
			return err
		}
		var version, state string
		if err := tx.QueryRow(ctx, `select version, state`+inForce).Scan(&version, &state); err != nil || state == "active" {
			return notFound(err)
		}
		_, err := tx.Exec(ctx, `
			update policy
			set state = 'retired'
			where state in ('active', 'scheduled') and version <> $1
				and effective_from <= (select effective_from from policy where version = $1)`, version)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update policy set state = 'active' where version = $1`, version); err != nil {
			return err
		}
		return notePolicy(ctx, tx, "activated", version, guardrails.Judge)
	})
}

// Rejudge has a blocked step judged by the policy in force, for an owner of
// policy who put right what blocked it.
func (db *DB) Rejudge(ctx context.Context, id guardrails.StepID, by By) error {
	if _, err := db.rejudge(ctx, id, by); err != nil {
		return fmt.Errorf("judge step %s anew: %w", id, err)
	}
	return nil
}

func (db *DB) rejudge(ctx context.Context, id guardrails.StepID, by By) (t guardrails.Transition, err error) {
	var refused error
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		s, err := lockStep(ctx, tx, id)
		if err != nil || s.State != guardrails.Pending && s.State != guardrails.Blocked {
			return err
		}
		policy, judged, err := db.judgeStep(ctx, tx, &s)
		if err != nil {
			return err
		}
		machine := by.Machine == guardrails.Judge
		cmd := rejudging(&s, &judged, policy.Version(), machine)
		if cmd == nil {
			return nil // as it was
		}
		x, err := contextOf(ctx, tx, s.ID, by, cmd)
		if err != nil {
			return err
		}
		x.Policy = policy.Version()
		if judged.Blocked == "" {
			x.Judged = &judged.Requirement
		}
		moved, err := guardrails.Decide(s.Step, x, cmd)
		if r, ok := errors.AsType[*guardrails.Refusal](err); ok {
			if machine {
				return nil // it expired meanwhile, or a part of it is still unknown
			}
			refused = r
			return noteRefusal(ctx, tx, &s, r, by.String(), x.Now)
		}
		if err != nil {
			return err
		}
		t = moved
		return db.saveTransition(ctx, tx, &s, &moved, by.String(), x.Now)
	})
	return t, errors.Join(err, refused)
}

// rejudging is what a judgement asks of a step that waits, nil for nothing.
func rejudging(s *Step, judged *guardrails.Outcome, policy string, machine bool) guardrails.Command {
	shut := judged.Blocked != "" || len(judged.Requirement.Deny) > 0
	switch {
	case s.State == guardrails.Blocked && machine && shut, s.State == guardrails.Pending && s.Requirement.Covers(judged.Requirement):
		return nil
	case s.State == guardrails.Blocked:
		return guardrails.Unblock{Requirement: judged.Requirement, Policy: policy}
	case shut: // nobody may say yes any more, and only a human can end it
		return guardrails.Tighten{Requirement: guardrails.Join(s.Requirement, judged.Requirement), Policy: policy}
	}
	return guardrails.Tighten{Requirement: judged.Requirement, Policy: policy}
}

// judgeStep evaluates the policy in force on a step as it was proposed.
func (db *DB) judgeStep(ctx context.Context, tx pgx.Tx, s *Step) (*guardrails.Policy, guardrails.Outcome, error) {
	policy, err := db.policyInForce(ctx, tx)
	if err != nil {
		return nil, guardrails.Outcome{}, err
	}
	var facts []byte
	if err := tx.QueryRow(ctx, `select facts from recommendation where id = $1`, s.Recommendation).Scan(&facts); err != nil {
		return nil, guardrails.Outcome{}, err
	}
	var j guardrails.Judgement
	r, err := pastRecommendation(s.PayloadBytes, facts)
	if err == nil {
		j, err = policy.Judge(&r, s.CreatedAt)
	}
	if err != nil {
		why := "it cannot be judged: " + err.Error()
		return policy, guardrails.Outcome{Requirement: guardrails.Denied(why), Blocked: why}, nil //nolint:nilerr // it is the outcome
	}
	return policy, guardrails.Outcome{Requirement: j.Requirement}, nil
}

// pastRecommendation is what policy looked at, as it was recorded.
func pastRecommendation(payload, facts []byte) (guardrails.Recommendation, error) {
	var r guardrails.Recommendation
	var err error
	if r.Site, r.Action, err = guardrails.ParsePayload(payload); err != nil {
		return r, err
	}
	r.Facts, err = readFacts(facts)
	return r, err
}

// readFacts reads what writeFacts wrote.
func readFacts(b []byte) (guardrails.Facts, error) {
	var f jsonFacts
	if err := json.Unmarshal(b, &f); err != nil {
		return guardrails.Facts{}, fmt.Errorf("facts: %w", err)
	}
	return guardrails.Facts{
		ValueMinor: f.ValueMinor, Currency: warehouse.Currency(f.Currency), RecentMinor: f.RecentMinor, VariancePPM: f.VariancePPM,
		Class: f.Class, Flags: f.Flags, Repeats: f.Repeats, ScorePPM: f.ScorePPM, WithinTol: f.WithinTol, CustomerAgree: f.CustomerAgree,
	}, nil
}
