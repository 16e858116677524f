// Package jobs does the work that nobody waits for: it keeps the live state up
// to date, ranks sites and fits models. It is thin: load, call a pure
// function, save.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"tallyman/features"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/training"
)

// targets are the questions that a service answers.
var targets = []training.Target{
	{Subject: features.PositionSubject, Outcome: scoring.Variance},
	{Subject: features.LoadSubject, Outcome: scoring.Discrepancy},
	{Subject: features.LoadSubject, Outcome: scoring.Late},
}

// History reads every event before an instant as facts of a new state, in the
// order of the fold.
func History(ctx context.Context, db *store.DB, until time.Time) (*features.State, []features.Fact, error) {
	state := features.NewState()
	var facts []features.Fact
	err := db.EventsByTime(ctx, time.Time{}, until, nil, func(e *store.Recorded) error {
		facts = append(facts, state.Encode(&e.Event))
		return nil
	})
	return state, facts, err
}

// Train fits every model that the history is long enough for and puts it in
// force. It returns the outcomes for which it was not.
func Train(ctx context.Context, db *store.DB, now time.Time, seed uint64, log *slog.Logger) (skipped []scoring.Outcome, err error) {
	state, facts, err := History(ctx, db, now)
	if err != nil {
		return nil, err
	}
	for _, target := range targets {
		trained, err := training.Train(ctx, state, facts, target, seed, runtime.GOMAXPROCS(0))
		if errors.Is(err, training.ErrTooLittle) {
			log.Warn("no model", slog.String("outcome", string(target.Outcome)), slog.Any("reason", err))
			skipped = append(skipped, target.Outcome)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("train %s: %w", target.Outcome, err)
		}
		for _, t := range trained {
			if err := save(ctx, db, &t); err != nil {
				return nil, err
			}
			log.Info("model in force", slog.String("outcome", string(t.Scorer.Outcome)), slog.Int("examples", t.Sample.Examples), slog.Int("positives", t.Sample.Positives))
		}
	}
	return skipped, nil
}

func save(ctx context.Context, db *store.DB, t *training.Trained) error {
	artifact, err := t.Scorer.Artifact()
	if err != nil {
		return err
	}
	params, err := json.Marshal(map[string]any{"settings": t.Settings})
	if err != nil {
		return err
	}
	metrics, err := json.Marshal(t.Sample)
	if err != nil {
		return err
	}
	id, err := db.SaveModel(ctx, store.Model{
		Subject: t.Scorer.Schema.Subject, Outcome: string(t.Scorer.Outcome), SchemaHash: t.Scorer.Schema.Hash(),
		DataFrom: t.From, DataUntil: t.Until, Params: params, Metrics: metrics,
	}, artifact)
	if err != nil {
		return err
	}
	return db.Promote(ctx, id)
}
