package jobs

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"tallyman/features"
	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

func (w *world) install(subject features.Subject, outcome string) store.ModelID {
	w.Helper()
	id, err := w.db.InstallModel(w.Context(), store.Model{
		Subject: subject, Outcome: outcome, SchemaHash: "h", Params: json.RawMessage(`{}`), Metrics: json.RawMessage(`{}`),
	}, []byte("trees of "+outcome))
	if err != nil {
		w.Fatal(err)
	}
	return id
}

func (w *world) ingest(events ...warehouse.Event) {
	w.Helper()
	if _, err := w.db.Ingest(w.Context(), events); err != nil {
		w.Fatal(err)
	}
}

// ranked is a count that a ranking of a model proposes.
func (w *world) ranked() (store.Step, store.ModelID) {
	w.Helper()
	id := w.install(features.PositionSubject, "variance")
	at := time.Now().UTC().Truncate(time.Microsecond)
	position := warehouse.Position{Site: "DC-1", Location: "A-1", SKU: "S"}
	w.ingest(warehouse.Event{
		Source: "wms", ID: "e", Type: warehouse.Count, Site: position.Site, SKU: position.SKU, Location: position.Location,
		Qty: warehouse.Some(warehouse.Unit), OccurredAt: at,
	})
	ranking, err := w.db.ReplaceQueue(w.Context(), store.Ranking{Site: "DC-1", AsOf: at, Watermark: 1, Model: id}, []store.QueueRow{{
		Rank: 1, Position: position, Zone: "A", Class: "X", Probability: 0.5, Size: 1, Loss: warehouse.Money{Minor: 100, Currency: "EUR"},
		Minutes: 1, ValuePerMinute: 1, Propensity: 1, Vector: []float32{1},
	}})
	if err != nil {
		w.Fatal(err)
	}
	rows, err := w.db.Queue(w.Context(), ranking, store.QueueFilter{}, 0, 1)
	if err != nil || len(rows) != 1 {
		w.Fatal(rows, err)
	}
	return w.named(rows[0].Step, id), id
}

// evaluated is a check of a load that a risk call proposes.
func (w *world) evaluated() (store.Step, store.ModelID) {
	w.Helper()
	id, late := w.install(features.LoadSubject, "discrepancy"), w.install(features.LoadSubject, "late")
	step := store.NewStepID()
	_, err := w.db.SaveEvaluation(w.Context(), &store.Evaluation{
		ID: store.NewEvaluationID(), Site: "DC-1", Subject: features.LoadSubject, Load: "ASN-1", AsOf: time.Now(), Models: []store.ModelID{id, late},
		SchemaHash: "h", Outcomes: []string{"discrepancy", "late"}, Answer: []byte(`{}`),
		Lines: []store.EvaluatedLine{{Line: "1", SKU: "S", Vector: []float32{1}, Probabilities: []float64{0.9, 0.1}}},
	}, store.Asker{APIKey: "k"}, &step)
	if err != nil {
		w.Fatal(err)
	}
	return w.named(step, id), id
}

func (w *world) named(step guardrails.StepID, id store.ModelID) store.Step {
	w.Helper()
	s, err := w.db.Step(w.Context(), step)
	if err != nil || s.Model != int64(id) {
		w.Fatalf("step %s names model %d, want %d: %v", step, s.Model, id, err)
	}
	return s
}

func attackRanked(w *world) {
	s, id := w.ranked()
	w.approve(s)
	w.exec(`update model set state = 'retired' where id = $1`, id)
	w.run(s, 2)
	w.ends(s, guardrails.Invalidated, 0)
}

func attackEvaluated(w *world) {
	w.exec(`update target set kinds = array['verify_load']`)
	s, id := w.evaluated()
	w.approve(s)
	w.exec(`update model set state = 'retired' where id = $1`, id)
	w.run(s, 2)
	w.ends(s, guardrails.Invalidated, 0)
}

// A switch for one model holds what that model proposed and nothing else.
func attackModelSwitch(w *world) {
	w.exec(`update target set kinds = array['verify_load', 'count_position']`)
	ranked, id := w.ranked()
	evaluated, _ := w.evaluated()
	on, err := w.db.ThrowSwitch(w.Context(), guardrails.Switch{Model: int64(id), Reason: "it ranks nonsense"})
	if err != nil {
		w.Fatal(err)
	}
	w.approve(ranked)
	w.approve(evaluated)
	w.run(evaluated, 1)
	w.ends(evaluated, guardrails.Succeeded, 1)
	var snoozed *river.JobSnoozeError
	if err := w.work(ranked); !errors.As(err, &snoozed) {
		w.Errorf("sent, or given up: %v", err)
	}
	w.ends(ranked, guardrails.Approved, 0)
	if err := w.db.LiftSwitch(w.Context(), on); err != nil {
		w.Fatal(err)
	}
	w.run(ranked, 1)
	w.ends(ranked, guardrails.Succeeded, 1)
}

// modelled is a step that a champion proposed.
func (w *world) modelled() (store.Step, store.ModelID) {
	w.Helper()
	id, err := w.db.InstallModel(w.Context(), store.Model{
		Subject: "position", Outcome: "variance", SchemaHash: "h", Params: json.RawMessage(`{}`), Metrics: json.RawMessage(`{}`),
	}, []byte("trees"))
	if err != nil {
		w.Fatal(err)
	}
	var hash []byte
	if err := w.owner.QueryRow(w.Context(), `select artifact_hash from model where id = $1`, id).Scan(&hash); err != nil {
		w.Fatal(err)
	}
	r := recommendation(count("S"))
	r.Evidence = guardrails.Evidence{Body: []byte(`{}`), Model: int64(id), Artifact: guardrails.Hash(hash), ScoredAt: time.Now()}
	s, err := w.db.Propose(w.Context(), r, store.Source{})
	if err != nil {
		w.Fatal(err)
	}
	return s, id
}

func attackModel(w *world) {
	s, id := w.modelled()
	w.approve(s)
	w.exec(`update model set state = 'retired' where id = $1`, id)
	w.run(s, 2)
	w.ends(s, guardrails.Invalidated, 0)
}

func attackArtifact(w *world) {
	s, id := w.modelled()
	w.approve(s)
	w.exec(`update model set artifact = 'other trees' where id = $1`, id)
	w.run(s, 2)
	w.ends(s, guardrails.Invalidated, 0)
}
