package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tallyman/store/storetest"
	"tallyman/warehouse"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// count returns a plain event: one count at a site, some hours before noon.
func count(id string, site warehouse.Site, hours int) warehouse.Event {
	return warehouse.Event{
		Source: "wms", ID: id, Type: warehouse.Count, Site: site, SKU: "SKU-1", Location: "A-01",
		OccurredAt: noon.Add(-time.Duration(hours) * time.Hour), Qty: warehouse.Some(5 * warehouse.Unit),
	}
}

// counts returns n of them with different ids, over several months and sites.
func counts(prefix string, n int) []warehouse.Event {
	events := make([]warehouse.Event, n)
	for i := range events {
		events[i] = count(fmt.Sprintf("%s-%d", prefix, i), warehouse.Site(fmt.Sprintf("DC-%d", i%3)), i%5000)
	}
	return events
}

var texts = []string{"", "", "A-1", "Côte d'Ivoire", `he said "no"`, `back\slash`, "tab\there", "'; drop table event; --", "仓库", "{a,b}", "NULL"}

// randomEvent returns an event with any field given or not.
func randomEvent(r *rand.Rand, id string) warehouse.Event {
	text := func() string { return texts[r.IntN(len(texts))] }
	must := func() string { return texts[2+r.IntN(len(texts)-2)] }
	qty := func() warehouse.MaybeQty {
		if r.IntN(2) == 0 {
			return warehouse.MaybeQty{}
		}
		return warehouse.Some(warehouse.Qty(r.Int64N(int64(warehouse.MaxQty)) >> r.IntN(50)))
	}
	at := func() time.Time {
		offset := (r.IntN(2*14*4) - 14*4) * 15
		t := noon.Add(-time.Duration(r.Int64N(int64(3 * 365 * 24 * time.Hour)))).Truncate(time.Microsecond)
		if r.IntN(3) > 0 {
			return t
		}
		return t.In(time.FixedZone("", offset*60))
	}
	e := warehouse.Event{
		Source: warehouse.Source(must()), ID: id, Type: warehouse.Types[r.IntN(len(warehouse.Types))],
		OccurredAt: at(), Site: warehouse.Site(must()), SKU: warehouse.SKU(must()),
		Qty: qty(), UOM: text(), Book: qty(), Expected: qty(),
		From: warehouse.Location(text()), To: warehouse.Location(text()), Location: warehouse.Location(text()),
		Load: warehouse.Load(text()), Line: warehouse.Line(text()), Order: text(),
		Supplier: warehouse.Supplier(text()), Carrier: warehouse.Carrier(text()), Lot: text(), Serial: text(),
		User: warehouse.User(text()), Device: text(), Reason: text(),
	}
	if r.IntN(3) == 0 {
		e.ExpectedAt = at()
	}
	if r.IntN(3) == 0 {
		e.GTIN = "04006381333931"
	}
	if r.IntN(3) == 0 {
		e.Cost = warehouse.Cost{Micros: r.Int64N(1e15), Currency: []warehouse.Currency{warehouse.NoCurrency, "EUR", "JPY"}[r.IntN(3)]}
	}
	if r.IntN(4) == 0 { // quantities are whole packs
		e.Pack = warehouse.Some(warehouse.Unit)
	}
	for i := range r.IntN(4) {
		e.Attrs = append(e.Attrs, warehouse.Attr{Name: fmt.Sprintf("%s%d", must(), i), Value: must()})
	}
	slices.SortFunc(e.Attrs, func(a, b warehouse.Attr) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	switch e.Type {
	case warehouse.ASN:
		e.Expected, e.Load, e.Line = warehouse.Some(1), "L", "1"
	case warehouse.Adjustment:
		e.Qty = warehouse.Some(-7)
	default:
		e.Qty = warehouse.Some(e.Qty.Qty)
	}
	return e
}
