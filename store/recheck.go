package store

import (
	"context"
	"fmt"
	"time"

	"tallyman/guardrails"
)

// addRecheck reads what may have changed since a step was approved: the book,
// the model that proposed it, and the policy.
func (db *DB) addRecheck(ctx context.Context, q querier, s *Step, x *guardrails.Context) error {
	var err error
	if x.ModelInForce, err = modelInForce(ctx, q, s); err != nil {
		return err
	}
	r, err := recordedRecommendation(ctx, q, s)
	if err != nil {
		return err
	}
	if x.Moved, err = moved(ctx, q, s, r); err != nil {
		return err
	}
	policy, err := db.policyInForce(ctx, q)
	if err != nil {
		return err
	}
	judgement, err := policy.Judge(r, x.Now)
	if err != nil {
		x.Deny = []string{"it cannot be evaluated: " + err.Error()}
		return nil //nolint:nilerr // the step is denied with the reason
	}
	x.Deny = judgement.Requirement.Deny
	return nil
}

// modelInForce reports whether the model that proposed a step is still its
// outcome's champion, with the artifact that was scored with. A model that
// proposes itself is judged by what it was compared with.
func modelInForce(ctx context.Context, q querier, s *Step) (bool, error) {
	if s.Model == 0 {
		return true, nil
	}
	if s.Kind == guardrails.KindPromoteModel {
		return comparisonHolds(ctx, q, s)
	}
	var good bool
	err := q.QueryRow(ctx, `
		select coalesce(m.state = 'champion' and m.artifact_hash = r.artifact_hash, false)
		from recommendation r
		join model m on m.id = r.model_id
		where r.id = $1`, s.Recommendation).Scan(&good)
	return good, err
}

// moved reports whether the book of what a step adjusts moved since it was
// counted. Other actions do not rest on the book.
func moved(ctx context.Context, q querier, s *Step, r *guardrails.Recommendation) (bool, error) {
	a, adjusts := r.Action.(*guardrails.InventoryAdjustment)
	if !adjusts {
		return false, nil
	}
	since := r.Evidence.ScoredAt
	if since.IsZero() {
		since = s.CreatedAt
	}
	var did bool
	err := q.QueryRow(ctx, `
		select exists (
			select from event
			where site = $1 and sku = $2 and $3 in (location, from_location, to_location)
				and type in ('receipt', 'putaway', 'pick', 'shipment', 'return', 'transfer', 'adjustment')
				and occurred_at > $4::timestamptz - interval '168 hours' and recorded_at > $4)`, s.Site, a.SKU, a.Location, since).Scan(&did)
	return did, err
}

// recordedRecommendation reads what a step recommends, as it was recorded.
func recordedRecommendation(ctx context.Context, q querier, s *Step) (*guardrails.Recommendation, error) {
	var facts []byte
	var artifact []byte
	var scored *time.Time
	err := q.QueryRow(ctx, `
		select facts, artifact_hash, scored_at
		from recommendation
		where id = $1`, s.Recommendation).Scan(&facts, &artifact, &scored)
	if err != nil {
		return nil, fmt.Errorf("recommendation %s: %w", s.Recommendation, notFound(err))
	}
	r, err := pastRecommendation(s.PayloadBytes, facts)
	if err != nil {
		return nil, fmt.Errorf("recommendation %s: %w", s.Recommendation, err)
	}
	r.Parties = s.Parties
	r.Evidence = guardrails.Evidence{Body: s.EvidenceBytes, Model: s.Model}
	copy(r.Evidence.Artifact[:], artifact)
	if scored != nil {
		r.Evidence.ScoredAt = *scored
	}
	return &r, nil
}
