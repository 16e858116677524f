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
	"tallyman/warehouse"
)

// Source says what a recommendation came from, if it was a ranking or an
// evaluation.
type Source struct {
	Ranking    RankingID
	Evaluation EvaluationID
}

// Propose makes the step behind a recommendation, under the policy in force.
// The same payload proposed again is the same step: approvals are kept. A step
// that nobody decided yet is superseded; one that is approved or further is an
// [ErrStepLive].
func (db *DB) Propose(ctx context.Context, r guardrails.Recommendation, from Source) (Step, error) {
	var step Step
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) (err error) {
		step, err = db.propose(ctx, tx, NewStepID(), r, from)
		return err
	})
	if err != nil {
		return Step{}, fmt.Errorf("propose %s at %s: %w", r.Action.Kind(), r.Site, err)
	}
	return step, nil
}

func (db *DB) propose(ctx context.Context, tx pgx.Tx, id guardrails.StepID, r guardrails.Recommendation, from Source) (Step, error) {
	// Proposals on one lane take turns: each sees the amounts of the others.
	lane := guardrails.Lane(r.Site, r.Action)
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('lane'), hashtext($1))`, lane); err != nil {
		return Step{}, err
	}
	now, err := clock(ctx, tx)
	if err != nil {
		return Step{}, err
	}
	if r.Facts.RecentMinor, err = recentMinor(ctx, tx, lane, r.Action); err != nil {
		return Step{}, err
	}
	p, err := db.prepare(ctx, tx, id, &r, from, now)
	if err != nil {
		return Step{}, err
	}
	old, err := liveStep(ctx, tx, r.Site, r.Action)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return Step{}, err
	case old.Payload == p.step.Payload && (old.touched || from.Evaluation == ""):
		return old, nil
	default:
		if err := db.supersede(ctx, tx, &old, id, now); err != nil {
			return Step{}, err
		}
	}
	if err := insertProposals(ctx, tx, []proposal{p}); err != nil {
		return Step{}, err
	}
	return readStep(ctx, tx, id, "")
}

// supersede ends a step that nobody decided.
func (db *DB) supersede(ctx context.Context, tx pgx.Tx, old *Step, by guardrails.StepID, now time.Time) error {
	locked, err := readStep(ctx, tx, old.ID, `for update of s`)
	if err != nil {
		return err
	}
	t, err := guardrails.Decide(locked.Step, guardrails.Context{Now: now, Actor: guardrails.Actor{Machine: "proposer"}}, guardrails.Supersede{By: by})
	if err != nil {
		return errors.Join(ErrStepLive, err)
	}
	return db.saveTransition(ctx, tx, &locked, &t, "proposer", now)
}

// recentMinor sums what other steps of the lane put at stake in 24 hours.
func recentMinor(ctx context.Context, tx pgx.Tx, lane string, a guardrails.Action) (int64, error) {
	var sum int64
	err := tx.QueryRow(ctx, `
		select least(coalesce(sum(stake_minor), 0), 9223372036854775807)::bigint
		from step
		where lane = $1 and action = $2 and created_at > clock_timestamp() - interval '24 hours'
			and not (subject = $3 and state in ('blocked', 'pending', 'changes_requested'))
			and state not in ('rejected', 'withdrawn', 'expired', 'superseded', 'invalidated')`,
		lane, a.Kind(), guardrails.SubjectOf(a)).Scan(&sum)
	return sum, err
}

// proposal is a step that is about to be inserted.
type proposal struct {
	id      string // of the recommendation
	step    guardrails.Step
	rec     *guardrails.Recommendation
	from    Source
	payload []byte
	plan    guardrails.Plan
	lane    string
	matched []string
	why     string // it is blocked
	at      time.Time
	silent  bool // its ranking has one audit entry for all

	requirement, parties, facts []byte // as the database holds them
}

// prepare judges a recommendation under the policy in force.
func (db *DB) prepare(ctx context.Context, q querier, id guardrails.StepID, r *guardrails.Recommendation, from Source, now time.Time) (proposal, error) {
	policy, err := db.policyInForce(ctx, q)
	if err != nil {
		return proposal{}, err
	}
	targets, err := targetsOf(ctx, q, r.Site, r.Action.Kind())
	if err != nil {
		return proposal{}, err
	}
	return prepare(policy, targets, id, r, from, now)
}

func prepare(policy *guardrails.Policy, targets []string, id guardrails.StepID, r *guardrails.Recommendation, from Source, now time.Time) (proposal, error) {
	p := proposal{rec: r, from: from, lane: guardrails.Lane(r.Site, r.Action), at: now, id: "rec_" + randomID()}
	var err error
	if p.payload, err = guardrails.Payload(r.Site, r.Action); err != nil {
		return p, err
	}
	if p.plan, err = guardrails.NewPlan(r.Site, r.Action, targets); err != nil {
		return p, err
	}
	judgement, blocked := policy.Judge(r, now)
	if blocked != nil {
		p.why = blocked.Error()
	} else if missing := r.Missing(); missing != 0 {
		p.why = fmt.Sprintf("it is not known who the %s is", missing)
	}
	p.matched = judgement.Matched
	p.step, err = guardrails.Propose(id, r, p.plan, policy.Version(), judgement.Requirement, blocked, now)
	if err != nil {
		return p, err
	}
	if p.why == "" && len(p.step.Requirement.Deny) > 0 {
		p.why = p.step.Requirement.Deny[0]
	}
	if p.requirement, err = writeRequirement(p.step.Requirement); err != nil {
		return p, err
	}
	if p.parties, err = writeParties(r.Parties); err != nil {
		return p, err
	}
	p.facts, err = writeFacts(&r.Facts)
	return p, err
}

// targetsOf returns where the effect of an action goes: to every configured target
// that takes it at the site, in the order in which they were added, else to the
// program itself, or to people who carry it out by hand and say so.
func targetsOf(ctx context.Context, q querier, site warehouse.Site, k guardrails.Kind) ([]string, error) {
	if k.Internal() {
		return []string{guardrails.TargetInternal}, nil
	}
	rows, _ := q.Query(ctx, `
		select name
		from target
		where $1 = any (kinds) and ($2 = any (sites) or '*' = any (sites))
		order by created_at, name`, k, site)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if len(names) == 0 {
		names = []string{guardrails.TargetManual}
	}
	return names, err
}

const insertRecommendation = `
	insert into recommendation (id, action, site, subject, ranking_id, evaluation_id, payload, evidence, facts, parties, model_id, artifact_hash, scored_at)
	values ($1, $2, $3, $4, nullif($5::bigint, 0), nullif($6, ''), $7, $8, $9, $10, nullif($11::bigint, 0), $12, $13)`

const insertStep = `
	insert into step (id, recommendation_id, action, site, subject, state, payload_hash, evidence_hash, plan_hash, policy, requirement,
		matched, binding, lane, stake_minor, value_minor, currency, expires_at, reason, audited, created_at, changed_at, waits_since)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, to_jsonb(coalesce($12::text[], '{}'::text[])), $13, $14, $15, $16, nullif($17, ''), $18, $19, $20, $21, $21, $22)`

func insertProposals(ctx context.Context, tx pgx.Tx, all []proposal) error {
	q := &pgx.Batch{}
	for i := range all {
		p := &all[i]
		s, e := &p.step, &p.rec.Evidence
		var artifact []byte
		if e.Model != 0 {
			artifact = e.Artifact[:]
		}
		q.Queue(insertRecommendation, p.id, s.Kind, s.Site, s.Subject, p.from.Ranking, p.from.Evaluation, p.payload, evidenceBytes(e),
			p.facts, p.parties, e.Model, artifact, present(e.ScoredAt, !e.ScoredAt.IsZero()))
		for n, o := range p.plan {
			q.Queue(`insert into operation (recommendation_id, n, target, body, compensate, irreversible) values ($1, $2, $3, $4, $5, nullif($6, ''))`,
				p.id, n, o.Target, o.Body, o.Compensate, o.Final)
		}
		audited := 1
		if p.silent {
			audited = 0
		}
		q.Queue(insertStep, s.ID, p.id, s.Kind, s.Site, s.Subject, s.State, s.Payload[:], s.Evidence[:], s.Plan[:], s.Policy, p.requirement,
			p.matched, s.Binding[:], p.lane, p.rec.Facts.ValueMinor, s.Value, s.Currency, s.ExpiresAt, p.why, audited, p.at, s.WaitsSince)
		if p.silent {
			continue
		}
		if err := queueAudit(q, proposedEntry(p)); err != nil {
			return err
		}
	}
	err := tx.SendBatch(ctx, q).Close()
	if violates(err, "step_live") {
		return ErrStepLive
	}
	return err
}

func evidenceBytes(e *guardrails.Evidence) []byte { return append([]byte{}, e.Body...) }

func proposedEntry(p *proposal) audit.Entry {
	event := guardrails.Proposed
	if p.step.State == guardrails.Blocked {
		event = guardrails.ProposedBlocked
	}
	i := slices.IndexFunc(p.rec.Parties, func(x guardrails.Party) bool { return x.Part&guardrails.Proposer != 0 })
	return audit.Entry{
		Stream: string(p.step.ID), Seq: 1, At: p.at, Event: string(event), Actor: partyName(p.rec.Parties[i]),
		Facts: []audit.Fact{
			{Name: "action", Value: string(p.step.Kind)},
			{Name: "site", Value: string(p.step.Site)},
			{Name: "payload", Value: p.step.Payload.String()},
			{Name: "evidence", Value: p.step.Evidence.String()},
			{Name: "policy", Value: p.step.Policy},
			{Name: "requirement", Value: p.step.Requirement.Full()},
			{Name: "binding", Value: p.step.Binding.String()},
			{Name: "reason", Value: p.why},
		},
	}
}

func partyName(p guardrails.Party) string {
	if p.Person != 0 {
		return fmt.Sprintf("person:%d", p.Person)
	}
	return p.Ref
}

// proposeVerify makes the step to verify the load of an evaluation, in place of
// one that nobody took up.
func (db *DB) proposeVerify(ctx context.Context, tx pgx.Tx, e *Evaluation, id guardrails.StepID) error {
	model, err := adviser(ctx, tx, e)
	if err != nil {
		return err
	}
	step, err := db.propose(ctx, tx, id, guardrails.Recommendation{
		Site: e.Site, Action: &guardrails.VerifyLoad{Load: e.Load},
		Parties:  []guardrails.Party{{Part: guardrails.Proposer, Ref: modelRef(model.ID)}},
		Evidence: guardrails.Evidence{Body: e.Answer, Model: int64(model.ID), Artifact: model.artifact, ScoredAt: e.AsOf},
	}, Source{Evaluation: e.ID})
	if err == nil && step.ID != id {
		err = ErrStepLive
	}
	return err
}

// usedModel is a model that something rests on, 0 for none.
type usedModel struct {
	ID       ModelID
	artifact guardrails.Hash
}

// adviser returns the model behind the advice to verify a load: that of the
// discrepancy, which lateness has no part in.
func adviser(ctx context.Context, q querier, e *Evaluation) (usedModel, error) {
	rows, _ := q.Query(ctx, `select id, artifact_hash from model where id = any ($1) and outcome = 'discrepancy'`, e.Models)
	return collectModel(rows)
}

func readUsedModel(ctx context.Context, q querier, id ModelID) (usedModel, error) {
	rows, _ := q.Query(ctx, `select id, artifact_hash from model where id = $1`, id)
	return collectModel(rows)
}

func collectModel(rows pgx.Rows) (m usedModel, err error) {
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&m.ID, &hash}, func() error {
		copy(m.artifact[:], hash)
		return nil
	})
	return m, err
}
