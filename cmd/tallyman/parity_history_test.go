package main

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"tallyman/features"
	"tallyman/scoring"
	"tallyman/store"
)

// history is every event, in the order of the fold, and every model.
type history struct {
	t       *testing.T
	state   *features.State
	facts   []features.Fact
	seqs    []store.Seq
	times   []time.Time
	scorers map[store.ModelID]*scoring.Scorer
}

func readHistory(t *testing.T, db *store.DB) *history {
	t.Helper()
	h := &history{t: t, state: features.NewState(), scorers: map[store.ModelID]*scoring.Scorer{}}
	err := db.EventsByTime(t.Context(), time.Time{}, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), nil, func(e *store.Recorded) error {
		h.facts = append(h.facts, h.state.Encode(&e.Event))
		h.seqs, h.times = append(h.seqs, e.Seq), append(h.times, e.OccurredAt)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	models, err := db.Models(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range models {
		artifact, err := db.Artifact(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if h.scorers[m.ID], err = scoring.ReadScorer(artifact); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// engine is what a service knows that has heard of everything up to the
// watermark, with these models in force.
func (h *history) engine(watermark store.Seq, asOf time.Time, models ...store.ModelID) *scoring.Engine {
	var known []features.Fact
	for i, f := range h.facts {
		if h.seqs[i] <= watermark && h.times[i].Before(asOf) {
			known = append(known, f)
		}
	}
	state := h.state.Empty()
	if _, err := state.Replay(h.t.Context(), known, nil, 1); err != nil {
		h.t.Error(err)
	}
	engine := scoring.NewEngine(state)
	for _, id := range models {
		engine.Adopt(h.scorers[id].Outcome, int64(id), h.scorers[id])
	}
	return engine
}

func (h *history) compare(kept *store.Evaluation, q scoring.Request) {
	again, _ := h.engine(kept.Watermark, kept.AsOf, kept.Models...).Evaluate(q, kept.AsOf)
	if !again.AsOf.Equal(kept.AsOf) || again.Schema != kept.SchemaHash {
		h.t.Errorf("%s: as of %s, schema %s; replayed %s, %s", kept.ID, kept.AsOf, kept.SchemaHash, again.AsOf, again.Schema)
		return
	}
	for i, line := range again.Lines {
		h.same(string(kept.ID), again.Schema, kept.Lines[i].Vector, line.Vector)
		for o, s := range line.Signals {
			if math.Float64bits(s.Probability) != math.Float64bits(kept.Lines[i].Probabilities[o]) {
				h.t.Errorf("%s: %s was %g, replayed %g", kept.ID, s.Outcome, kept.Lines[i].Probabilities[o], s.Probability)
			}
		}
	}
}

func (h *history) compareQueue(db *store.DB, r store.Ranking) {
	rows, err := db.Queue(h.t.Context(), r.ID, store.QueueFilter{}, 0, 1000)
	if err != nil || len(rows) == 0 {
		h.t.Errorf("ranking %d: %d rows, %v", r.ID, len(rows), err)
		return
	}
	q := scoring.Request{Kind: scoring.StockPosition, Site: r.Site}
	for i := range rows {
		q.Lines = append(q.Lines, scoring.LineRequest{SKU: rows[i].Position.SKU, Location: rows[i].Position.Location})
	}
	var models []store.ModelID
	if r.Model != 0 {
		models = append(models, r.Model)
	}
	again, _ := h.engine(r.Watermark, r.AsOf, models...).Evaluate(q, r.AsOf)
	for i, line := range again.Lines {
		h.same(fmt.Sprintf("ranking %d, rank %d", r.ID, rows[i].Rank), again.Schema, rows[i].Vector, line.Vector)
	}
}

// same compares vectors by their bits, so that what is missing is the same too.
func (h *history) same(of, schema string, kept, again []float32) {
	if slices.EqualFunc(kept, again, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
		return
	}
	h.t.Errorf("%s (schema %s): the vector was\n%v\nreplayed it is\n%v", of, schema, kept, again)
}
