package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

// Readers that follow the watermark see every event that was accepted, in
// order, while many take in events at once and some give up.
func TestTailMissesNothing(t *testing.T) {
	db := storetest.DB(t)
	const writers, rounds = 6, 25
	var writing, reading errgroup.Group
	for w := range writers {
		writing.Go(func() error { return ingestAtRandom(t.Context(), db, w, rounds) })
	}
	tails := make([][]string, 3)
	for i := range tails {
		reading.Go(func() error {
			var err error
			tails[i], err = tail(t.Context(), db, "last")
			return err
		})
	}
	if err := writing.Wait(); err != nil {
		t.Fatal(err)
	}
	ingest(t, db, count("last", "DC-1", 0))
	if err := reading.Wait(); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range all(t, db) {
		want = append(want, e.ID)
	}
	for i := range tails {
		if !slices.Equal(tails[i], want) {
			t.Errorf("tail %d has %d events that are not the %d there are", i, len(tails[i]), len(want))
		}
	}
}

// ingestAtRandom takes in batches some of whose ids are another writer's, and
// gives some up half-way.
func ingestAtRandom(ctx context.Context, db *store.DB, writer, rounds int) error {
	r := rand.New(rand.NewPCG(3, uint64(writer)))
	for i := range rounds {
		events := make([]warehouse.Event, 1+r.IntN(20))
		for j := range events {
			events[j] = count(fmt.Sprintf("%d-%d-%d", r.IntN(writer+1), i, j), "DC-1", r.IntN(5000))
			events[j].Lot = fmt.Sprint(writer)
		}
		attempt, cancel := context.WithCancel(ctx)
		if r.IntN(5) == 0 {
			go cancel()
		}
		_, err := db.Ingest(attempt, events)
		refused := err != nil && attempt.Err() == nil
		cancel()
		if refused {
			return err
		}
	}
	return nil
}

// tail follows the events until one with the given id and returns all ids.
func tail(ctx context.Context, db *store.DB, last string) ([]string, error) {
	var ids []string
	for after := store.Seq(0); ; {
		until, err := db.AwaitEvents(ctx, after)
		if err != nil {
			return ids, err
		}
		err = db.Events(ctx, after, until, func(e *store.Recorded) error {
			if e.Seq != after+1 {
				return fmt.Errorf("event %d after %d", e.Seq, after)
			}
			after = e.Seq
			ids = append(ids, e.ID)
			return nil
		})
		switch {
		case err != nil:
			return ids, err
		case after != until:
			return ids, fmt.Errorf("read to %d, watermark %d", after, until)
		case len(ids) > 0 && ids[len(ids)-1] == last:
			return ids, nil
		}
	}
}

func TestEventsByTime(t *testing.T) {
	db := storetest.DB(t)
	events := counts("e", 2000)
	r := rand.New(rand.NewPCG(4, 4))
	r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	ingest(t, db, events[:1000]...)
	ingest(t, db, events[1000:]...) // back-dated against the first
	from, to := noon.Add(-1500*time.Hour), noon.Add(-100*time.Hour)

	var want []store.Recorded
	for _, e := range all(t, db) {
		if !e.OccurredAt.Before(from) && e.OccurredAt.Before(to) && e.Site != "DC-1" {
			want = append(want, e)
		}
	}
	slices.SortStableFunc(want, func(a, b store.Recorded) int { return a.OccurredAt.Compare(b.OccurredAt) })
	var got []store.Recorded
	err := db.EventsByTime(t.Context(), from, to, []warehouse.Site{"DC-0", "DC-2"}, func(e *store.Recorded) error {
		got = append(got, *e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
		t.Errorf("%d events (-want +got):\n%s", len(got), diff)
	}
}

// A partition is added while a reader is in the middle of the table.
func TestNewMonthWhileReading(t *testing.T) {
	db := storetest.DB(t)
	ingest(t, db, counts("e", 5000)...)
	n := 0
	err := db.Events(t.Context(), 0, 5000, func(*store.Recorded) error {
		if n++; n == 10 {
			ingest(t, db, count("old", "DC-1", 24*365*10))
		}
		return nil
	})
	if err != nil || n != 5000 {
		t.Fatalf("read %d events: %v", n, err)
	}
}

func TestReaderStops(t *testing.T) {
	db := storetest.DB(t)
	ingest(t, db, counts("e", 5000)...)
	enough := errors.New("enough")
	n := 0
	err := db.Events(t.Context(), 0, 5000, func(*store.Recorded) error {
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 3 {
		t.Errorf("after %d events: %v", n, err)
	}
}
