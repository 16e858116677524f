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
func dataFile(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("TALLYMAN_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("reference data is not here (set TALLYMAN_DATA): %v", err)
	}
	return path
}

func readEvents(t testing.TB, path string) []warehouse.Event {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := warehouse.NewReader(file, warehouse.ReadOptions{Source: "test", Now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	var events []warehouse.Event
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
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
	t.Log(len(examples), varied, negative)
	names := schema.Names()
	for _, i := range []int{5000, 12000} {
		for j, v := range examples[i].Vector {
			t.Log(i, names[j], v)
		}
	}
}
