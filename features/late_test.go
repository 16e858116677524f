package features

import (
	"testing"
	"time"

	"tallyman/warehouse"
)

// A pick that is posted two days late explains what looked like a variance: at
// the count nobody knew it, in the end nothing varied.
func TestLateRecordsShowInOutcomesNotInWhatWasKnown(t *testing.T) {
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	at := func(n int, e warehouse.Event) warehouse.Event {
		e.OccurredAt, e.Site, e.SKU, e.User = day(n), "S", "K", "u"
		return e
	}
	events := []warehouse.Event{
		at(0, warehouse.Event{Type: warehouse.Receipt, To: "A-1", Qty: warehouse.Some(10 * warehouse.Unit)}),
		at(3, warehouse.Event{Type: warehouse.Pick, From: "A-1", Qty: warehouse.Some(4 * warehouse.Unit)}),
		at(4, warehouse.Event{Type: warehouse.Count, Location: "A-1", Qty: warehouse.Some(6 * warehouse.Unit)}),
		at(9, warehouse.Event{Type: warehouse.Count, Location: "A-1", Qty: warehouse.Some(6 * warehouse.Unit)}),
	}
	s := NewState()
	facts := encode(s.coder, events)
	facts[1].Known, facts[2].Known = day(5).UnixMicro(), day(6).UnixMicro()
	schema := NewSchema(PositionSubject)
	examples, err := s.Replay(t.Context(), facts, &schema, 1)
	if err != nil || len(examples) != 2 {
		t.Fatalf("%d examples, %v", len(examples), err)
	}
	first, second := examples[0], examples[1]
	if got := first.Vector[pBook]; got != 10 {
		t.Errorf("book was %v before the pick was known, want 10", got)
	}
	if first.Book != 6*warehouse.Unit || first.Variance != 0 || !first.Counted.Equal(day(6)) {
		t.Errorf("the count: %s of %s, known %s", first.Variance, first.Book, first.Counted)
	}
	if got := second.Vector[pErrorsEver]; got != 0 || second.Vector[pBook] != 6 {
		t.Errorf("later: %v errors, book %v", got, second.Vector[pBook])
	}
}

// A receipt that was in time but posted late looks overdue meanwhile, to every
// site that the supplier serves; its answer is known when it is posted.
func TestALateReceiptLooksOverdueMeanwhile(t *testing.T) {
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	inbound := func(n int, site warehouse.Site, kind warehouse.Type, load warehouse.Load, due int) warehouse.Event {
		return warehouse.Event{
			Type: kind, OccurredAt: day(n), Site: site, SKU: "K", Load: load, Line: "1", Supplier: "p",
			Qty: warehouse.Some(warehouse.Unit), Expected: warehouse.Some(warehouse.Unit), ExpectedAt: day(due),
		}
	}
	events := []warehouse.Event{
		inbound(0, "S", warehouse.ASN, "L1", 4),
		inbound(3, "S", warehouse.Receipt, "L1", 4),
		inbound(6, "T", warehouse.ASN, "L2", 20),
		inbound(9, "T", warehouse.ASN, "L3", 20),
	}
	s := NewState()
	facts := encode(s.coder, events)
	facts[1].Known = day(7).UnixMicro()
	schema := NewSchema(LoadSubject)
	examples, err := s.Replay(t.Context(), facts, &schema, 2)
	if err != nil {
		t.Fatal(err)
	}
	overdue := map[warehouse.Load]float32{}
	for _, e := range examples {
		if e.Stage == AtNotice {
			overdue[e.Inbound.Load] = e.Vector[lOverdueSupplier]
		}
		if l := e.Inbound; l.Load == "L1" && (l.Late || !l.LateKnown.Equal(day(7)) || !l.Settled.Equal(day(7)) || l.Short != 0) {
			t.Errorf("%v: late %t, known %s; short %s, settled %s", e.Stage, l.Late, l.LateKnown, l.Short, l.Settled)
		}
	}
	if !(overdue["L2"] > 0) || overdue["L3"] != 0 {
		t.Errorf("overdue before and after the receipt was known: %v", overdue)
	}
}
