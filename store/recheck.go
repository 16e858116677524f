package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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
// counted, by anything that was recorded since, however long ago it happened.
// Other actions do not rest on the book.
func moved(ctx context.Context, q querier, s *Step, r *guardrails.Recommendation) (bool, error) {
	a, adjusts := r.Action.(*guardrails.InventoryAdjustment)
	if !adjusts {
		return false, nil
	}
	since := r.Evidence.ScoredAt
	if since.IsZero() {
		since = s.CreatedAt
	}
	rows, err := q.Query(ctx, `
		select `+eventColumns+`
		from event
		where recorded_at > $1 and site = $2 and sku = $3`, pgx.QueryResultFormats{pgx.BinaryFormatCode}, since, s.Site, a.SKU)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	d := newEventDecoder()
	var e Recorded
	for rows.Next() {
		if err := d.decode(rows.RawValues(), &e); err != nil {
			return false, err
		}
		if e.Posts() && e.Location.At() == a.Location.At() {
			return true, nil
		}
		moves, n := e.Moves()
		for _, m := range moves[:n] {
			if m.Location == a.Location.At() && m.Qty != 0 {
				return true, nil
			}
		}
	}
	return false, rows.Err()
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
