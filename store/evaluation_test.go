package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"

	"tallyman/features"
	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

func open(t *testing.T, dsn string) *store.DB { t.Helper(); return storetest.Open(t, dsn) }

func evaluation(lines int) store.Evaluation {
	e := store.Evaluation{
		ID: store.NewEvaluationID(), Site: "DC-1", Subject: features.LoadSubject, Load: "ASN-1",
		AsOf: noon, Watermark: 7, Models: []store.ModelID{3, 4}, SchemaHash: "f00d",
		Outcomes: []string{"discrepancy", "late"}, Missing: []string{"carrier history"},
		Answer: []byte(`{"risk": "high"  }`),
	}
	for i := range lines {
		e.Lines = append(e.Lines, store.EvaluatedLine{
			Line: warehouse.Line(fmt.Sprint(i)), SKU: `A "1"`,
			Vector:        []float32{float32(i), float32(math.NaN()), -0.5},
			Probabilities: []float64{0.25, 1 / float64(i+1)},
		})
	}
	return e
}

func asker(key string, request string) store.Asker {
	return store.Asker{APIKey: "abcdefgh", IdempotencyKey: key, Fingerprint: sha256.Sum256([]byte(request))}
}

func TestEvaluationReadsBack(t *testing.T) {
	db := storetest.DB(t)
	load, position := evaluation(40), evaluation(2)
	position.Subject, position.Load, position.Degraded, position.Models = features.PositionSubject, "", true, []store.ModelID{}
	position.Outcomes, position.Missing = []string{}, []string{}
	for i := range position.Lines {
		position.Lines[i].Line, position.Lines[i].Location, position.Lines[i].Probabilities = "", "A-01", []float64{}
	}
	for _, want := range []store.Evaluation{load, position} {
		answer, err := db.SaveEvaluation(t.Context(), &want, asker("", "r"), nil)
		if err != nil || string(answer) != string(want.Answer) {
			t.Fatalf("%s, %v", answer, err)
		}
		got, err := db.Evaluation(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		ignore := cmpopts.IgnoreFields(store.Evaluation{}, "CreatedAt")
		if diff := cmp.Diff(want, got, ignore, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("(-saved +read):\n%s", diff)
		}
	}
	n := 0
	if err := db.Evaluations(t.Context(), func(*store.Evaluation) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d evaluations, %v", n, err)
	}
	if _, err := db.Evaluation(t.Context(), store.NewEvaluationID()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no evaluation: %v", err)
	}
}

func TestIdempotencyKey(t *testing.T) {
	db := storetest.DB(t)
	first, second := evaluation(1), evaluation(1)
	second.Answer = []byte("another")
	for _, tt := range []struct {
		name string
		e    store.Evaluation
		by   store.Asker
		want string
		err  error
	}{
		{"first", first, asker("k", "r"), string(first.Answer), nil},
		{"same request again", second, asker("k", "r"), string(first.Answer), nil},
		{"another request", second, asker("k", "other"), "", store.ErrIdempotencyMismatch},
		{"another client's key", second, store.Asker{APIKey: "ijklmnop", IdempotencyKey: "k", Fingerprint: sha256.Sum256(nil)}, "another", nil},
	} {
		got, err := db.SaveEvaluation(t.Context(), &tt.e, tt.by, nil)
		if string(got) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v; want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestIdempotencyRace(t *testing.T) {
	db := storetest.DB(t)
	var group errgroup.Group
	var answers [32]string
	for i := range answers {
		group.Go(func() error {
			e := evaluation(3)
			e.Answer = fmt.Append(nil, i)
			var step *guardrails.StepID
			if i%2 == 0 {
				step = new(store.NewStepID())
			}
			answer, err := db.SaveEvaluation(t.Context(), &e, asker("k", "r"), step)
			answers[i] = string(answer)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a != answers[0] || a == "" {
			t.Errorf("answers %q and %q", a, answers[0])
		}
	}
	n := 0
	if err := db.Evaluations(t.Context(), func(*store.Evaluation) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d evaluations saved, %v", n, err)
	}
}

func TestVerifyStep(t *testing.T) {
	dsn := storetest.DSN(t)
	db := open(t, dsn)
	if _, err := db.VerifyStep(t.Context(), "DC-1", "ASN-1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no step yet: %v", err)
	}
	var steps [3]guardrails.StepID
	for i := range steps[:2] {
		e := evaluation(1)
		steps[i] = store.NewStepID()
		if _, err := db.SaveEvaluation(t.Context(), &e, asker("", "r"), &steps[i]); err != nil {
			t.Fatal(err)
		}
	}
	old, err := db.Step(t.Context(), steps[0])
	if err != nil || old.State != guardrails.Superseded || old.Version != 2 {
		t.Errorf("first step %+v, %v", old, err)
	}
	live, err := db.VerifyStep(t.Context(), "DC-1", "ASN-1")
	if err != nil || live.ID != steps[1] || live.State != guardrails.Pending || live.Kind != guardrails.KindVerifyLoad {
		t.Errorf("live step %+v, %v", live, err)
	}
	p := supervisor(t, connect(t, dsn))
	if _, err := db.Decide(t.Context(), live.ID, store.By{Person: p, Session: "s"}, guardrails.Reassign{To: p}); err != nil {
		t.Fatal(err)
	}
	e := evaluation(1)
	if _, err := db.SaveEvaluation(t.Context(), &e, asker("k", "r"), new(store.NewStepID())); !errors.Is(err, store.ErrStepLive) {
		t.Errorf("a step that somebody holds is replaced: %v", err)
	}
	if _, err := db.Evaluation(t.Context(), e.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half of it was saved: %v", err)
	}
}

func TestVerifyStepRace(t *testing.T) {
	db := storetest.DB(t)
	var group errgroup.Group
	var failed atomic.Int64
	for i := range 16 {
		group.Go(func() error {
			e := evaluation(1)
			e.AsOf = e.AsOf.Add(time.Duration(i))
			_, err := db.SaveEvaluation(t.Context(), &e, asker("", "r"), new(store.NewStepID()))
			if err != nil {
				failed.Add(1)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(failed.Load(), err)
	}
	if _, err := db.VerifyStep(t.Context(), "DC-1", "ASN-1"); err != nil {
		t.Errorf("live step: %v", err)
	}
}

func TestEvaluationIsChecked(t *testing.T) {
	db := storetest.DB(t)
	for name, broken := range map[string]func(*store.Evaluation){
		"no line":                    func(e *store.Evaluation) { e.Lines = nil },
		"vectors of unequal length":  func(e *store.Evaluation) { e.Lines[0].Vector = e.Lines[0].Vector[:2] },
		"a probability above one":    func(e *store.Evaluation) { e.Lines[1].Probabilities[0] = 1.01 },
		"a probability not a number": func(e *store.Evaluation) { e.Lines[1].Probabilities[0] = math.NaN() },
		"too few probabilities":      func(e *store.Evaluation) { e.Lines[1].Probabilities = nil },
		"an unknown outcome":         func(e *store.Evaluation) { e.Outcomes = []string{"late", "lost"} },
		"no answer":                  func(e *store.Evaluation) { e.Answer = nil },
		"an id of another form":      func(e *store.Evaluation) { e.ID = "1" },
	} {
		e := evaluation(4)
		broken(&e)
		if _, err := db.SaveEvaluation(t.Context(), &e, asker("", "r"), nil); err == nil {
			t.Errorf("%s: saved", name)
		}
	}
}
