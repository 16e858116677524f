package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
)

// Word is what a human says of the operation of a step that waits for it: that
// people carried out what is theirs to do, or, of one that nobody can be sure of,
// that the target applied it; or that they, or it, did not.
type Word struct {
	Done   bool
	Reason string // how they know, or why not; may be "" only of what people carried out
}

// ReportByHand records what a human says of an operation. What people did not
// carry out ends the step; what a target did not apply is sent again. Whoever has
// a role at the site may say that people carried it out; anything else asks for a
// role that the step needs. A word that is not taken is a [*guardrails.Refusal].
func (db *DB) ReportByHand(ctx context.Context, id guardrails.StepID, by By, w Word) error {
	var refused error
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) (err error) {
		_, refused, err = db.reportIn(ctx, tx, id, by, w)
		return err
	})
	if err = errors.Join(err, refused); err != nil {
		return fmt.Errorf("report on step %s: %w", id, err)
	}
	return nil
}

// ReportOnce is [DB.ReportByHand] with an answer that is kept, as in [DB.DecideOnce].
func (db *DB) ReportOnce(ctx context.Context, id guardrails.StepID, by By, w Word, r Request) (answer []byte, err error) {
	return db.answerOnce(ctx, id, r, func(tx pgx.Tx) (Step, error, error) { return db.reportIn(ctx, tx, id, by, w) })
}

// TryReports judges words as [DB.ReportByHand] would, and changes nothing; a nil
// says that it would be recorded.
func (db *DB) TryReports(ctx context.Context, id guardrails.StepID, by By, words ...Word) ([]*guardrails.Refusal, error) {
	refusals := make([]*guardrails.Refusal, len(words))
	err := db.readOnly(ctx, func(tx pgx.Tx) error {
		s, err := readStep(ctx, tx, id)
		if err != nil {
			return err
		}
		x, err := contextOf(ctx, tx, s.ID, by, guardrails.Resolve{})
		if err != nil {
			return err
		}
		e, err := reportable(ctx, tx, id, "")
		if err != nil {
			return err
		}
		for i, w := range words {
			refusals[i] = mayReport(&s, e, &x, w)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("try reports on step %s: %w", id, err)
	}
	return refusals, nil
}

// reportIn is ReportByHand within a transaction, which must commit also when the
// word was not taken.
func (db *DB) reportIn(ctx context.Context, tx pgx.Tx, id guardrails.StepID, by By, w Word) (after Step, refused, err error) {
	s, err := lockStep(ctx, tx, id)
	if err != nil {
		return Step{}, nil, err
	}
	x, err := contextOf(ctx, tx, s.ID, by, guardrails.Resolve{})
	if err != nil {
		return Step{}, nil, err
	}
	e, err := reportable(ctx, tx, id, `for update`)
	if err != nil {
		return Step{}, nil, err
	}
	if r := mayReport(&s, e, &x, w); r != nil {
		return Step{}, r, noteRefusal(ctx, tx, &s, r, by.String(), x.Now)
	}
	outcome := ReportApplied
	switch {
	case !w.Done && e.State == guardrails.Uncertain:
		outcome = ReportAbsent
	case !w.Done:
		outcome = ReportRefused
	}
	// The claim of a worker that is still asking ends here.
	if _, err := tx.Exec(ctx, `update execution set claim_epoch = claim_epoch + 1 where id = $1`, e.ID); err != nil {
		return Step{}, nil, err
	}
	said := by.String() + " says so"
	if w.Reason != "" {
		said = by.String() + " says: " + w.Reason
	}
	if err := db.settle(ctx, tx, &s, e, Report{Outcome: outcome, Detail: said}, by.String(), x.Now); err != nil {
		return Step{}, nil, err
	}
	if after, err = lockStep(ctx, tx, id); err != nil || after.State != guardrails.Failed || outcome != ReportRefused {
		return after, nil, err
	}
	// Nothing of it can be sent again, so that it is over.
	t, err := guardrails.Decide(after.Step, x, guardrails.Withdraw{Reason: "not carried out: " + w.Reason})
	if err != nil {
		return Step{}, nil, err
	}
	if err := db.saveTransition(ctx, tx, &after, &t, by.String(), x.Now); err != nil {
		return Step{}, nil, err
	}
	after, err = readStep(ctx, tx, id)
	return after, nil, err
}

// reportable returns the operation of a step that waits for a human's word, nil
// for none.
func reportable(ctx context.Context, q querier, id guardrails.StepID, lock string) (*Execution, error) {
	rows, _ := q.Query(ctx, `
		select `+executionColumns+`
		from execution e
		where step_id = $1 and (state = 'unknown' or state = 'sending' and target = 'manual')
		order by id
		limit 1 `+lock, id)
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[Execution])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	return e, err
}

func mayReport(s *Step, e *Execution, x *guardrails.Context, w Word) *guardrails.Refusal {
	p := &x.Actor.Person
	if x.Actor.Machine != "" || p.ID == 0 || !p.Active {
		return &guardrails.Refusal{Code: guardrails.CodeInactive, Detail: "only people whose access has not ended report"}
	}
	if e == nil {
		return &guardrails.Refusal{Code: guardrails.CodeNotPending, Detail: fmt.Sprintf("the step is %s, and has nothing that waits for a human's word", s.State)}
	}
	carriedOut := w.Done && e.Target == guardrails.TargetManual
	allowed := slices.ContainsFunc(p.Grants, func(g guardrails.Grant) bool {
		return (carriedOut || slices.Contains(s.Roles(x.Now), g.Role)) && (g.Site == s.Site || g.Site == guardrails.Everywhere)
	})
	if !allowed {
		return &guardrails.Refusal{Code: guardrails.CodeRoleMissing, Detail: fmt.Sprintf("this needs a role at %s, such as %s", s.Site, s.Requirement)}
	}
	if !carriedOut && strings.TrimSpace(w.Reason) == "" {
		return &guardrails.Refusal{Code: guardrails.CodeReasonMissing, Detail: "say how you know, or why it was not done"}
	}
	return nil
}

// SettleSeen takes recorded events for the word of people: a step to count a
// position is done by a count of it, one to verify a load by receipts of all that
// was announced of it, when they happened after the approval. It returns how many
// steps are done by that.
func (db *DB) SettleSeen(ctx context.Context) (int, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+executionColumns+`, seen.what
		from execution e
		join step s on s.id = e.step_id
		cross join lateral (`+seenCount+` union all `+seenReceipts+`) seen (what)
		where e.state = 'sending' and e.target = 'manual' and s.action in ('count_position', 'verify_load')
		order by e.id
		limit $1`, batchOf)
	type seen struct {
		Execution
		What string
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v seen, err error) {
		err = row.Scan(&v.ID, &v.Step, &v.Operation, &v.Compensation, &v.Key, &v.Target, &v.Lane, &v.Body, &v.State, &v.Attempt, &v.Epoch, &v.What)
		return v, err
	})
	if err != nil {
		return 0, fmt.Errorf("steps that people carried out: %w", err)
	}
	n := 0
	var failed error // of some; they do not hold up the others
	for _, v := range all {
		err := db.SettleExecution(ctx, v.Execution, Report{Outcome: ReportApplied, Detail: v.What}, "events")
		switch {
		case err == nil:
			n++
		case !errors.Is(err, ErrFenced):
			failed = errors.Join(failed, err)
		}
	}
	return n, failed
}

// seenCount is a count of the position of step s since it was approved.
const seenCount = `(
	select format('counted: event %s of %s', c.id, c.source)
	from event c
	where s.action = 'count_position' and c.type = 'count' and c.site = s.site and c.sku = s.subject[2]
		and coalesce(c.location, 'main') = s.subject[1] and c.occurred_at >= s.approved_at
	order by c.occurred_at
	limit 1)`

// seenReceipts is the receipt of every announced line of the load of step s since
// it was approved. What was received before was not checked for it.
const seenReceipts = `(
	select format('received: all %s lines that were announced', count(*))
	from (
		select distinct a.line
		from event a
		where s.action = 'verify_load' and a.type = 'asn' and a.site = s.site and a.load = s.subject[1]
			and a.occurred_at > s.approved_at - interval '180 days') announced
	having count(*) > 0 and bool_and(exists (
		select from event r
		where r.type = 'receipt' and r.site = s.site and r.load = s.subject[1] and r.line = announced.line and r.occurred_at >= s.approved_at)))`
