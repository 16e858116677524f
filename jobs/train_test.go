package jobs_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/jobs"
	"tallyman/store"
	"tallyman/store/storetest"
)

// A challenger is judged on what neither model was fitted to, and changes nothing
// by itself.
func TestTrainProposesAChallenger(t *testing.T) {
	db := storetest.DB(t)
	history(t, db, 150, 110)
	log := slog.New(slog.DiscardHandler)
	ticket := store.Model{Subject: store.TicketSubject, Outcome: "label", SchemaHash: "text", Params: []byte(`{}`), Metrics: []byte(`{}`)}
	if _, err := db.InstallModel(t.Context(), ticket, []byte("words")); err != nil { // is none of its business
		t.Fatal(err)
	}
	if done, err := jobs.Train(t.Context(), db, now.AddDate(0, 0, -40), 1, true, log); err != nil || len(done.Installed) == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	before, err := db.Champions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done, err := jobs.Train(t.Context(), db, now, 1, false, log)
	if err != nil || len(done.Proposed) == 0 || len(done.Installed) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	after, err := db.Champions(t.Context())
	if err != nil || len(after) != len(before) {
		t.Fatal(after, err)
	}
	inForce := map[string]store.Model{}
	for i := range after {
		inForce[after[i].Outcome] = after[i]
		if after[i].ID != before[i].ID || after[i].Authority != "operator" {
			t.Errorf("training put %+v in force", after[i])
		}
	}
	for _, step := range done.Proposed {
		champion := inForce[step.Subject[1]]
		var e struct {
			Champion, Challenger struct {
				Model     store.ModelID
				DataUntil time.Time `json:"data_until"`
				Metrics   map[string]float64
			}
			Slice struct{ From, Until time.Time }
			Gates []struct{ Passed bool }
		}
		if err := json.Unmarshal(step.EvidenceBytes, &e); err != nil {
			t.Fatal(err)
		}
		if e.Slice.From.Before(champion.DataUntil) || e.Challenger.DataUntil.After(e.Slice.From) || !e.Slice.Until.After(e.Slice.From) {
			t.Errorf("a model saw what it is judged on: %+v", e)
		}
		if step.State != guardrails.Pending || e.Champion.Model != champion.ID || len(e.Gates) == 0 || len(e.Challenger.Metrics) != len(e.Champion.Metrics) {
			t.Errorf("%s: %+v", step.State, e)
		}
	}
}
