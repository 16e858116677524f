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
// order of the fold, each with the time from which on it was known.
func History(ctx context.Context, db *store.DB, until time.Time) (*features.State, []features.Fact, error) {
	state := features.NewState()
	var facts []features.Fact
	books, err := booksOf(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	err = db.EventsByTime(ctx, time.Time{}, until, nil, func(e *store.Recorded) error {
		e.Cost = e.Cost.In(books[e.Site])
		f := state.Encode(&e.Event)
		f.Known = max(f.At, e.KnownAt.UnixMicro())
		facts = append(facts, f)
		return nil
	})
	return state, facts, err
}

// A Training is what came of fitting models.
type Training struct {
	Installed []scoring.Outcome // the first of their outcome, put in force by whoever asked for it
	Waiting   []scoring.Outcome // have no model in force, and nobody asked for a first one
	Proposed  []store.Step      // for people to approve
	Behind    []scoring.Outcome // a challenger did worse than the model in force
	Skipped   []scoring.Outcome // too little history, or too little since the last model
}

// Train fits models for every outcome that the history is long enough for. One
// for an outcome with a model in force is compared with that and, where it passes
// every gate, proposed as a step: nothing comes into force here. Only where no
// model was in force yet, and first says that the operator wants it, is one put in
// force at once.
func Train(ctx context.Context, db *store.DB, now time.Time, seed uint64, first bool, log *slog.Logger) (Training, error) {
	state, facts, err := History(ctx, db, now)
	if err != nil {
		return Training{}, err
	}
	incumbents, parents, err := inForce(ctx, db)
	if err != nil {
		return Training{}, err
	}
	t := trainer{db: db, state: state, facts: facts, incumbents: incumbents, parents: parents, seed: seed, now: now, log: log}
	for _, target := range targets {
		_, there := incumbents[target.Outcome]
		switch {
		case there:
			err = t.challenge(ctx, target)
		case first:
			err = t.install(ctx, target)
		default:
			t.done.Waiting = append(t.done.Waiting, target.Outcome)
		}
		if errors.Is(err, training.ErrTooLittle) {
			log.Warn("no new model", slog.String("outcome", string(target.Outcome)), slog.Any("reason", err))
			t.done.Skipped = append(t.done.Skipped, target.Outcome)
			err = nil
		}
		if err != nil {
			return t.done, fmt.Errorf("train %s: %w", target.Outcome, err)
		}
	}
	return t.done, nil
}

// inForce reads the models in force.
func inForce(ctx context.Context, db *store.DB) (map[scoring.Outcome]training.Incumbent, map[scoring.Outcome]store.Model, error) {
	champions, err := db.Champions(ctx)
	if err != nil {
		return nil, nil, err
	}
	incumbents, parents := map[scoring.Outcome]training.Incumbent{}, map[scoring.Outcome]store.Model{}
	for _, m := range champions {
		if m.Subject == store.TicketSubject { // see Refit
			continue
		}
		scorer, err := readScorer(ctx, db, m)
		if err != nil {
			return nil, nil, err
		}
		outcome := scoring.Outcome(m.Outcome)
		incumbents[outcome], parents[outcome] = training.Incumbent{Scorer: scorer, Until: m.DataUntil}, m
	}
	return incumbents, parents, nil
}

// trainer is one run of [Train].
type trainer struct {
	db         *store.DB
	state      *features.State
	facts      []features.Fact
	incumbents map[scoring.Outcome]training.Incumbent
	parents    map[scoring.Outcome]store.Model
	seed       uint64
	now        time.Time
	log        *slog.Logger
	done       Training
}

func (t *trainer) install(ctx context.Context, target training.Target) error {
	trained, err := training.Train(ctx, t.state, t.facts, target, t.seed, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	for i := range trained {
		m, artifact, err := entryOf(&trained[i], trained[i].Sample)
		if err != nil {
			return err
		}
		id, err := t.db.InstallModel(ctx, m, artifact)
		if errors.Is(err, store.ErrModelInForce) {
			continue // of the two models of a variance, only one was missing
		}
		if err != nil {
			return err
		}
		t.done.Installed = append(t.done.Installed, trained[i].Scorer.Outcome)
		t.log.Info("first model in force", slog.Int64("model", int64(id)), slog.String("outcome", m.Outcome),
			slog.Int("examples", trained[i].Sample.Examples), slog.Int("positives", trained[i].Sample.Positives))
	}
	return nil
}

func (t *trainer) challenge(ctx context.Context, target training.Target) error {
	challenges, err := training.Compare(ctx, t.state, t.facts, target, t.incumbents, t.seed, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	for i := range challenges {
		c := &challenges[i]
		outcome := c.Challenger.Scorer.Outcome
		if !c.Passed() {
			t.log.Info("the model in force stays", slog.String("outcome", string(outcome)), slog.Any("gates", c.Gates))
			t.done.Behind = append(t.done.Behind, outcome)
			continue
		}
		if err := t.propose(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (t *trainer) propose(ctx context.Context, c *training.Challenge) error {
	outcome := c.Challenger.Scorer.Outcome
	m, artifact, err := entryOf(&c.Challenger, c.New)
	if err != nil {
		return err
	}
	parent := t.parents[outcome]
	m.ParentID = parent.ID
	evidence, err := json.Marshal(promotionEvidence(c, &parent))
	if err != nil {
		return err
	}
	step, err := t.db.ProposeModel(ctx, m, artifact, evidence, t.now)
	if errors.Is(err, store.ErrStepLive) {
		t.log.Warn("another model is about to come into force", slog.String("outcome", m.Outcome))
		return nil
	}
	if err != nil {
		return err
	}
	t.done.Proposed = append(t.done.Proposed, step)
	t.log.Info("model proposed", slog.String("outcome", m.Outcome), slog.String("step", string(step.ID)))
	return nil
}

// entryOf is how the registry holds a model, without its parent.
func entryOf(t *training.Trained, metrics any) (store.Model, []byte, error) {
	artifact, err := t.Scorer.Artifact()
	if err != nil {
		return store.Model{}, nil, err
	}
	m := store.Model{
		Subject: t.Scorer.Schema.Subject, Outcome: string(t.Scorer.Outcome), SchemaHash: t.Scorer.Schema.Hash(),
		DataFrom: t.From, DataUntil: t.Until,
	}
	if m.Params, err = json.Marshal(map[string]any{"settings": t.Settings}); err != nil {
		return m, nil, err
	}
	m.Metrics, err = json.Marshal(metrics)
	return m, artifact, err
}

// evidence is what an approver of a promotion sees.
type evidence struct {
	Champion   contender       `json:"champion"`
	Challenger contender       `json:"challenger"`
	Slice      slice           `json:"slice"`
	Gates      []training.Gate `json:"gates"`
}

// contender is one of the two models. Both are judged on the slice, which neither
// was fitted to.
type contender struct {
	Model     store.ModelID     `json:"model,omitempty"` // the challenger's is in the payload
	DataFrom  time.Time         `json:"data_from"`
	DataUntil time.Time         `json:"data_until"`
	Metrics   training.Standing `json:"metrics"`
}

type slice struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	training.Sample
}

func promotionEvidence(c *training.Challenge, champion *store.Model) evidence {
	return evidence{
		Champion:   contender{champion.ID, champion.DataFrom, champion.DataUntil, c.Champion},
		Challenger: contender{0, c.Challenger.From, c.Challenger.Until, c.New},
		Slice:      slice{c.From, c.Until, c.Slice},
		Gates:      c.Gates,
	}
}
