package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/warehouse"
)

func simulated(name string) simulateCmd {
	return simulateCmd{Sites: 2, SKUs: 40, Days: 20, Seed: 5, End: time.Date(2025, 6, 30, 0, 0, 0, 0, time.UTC), Out: name}
}

func readEvents(t *testing.T, name string) (events []warehouse.Event) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := warehouse.NewReader(f, warehouse.ReadOptions{Now: time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		events = append(events, e)
	}
}

func TestSimulateWritesTheSameEventsInEveryFormat(t *testing.T) {
	dir := t.TempDir()
	var first []warehouse.Event
	for _, name := range []string{"a.csv", "b.csv.gz", "c.ndjson", "d.ndjson.gz"} {
		name = filepath.Join(dir, name)
		c := simulated(name)
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		events := readEvents(t, name)
		if len(events) < 500 {
			t.Fatalf("%s: only %d events", name, len(events))
		}
		if first == nil {
			first = events
		} else if diff := cmp.Diff(first, events); diff != "" {
			t.Errorf("%s differs (-first +this):\n%s", name, diff)
		}
	}
}

func TestSimulateWritesTheTruthBeside(t *testing.T) {
	dir := t.TempDir()
	c := simulated(filepath.Join(dir, "events.csv"))
	c.Truth = filepath.Join(dir, "truth.csv")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	truth, err := os.ReadFile(c.Truth)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(truth), "mechanism,site,sku,location,at,qty,unit_cost_eur,closed,found\n") || bytes.Count(truth, []byte("\n")) < 5 {
		t.Errorf("truth:\n%s", truth)
	}
}

func TestSimulateLeavesNothingBehindWhenItCannot(t *testing.T) {
	dir := t.TempDir()
	for name, spoil := range map[string]func(*simulateCmd){
		"unknown kind of file": func(c *simulateCmd) { c.Out = filepath.Join(dir, "events.xlsx") },
		"no sites":             func(c *simulateCmd) { c.Sites = 0 },
	} {
		c := simulated(filepath.Join(dir, "events.csv"))
		spoil(&c)
		if err := c.Run(); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
