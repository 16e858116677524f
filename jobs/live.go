package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"tallyman/features"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/warehouse"
)

// Load builds the live engine: every recorded event folded in, the champions
// in force. Events that lie ahead of now wait in it.
func Load(ctx context.Context, db *store.DB, now time.Time) (*scoring.Engine, error) {
	watermark, err := db.Watermark(ctx)
	if err != nil {
		return nil, err
	}
	state := features.NewState()
	var facts []features.Fact
	var ahead []warehouse.Event
	err = db.EventsByTime(ctx, time.Time{}, now.AddDate(1, 0, 0), nil, func(e *store.Recorded) error {
		switch {
		case e.Seq > watermark: // the follower brings it
		case e.OccurredAt.Before(now):
			facts = append(facts, state.Encode(&e.Event))
		default:
			ahead = append(ahead, e.Event)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := state.Replay(ctx, facts, nil, runtime.GOMAXPROCS(0)); err != nil {
		return nil, err
	}
	engine := scoring.NewEngine(state)
	if err := engine.Fold(ahead, int64(watermark), now); err != nil {
		return nil, err
	}
	return engine, Adopt(ctx, db, engine)
}

// Adopt puts the champions of the registry in force, where they are not yet.
func Adopt(ctx context.Context, db *store.DB, engine *scoring.Engine) error {
	champions, err := db.Champions(ctx)
	if err != nil {
		return err
	}
	now := map[scoring.Outcome]int64{}
	for _, v := range engine.Versions() {
		now[v.Outcome] = v.Model
	}
	for _, m := range champions {
		if m.Subject == store.TicketSubject { // see AdoptTicketModel
			continue
		}
		if now[scoring.Outcome(m.Outcome)] == int64(m.ID) {
			continue
		}
		scorer, err := readScorer(ctx, db, m)
		if err != nil {
			return err
		}
		engine.Adopt(scoring.Outcome(m.Outcome), int64(m.ID), scorer)
	}
	return nil
}

func readScorer(ctx context.Context, db *store.DB, m store.Model) (*scoring.Scorer, error) {
	artifact, err := db.Artifact(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	scorer, err := scoring.ReadScorer(artifact)
	if err != nil {
		return nil, fmt.Errorf("model %d of %s: %w", m.ID, m.Outcome, err)
	}
	return scorer, nil
}

// modelsEvery is how often it is looked whether people put another model in force.
const modelsEvery = 10 * time.Second

// AdoptModels puts the models in force that people approve, until ctx ends. Trouble
// is logged and tried again.
func AdoptModels(ctx context.Context, db *store.DB, engine *scoring.Engine, log *slog.Logger) {
	each := time.NewTicker(modelsEvery)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-each.C:
		}
		if err := Adopt(ctx, db, engine); err != nil && ctx.Err() == nil {
			log.Error("adopting the models in force", slog.Any("error", err))
		}
	}
}

// Follow folds newly recorded events into the engine as they come, until ctx
// ends. Trouble with the database is logged and tried again.
func Follow(ctx context.Context, db *store.DB, engine *scoring.Engine, clock func() time.Time, log *slog.Logger) {
	engine.Heard(clock()) // as of its loading, a moment ago
	for ctx.Err() == nil {
		err := follow(ctx, db, engine, clock)
		if err == nil || ctx.Err() != nil {
			continue
		}
		log.Error("following events", slog.Any("error", err))
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

const retryAfter = time.Second

func follow(ctx context.Context, db *store.DB, engine *scoring.Engine, clock func() time.Time) error {
	asked := clock()
	until, err := db.AwaitEvents(ctx, store.Seq(engine.Watermark()))
	if err != nil {
		return err
	}
	var events []warehouse.Event
	err = db.Events(ctx, store.Seq(engine.Watermark()), until, func(e *store.Recorded) error {
		events = append(events, e.Event)
		return nil
	})
	if err != nil {
		return err
	}
	if err := engine.Fold(events, int64(until), clock()); err != nil {
		return err
	}
	engine.Heard(asked)
	return nil
}
