package store_test

// The oracle of intake is the canonical form of the events that went in: what
// is read back has the same bytes, once each, in a gapless order.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

// all reads every event in order of Seq and fails on a gap.
func all(t *testing.T, db *store.DB) []store.Recorded {
	t.Helper()
	until, err := db.Watermark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var events []store.Recorded
	err = db.Events(t.Context(), 0, until, func(e *store.Recorded) error {
		events = append(events, *e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Seq != store.Seq(i+1) {
			t.Fatalf("event %d has seq %d", i, e.Seq)
		}
		if i > 0 && e.RecordedAt.Before(events[i-1].RecordedAt) {
			t.Fatalf("event %d was recorded at %s, before its predecessor at %s", e.Seq, e.RecordedAt, events[i-1].RecordedAt)
		}
	}
	if len(events) != int(until) {
		t.Fatalf("%d events below the watermark %d", len(events), until)
	}
	return events
}

func ingest(t *testing.T, db *store.DB, events ...warehouse.Event) []store.Outcome {
	t.Helper()
	outcomes, err := db.Ingest(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// source returns the events one by one, then io.EOF.
func source(events []warehouse.Event) func() (warehouse.Event, error) {
	i := 0
	return func() (warehouse.Event, error) {
		if i == len(events) {
			return warehouse.Event{}, io.EOF
		}
		i++
		return events[i-1], nil
	}
}

func TestEventsReadBackIdentical(t *testing.T) {
	db := storetest.DB(t)
	r := rand.New(rand.NewPCG(1, 2))
	want := make([]warehouse.Event, 3000)
	for i := range want {
		want[i] = randomEvent(r, fmt.Sprint(i))
	}
	half := len(want) / 2
	for _, o := range ingest(t, db, want[:half]...) {
		if o.Answer != store.Accepted {
			t.Fatal(o)
		}
	}
	if err := db.Import(t.Context(), source(want[half:]), func(store.Imported) {}); err != nil {
		t.Fatal(err)
	}
	got := all(t, db)
	if len(got) != len(want) {
		t.Fatalf("read %d events, want %d", len(got), len(want))
	}
	for i := range got {
		if diff := cmp.Diff(want[i], got[i].Event); diff != "" {
			t.Fatalf("event %d (-want +got):\n%s", i, diff)
		}
		if got, want := string(got[i].AppendJSON(nil)), string(want[i].AppendJSON(nil)); got != want {
			t.Fatalf("event %d:\n got %s\nwant %s", i, got, want)
		}
		live, e := i < half, got[i]
		switch {
		case live && (e.KnownAt.Before(e.RecordedAt) || e.KnownAt.Before(e.OccurredAt)):
			t.Errorf("live event %d known at %s, recorded at %s, occurred at %s", i, e.KnownAt, e.RecordedAt, e.OccurredAt)
		case !live && !e.KnownAt.Equal(e.OccurredAt):
			t.Errorf("imported event %d known at %s, occurred at %s", i, e.KnownAt, e.OccurredAt)
		}
	}
}

func TestAnswers(t *testing.T) {
	db := storetest.DB(t)
	a, b := count("a", "DC-1", 1), count("b", "DC-1", 2)
	other := a
	other.Qty = warehouse.Some(6 * warehouse.Unit)
	moved := a
	moved.OccurredAt = moved.OccurredAt.AddDate(0, -7, 0) // another partition
	zone := a
	zone.OccurredAt = zone.OccurredAt.In(time.FixedZone("", 3600)) // the same instant, not the same record
	elsewhere := other
	elsewhere.Source = "erp"

	for _, step := range []struct {
		name   string
		events []warehouse.Event
		want   []store.Outcome
	}{
		{"nothing", nil, nil},
		{"new", []warehouse.Event{a}, []store.Outcome{{store.Accepted, 1}}},
		{"again", []warehouse.Event{a}, []store.Outcome{{store.Duplicate, 1}}},
		{"with other content", []warehouse.Event{other}, []store.Outcome{{store.Conflict, 1}}},
		{"in another month", []warehouse.Event{moved}, []store.Outcome{{store.Conflict, 1}}},
		{"in another zone", []warehouse.Event{zone}, []store.Outcome{{store.Conflict, 1}}},
		{
			"twice in one batch, beside what is there",
			[]warehouse.Event{b, a, b, other, elsewhere},
			[]store.Outcome{{store.Accepted, 2}, {store.Duplicate, 1}, {store.Duplicate, 2}, {store.Conflict, 1}, {store.Accepted, 3}},
		},
	} {
		got, err := db.Ingest(t.Context(), step.events)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	if got := all(t, db); len(got) != 3 {
		t.Errorf("%d events, want 3", len(got))
	}
	conflicts, err := db.Conflicts(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(conflicts) != 3 {
		t.Fatalf("%d conflicts kept, want 3: the same refusal is kept once", len(conflicts))
	}
	if got, want := string(conflicts[2].Body), string(other.AppendJSON(nil)); got != want || conflicts[2].Holder != 1 {
		t.Errorf("oldest conflict: %s against %d, want %s against 1", got, conflicts[2].Holder, want)
	}
}

func TestImportAnswers(t *testing.T) {
	db := storetest.DB(t)
	events := counts("e", 25_000)
	changed := slices.Clone(events[:100])
	for i := range changed {
		changed[i].SKU = "other"
	}
	input := slices.Concat(events[:15_000], changed, events[10_000:])
	var total store.Imported
	err := db.Import(t.Context(), source(input), func(i store.Imported) {
		total.Accepted += i.Accepted
		total.Duplicates += i.Duplicates
		total.Conflicts = append(total.Conflicts, i.Conflicts...)
	})
	if err != nil {
		t.Fatal(err)
	}
	if total.Accepted != 25_000 || total.Duplicates != 5_000 || len(total.Conflicts) != 100 {
		t.Errorf("%d accepted, %d duplicates, %d conflicts", total.Accepted, total.Duplicates, len(total.Conflicts))
	}
	if c := total.Conflicts[7]; c.ID != "e-7" || c.Holder != 8 || string(c.Body) != string(changed[7].AppendJSON(nil)) {
		t.Errorf("conflict %+v", c)
	}
	checkOnce(t, db, events)
}

// checkOnce fails unless the database holds exactly these events, once each.
func checkOnce(t *testing.T, db *store.DB, want []warehouse.Event) {
	t.Helper()
	seen := make(map[string]bool)
	for _, e := range all(t, db) {
		body := string(e.AppendJSON(nil))
		if seen[body] {
			t.Fatalf("twice: %s", body)
		}
		seen[body] = true
	}
	for i := range want {
		if !seen[string(want[i].AppendJSON(nil))] {
			t.Fatalf("lost: %s", want[i].AppendJSON(nil))
		}
	}
	if len(seen) != len(want) {
		t.Fatalf("%d events, want %d", len(seen), len(want))
	}
}

func TestTwoImportsAtOnce(t *testing.T) {
	db := storetest.DB(t)
	events := counts("e", 25_000)
	var accepted, duplicates atomic.Int64
	group, ctx := errgroup.WithContext(t.Context())
	for range 2 {
		group.Go(func() error {
			return db.Import(ctx, source(events), func(i store.Imported) {
				accepted.Add(int64(i.Accepted))
				duplicates.Add(int64(i.Duplicates))
			})
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if accepted.Load() != 25_000 || duplicates.Load() != 25_000 {
		t.Errorf("%d accepted, %d duplicates", accepted.Load(), duplicates.Load())
	}
	checkOnce(t, db, events)
}

func TestInterruptedImport(t *testing.T) {
	db := storetest.DB(t)
	events := counts("e", 25_000)
	for stop := 5_000; stop < len(events); stop += 9_000 {
		ctx, cancel := context.WithCancel(t.Context())
		n, next := 0, source(events)
		err := db.Import(ctx, func() (warehouse.Event, error) {
			if n++; n == stop {
				cancel()
			}
			return next()
		}, func(store.Imported) {})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped at %d: %v", stop, err)
		}
	}
	if err := db.Import(t.Context(), source(events), func(store.Imported) {}); err != nil {
		t.Fatal(err)
	}
	checkOnce(t, db, events)
}

func TestImportOfBrokenInput(t *testing.T) {
	db := storetest.DB(t)
	events := counts("e", 15_000)
	broken := errors.New("disk on fire")
	n, next := 0, source(events)
	err := db.Import(t.Context(), func() (warehouse.Event, error) {
		if n++; n > 12_222 {
			return warehouse.Event{}, broken
		}
		return next()
	}, func(store.Imported) {})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	checkOnce(t, db, events[:12_222])
}
