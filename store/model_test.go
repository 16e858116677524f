package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"testing"

	"golang.org/x/sync/errgroup"

	"tallyman/features"
	"tallyman/store"
	"tallyman/store/storetest"
)

func candidate() store.Model {
	return store.Model{
		Subject: features.PositionSubject, Outcome: "variance", SchemaHash: "f00d",
		DataFrom: noon.AddDate(-1, 0, 0), DataUntil: noon,
		Params: json.RawMessage(`{"trees": 200}`), Metrics: json.RawMessage(`{"auc": 0.77}`),
	}
}

func save(t *testing.T, db *store.DB, m store.Model, artifact string) store.ModelID {
	t.Helper()
	id, err := db.SaveModel(t.Context(), m, []byte(artifact))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestRegistry(t *testing.T) {
	db := storetest.DB(t)
	first := save(t, db, candidate(), "one")
	child := candidate()
	child.ParentID = first
	second := save(t, db, child, "two")
	load := candidate()
	load.Subject, load.Outcome = features.LoadSubject, "late"
	third := save(t, db, load, "three")

	if _, err := db.Artifact(t.Context(), 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("artifact of no model: %v", err)
	}
	if err := db.Promote(t.Context(), 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("promotion of no model: %v", err)
	}
	for _, id := range []store.ModelID{first, third, second, second} {
		if err := db.Promote(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	models, err := db.Models(t.Context())
	if err != nil || len(models) != 3 {
		t.Fatal(models, err)
	}
	want := map[store.ModelID]store.ModelState{first: store.Retired, second: store.Champion, third: store.Champion}
	for _, m := range models {
		if m.State != want[m.ID] || m.PromotedAt == nil {
			t.Errorf("model %d is %s since %v, want %s", m.ID, m.State, m.PromotedAt, want[m.ID])
		}
	}
	artifact, err := db.Artifact(t.Context(), second)
	if sum := sha256.Sum256([]byte("two")); err != nil || string(artifact) != "two" || !bytes.Equal(models[1].ArtifactHash, sum[:]) || models[1].ParentID != first {
		t.Errorf("artifact %q, %v; %+v", artifact, err, models[1])
	}
	if err := db.Promote(t.Context(), first); err != nil { // roll back
		t.Fatal(err)
	}
	champions, err := db.Champions(t.Context())
	if err != nil || len(champions) != 2 || champions[0].ID != third || champions[1].ID != first {
		t.Errorf("champions %+v, %v", champions, err)
	}
}

func TestModelIsChecked(t *testing.T) {
	db := storetest.DB(t)
	for name, broken := range map[string]func(*store.Model){
		"outcome of the other subject": func(m *store.Model) { m.Outcome = "late" },
		"window backwards":             func(m *store.Model) { m.DataFrom = m.DataUntil.AddDate(1, 0, 0) },
		"metrics not an object":        func(m *store.Model) { m.Metrics = json.RawMessage(`[]`) },
		"unknown parent":               func(m *store.Model) { m.ParentID = 77 },
	} {
		m := candidate()
		broken(&m)
		if _, err := db.SaveModel(t.Context(), m, []byte("x")); err == nil {
			t.Errorf("%s: saved", name)
		}
	}
}

func TestPromotionsRace(t *testing.T) {
	db := storetest.DB(t)
	ids := make([]store.ModelID, 8)
	for i := range ids {
		ids[i] = save(t, db, candidate(), "m")
	}
	var group errgroup.Group
	for _, id := range ids {
		group.Go(func() error {
			for range 5 {
				if err := db.Promote(t.Context(), id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	champions, err := db.Champions(t.Context())
	if err != nil || len(champions) != 1 {
		t.Errorf("%d champions, %v", len(champions), err)
	}
}
