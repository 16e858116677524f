package main

import (
	"slices"
	"testing"
	"time"

	"tallyman/features"
	"tallyman/jobs"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/warehouse"
)

// learned is what training reads of every count of the history.
type learned struct {
	t      *testing.T
	schema features.Schema
	counts map[countKey][]float32
}

type countKey struct {
	warehouse.Position
	at int64
}

func readLearned(t *testing.T, db *store.DB) *learned {
	t.Helper()
	state, facts, err := jobs.History(t.Context(), db, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	l := &learned{t: t, schema: features.NewSchema(features.PositionSubject), counts: map[countKey][]float32{}}
	examples, err := state.Replay(t.Context(), facts, &l.schema, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		l.counts[countKey{e.Position, e.At.UnixMicro()}] = e.Vector
	}
	return l
}

// ofBook are the features that follow from the book, which a count brings along
// and an answer before it does not have.
var ofBook = []string{"book", "book_negative", "book_zero", "book_low", "book_change", "book_value", "cover", "unchanged"}

// compare holds the vector stored with an answer just before a count against
// the one that training reads of it. It returns how many were compared.
func (l *learned) compare(kept *store.Evaluation, q scoring.Request) int {
	if q.Kind != scoring.StockPosition {
		return 0
	}
	p := warehouse.Position{Site: q.Site, SKU: q.Lines[0].SKU, Location: q.Lines[0].Location}
	read, ok := l.counts[countKey{p, kept.AsOf.UnixMicro()}]
	if !ok {
		return 0 // the count was posted with another time
	}
	for i, name := range l.schema.Names() {
		was, is := kept.Lines[0].Vector[i], read[i]
		if was != is && (was == was || is == is) && !slices.Contains(ofBook, name) {
			l.t.Errorf("%s, %s: %s was %v, training reads %v", kept.ID, kept.AsOf, name, was, is)
		}
	}
	return 1
}
