package features

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tallyman/warehouse"
)

// dataFile returns a file of the reference data, or skips the test where the
// data is not beside the checkout.
func dataFile(tb testing.TB, name string) string {
	tb.Helper()
	dir := os.Getenv("TALLYMAN_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("reference data is not here (set TALLYMAN_DATA): %v", err)
	}
	return path
}

func readEvents(tb testing.TB, path string) []warehouse.Event {
	tb.Helper()
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	r, err := warehouse.NewReader(file, warehouse.ReadOptions{Source: "test", Now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		tb.Fatal(err)
	}
	var events []warehouse.Event
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			tb.Fatal(err)
		}
		events = append(events, e)
	}
}

func encode(c *Coder, events []warehouse.Event) []Fact {
	facts := make([]Fact, len(events))
	for i := range events {
		facts[i] = c.Encode(&events[i])
	}
	return facts
}

func TestReplayOfRealCounts(t *testing.T) {
	events := readEvents(t, dataFile(t, "counts-clinics/events.csv.gz"))
	s := NewState()
	facts := encode(s.coder, events)
	SortFacts(facts)
	schema := NewSchema(PositionSubject)
	examples, err := s.Replay(context.Background(), facts, &schema, 2)
	if err != nil {
		t.Fatal(err)
	}
	var varied, negative int
	for _, e := range examples {
		if e.Variance != 0 {
			varied++
		}
		if e.Book < 0 {
			negative++
		}
	}
	// The source rows: 18,247 counts, 4.8 % of which vary; see the data's notes.
	if len(examples) != 18247 || varied != 881 || negative != 216 {
		t.Errorf("%d counts, %d varied, %d of a book below zero; want 18247, 881 and 216", len(examples), varied, negative)
	}
}

// Before every count of the reference data, the book that the fold keeps is
// the one that the site reported.
func TestTheFoldKeepsTheBook(t *testing.T) {
	events := readEvents(t, dataFile(t, "counts-clinics/events.csv.gz"))
	type key struct {
		site warehouse.Site
		sku  warehouse.SKU
		at   int64
	}
	reported := map[key]warehouse.Qty{}
	for i := range events {
		if e := &events[i]; e.Type == warehouse.Count {
			reported[key{e.Site, e.SKU, e.OccurredAt.Unix()}] = e.Book.Qty
			e.Book = warehouse.MaybeQty{}
		}
	}
	s := NewState()
	facts := encode(s.coder, events)
	SortFacts(facts)
	schema := NewSchema(PositionSubject)
	examples, err := s.Replay(context.Background(), facts, &schema, 2)
	if err != nil {
		t.Fatal(err)
	}
	counts := 0
	for _, e := range examples {
		if want, ok := reported[key{e.Position.Site, e.Position.SKU, e.At.Unix()}]; ok && want == e.Book {
			counts++
		}
	}
	if counts != len(reported) {
		t.Errorf("%d of %d books agree", counts, len(reported))
	}
}
