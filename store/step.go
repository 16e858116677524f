package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// NewStepID returns a random one.
func NewStepID() guardrails.StepID { return guardrails.StepID("st_" + randomID()) }

// Step is a step as it is kept.
type Step struct {
	guardrails.Step
	Recommendation string
	PayloadBytes   []byte // exactly what is approved
	EvidenceBytes  []byte
	Matched        []string // rules of the policy
	Reason         string   // why it is in its state
	CreatedAt      time.Time
	ChangedAt      time.Time
	ReadAt         time.Time // by the database's clock

	lane    string
	audited int
	touched bool // people are at it
}

// stepColumns are read by scanStep, from step s and recommendation r.
const stepColumns = `s.id, s.version, s.state, s.action, s.site, s.subject, r.parties, s.payload_hash, s.evidence_hash, s.plan_hash,
	coalesce(r.model_id, 0), s.policy, s.requirement, s.binding, s.value_minor, coalesce(s.currency, ''), s.waits_since, s.expires_at, s.approved_at,
	coalesce(s.assignee_id, 0), s.escalation, s.break_glass, coalesce(s.superseded_by, ''),
	array(select o.target from operation o where o.recommendation_id = r.id order by o.n),
	r.id, r.payload, r.evidence, s.matched, s.reason, s.created_at, s.changed_at, s.lane, s.audited, s.touched_at is not null, clock_timestamp()`

func scanStep(row pgx.CollectableRow) (Step, error) {
	var s Step
	var parties, requirement, matched, payload, evidence, plan, binding []byte
	var approved *time.Time
	err := row.Scan(&s.ID, &s.Version, &s.State, &s.Kind, &s.Site, &s.Subject, &parties, &payload, &evidence, &plan,
		&s.Model, &s.Policy, &requirement, &binding, &s.Value, &s.Currency, &s.WaitsSince, &s.ExpiresAt, &approved,
		&s.Assignee, &s.Escalation, &s.BreakGlass, &s.SupersededBy, &s.Targets,
		&s.Recommendation, &s.PayloadBytes, &s.EvidenceBytes, &matched, &s.Reason, &s.CreatedAt, &s.ChangedAt, &s.lane, &s.audited, &s.touched, &s.ReadAt)
	if err != nil {
		return s, err
	}
	s.Payload, s.Evidence = guardrails.Hash(payload), guardrails.Hash(evidence)
	s.Plan, s.Binding = guardrails.Hash(plan), guardrails.Hash(binding)
	if approved != nil {
		s.ApprovedAt = *approved
	}
	if s.Parties, err = readParties(parties); err != nil {
		return s, err
	}
	if s.Requirement, err = readRequirement(requirement); err != nil {
		return s, err
	}
	return s, json.Unmarshal(matched, &s.Matched)
}

// liveStates is the condition of the index step_live, word for word.
const liveStates = `state in ('blocked', 'pending', 'changes_requested', 'approved', 'executing', 'unknown', 'failed', 'compensating', 'compensation_failed')`

// Step returns a step.
func (db *DB) Step(ctx context.Context, id guardrails.StepID) (Step, error) {
	return readStep(ctx, db.pool, id, "")
}

func readStep(ctx context.Context, q querier, id guardrails.StepID, lock string) (Step, error) {
	rows, _ := q.Query(ctx, `
		select `+stepColumns+`
		from step s
		join recommendation r on r.id = s.recommendation_id
		where s.id = $1 `+lock, id)
	s, err := pgx.CollectExactlyOneRow(rows, scanStep)
	if err != nil {
		return Step{}, fmt.Errorf("step %s: %w", id, notFound(err))
	}
	return s, nil
}

// VerifyStep returns the live step to verify a load, or an [ErrNotFound].
func (db *DB) VerifyStep(ctx context.Context, site warehouse.Site, load warehouse.Load) (Step, error) {
	s, err := liveStep(ctx, db.pool, site, &guardrails.VerifyLoad{Load: load})
	if err != nil {
		return Step{}, fmt.Errorf("step to verify load %s of %s: %w", load, site, err)
	}
	return s, nil
}

// liveStep returns the live step of an action's kind and subject.
func liveStep(ctx context.Context, q querier, site warehouse.Site, a guardrails.Action) (Step, error) {
	rows, _ := q.Query(ctx, `
		select `+stepColumns+`
		from step s
		join recommendation r on r.id = s.recommendation_id
		where s.action = $1 and s.site = $2 and s.subject = $3 and s.`+liveStates, a.Kind(), site, guardrails.SubjectOf(a))
	s, err := pgx.CollectExactlyOneRow(rows, scanStep)
	return s, notFound(err)
}
