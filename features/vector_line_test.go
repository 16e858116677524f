package features

import (
	"fmt"
	"testing"
	"time"

	"tallyman/warehouse"
)

// Of a supplier's four lines one comes in time, one comes late, one is given
// up after half a year, and one is announced without a time.
func TestWhatASupplierIsBehindWith(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC).AddDate(0, 0, n) }
	s, sent := NewState(), 0
	send := func(kind warehouse.Type, at int, line string, due int) {
		sent++
		e := warehouse.Event{
			ID: fmt.Sprint(sent), Type: kind, OccurredAt: day(at), Site: "S" + warehouse.Site(line), SKU: "K", Supplier: "P",
			Load: "L", Line: warehouse.Line(line), Qty: warehouse.Some(1000),
		}
		if due > 0 {
			e.ExpectedAt = day(due)
		}
		s.Add(&e)
	}
	for line, due := range map[string]int{"1": 10, "2": 10, "3": 20, "4": 0} {
		send(warehouse.ASN, 1, line, due)
	}
	send(warehouse.Receipt, 9, "1", 0)
	send(warehouse.Receipt, 15, "2", 0)
	schema := NewSchema(LoadSubject)
	for _, c := range []struct {
		asOf          int
		overdue, open float64
	}{
		{1, 0, 0}, {5, 0, 3}, {10, 0, 2}, {12, 1, 2}, {16, 0, 1}, {22, 1, 1}, {199, 1, 1}, {202, 0, 0},
	} {
		if err := s.Advance(day(c.asOf)); err != nil {
			t.Fatal(err)
		}
		v, _ := s.Line(&LineQuery{Site: "S9", SKU: "K", Supplier: "P"}, &schema)
		want := float32(c.overdue / (c.open + openWeight))
		if got := v[lOverdueSupplier]; got != want {
			t.Errorf("on day %d %g of the supplier's lines is overdue, want %g", c.asOf, got, want)
		}
	}
}
