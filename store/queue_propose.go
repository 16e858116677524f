package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

// proposeQueue makes the steps of a ranking. They share one audit entry: a
// ranking is replaced often, and most of what it proposes is never looked at.
func (db *DB) proposeQueue(ctx context.Context, tx pgx.Tx, r *Ranking, rows []QueueRow) error {
	asked, err := askedCounts(ctx, tx, r.Site)
	if err != nil {
		return err
	}
	policy, err := db.policyInForce(ctx, tx)
	if err != nil {
		return err
	}
	targets, err := targetsOf(ctx, tx, r.Site, guardrails.KindCountPosition)
	if err != nil {
		return err
	}
	model, err := readUsedModel(ctx, tx, r.Model)
	if err != nil {
		return err
	}
	now, err := clock(ctx, tx)
	if err != nil {
		return err
	}
	var fresh []QueueRow
	var proposals []proposal
	for i := range rows {
		if asked.Rests(rows[i].Position, rows[i].LastCount) {
			continue
		}
		rec, err := recommendCount(r, &rows[i], model)
		if err != nil {
			return fmt.Errorf("rank %d: %w", rows[i].Rank, err)
		}
		p, err := prepare(policy, targets, NewStepID(), &rec, Source{Ranking: r.ID}, now)
		if err != nil {
			return fmt.Errorf("rank %d: %w", rows[i].Rank, err)
		}
		p.silent = true
		fresh, proposals = append(fresh, rows[i]), append(proposals, p)
	}
	if err := insertProposals(ctx, tx, proposals); err != nil {
		return err
	}
	columns, err := columnsOf(fresh, proposals)
	if err != nil {
		return err
	}
	if err := columns.insert(ctx, tx, r.ID); err != nil {
		return err
	}
	return auditRanking(ctx, tx, r, proposals)
}

func recommendCount(r *Ranking, row *QueueRow, model usedModel) (guardrails.Recommendation, error) {
	reasons, err := marshalReasons(row.Reasons)
	if err != nil {
		return guardrails.Recommendation{}, err
	}
	score := int64(math.Round(row.Probability * 1e6))
	evidence, err := json.Marshal(struct {
		Ranking  RankingID       `json:"ranking"`
		Rank     int             `json:"rank"`
		ScorePPM int64           `json:"score_ppm"`
		Loss     int64           `json:"expected_loss_minor"`
		Currency string          `json:"currency"`
		Reasons  json.RawMessage `json:"reasons"`
	}{r.ID, row.Rank, score, row.Loss.Minor, string(row.Loss.Currency), reasons})
	return guardrails.Recommendation{
		Site: r.Site, Action: &guardrails.CountPosition{Location: row.Position.Location, SKU: row.Position.SKU},
		Parties:  []guardrails.Party{{Part: guardrails.Proposer, Ref: modelRef(model.ID)}},
		Facts:    guardrails.Facts{ValueMinor: max(0, row.Loss.Minor), Currency: row.Loss.Currency, Class: row.Class, ScorePPM: score},
		Evidence: guardrails.Evidence{Body: evidence, Model: int64(model.ID), Artifact: model.artifact, ScoredAt: r.AsOf},
	}, err
}

// modelRef names a model as a party.
func modelRef(id ModelID) string {
	if id == 0 {
		return "model:none"
	}
	return "model:" + strconv.FormatInt(int64(id), 10)
}

// auditRanking writes down what a ranking proposed: a hash over the steps and
// their bindings in order of their ids.
func auditRanking(ctx context.Context, tx pgx.Tx, r *Ranking, proposals []proposal) error {
	sorted := slices.SortedFunc(slices.Values(proposals), func(a, b proposal) int {
		return strings.Compare(string(a.step.ID), string(b.step.ID))
	})
	sum := sha256.New()
	for i := range sorted {
		fmt.Fprintf(sum, "%s %s\n", sorted[i].step.ID, sorted[i].step.Binding)
	}
	return appendEntry(ctx, tx, audit.Entry{
		Stream: "ranking/" + string(r.Site), At: r.CreatedAt, Event: "ranked", Actor: modelRef(r.Model),
		Facts: []audit.Fact{
			{Name: "ranking", Value: strconv.FormatInt(int64(r.ID), 10)},
			{Name: "steps", Value: strconv.Itoa(len(proposals))},
			{Name: "bindings", Value: hex.EncodeToString(sum.Sum(nil))},
		},
	})
}
