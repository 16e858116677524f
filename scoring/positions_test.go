package scoring

import (
	"fmt"
	"testing"
	"time"

	"tallyman/features"
	"tallyman/warehouse"
)

// BenchmarkPositions reads and scores a site of 200,000 positions with models
// trained on a small world. It reports the time of a million.
func BenchmarkPositions(b *testing.B) {
	const n = 200_000
	events := world(b)
	e := NewEngine(features.NewState())
	var stock []warehouse.Event
	for i := range n {
		for k, typ := range []warehouse.Type{warehouse.Receipt, warehouse.Pick, warehouse.Count, warehouse.Pick, warehouse.Pick} {
			at := warehouse.Location(fmt.Sprintf("%c-%d", 'A'+i%20, i))
			x := warehouse.Event{
				Source: "bench", ID: fmt.Sprint(i, k), Type: typ, Site: "DC", SKU: warehouse.SKU(fmt.Sprint("K", i/3)),
				OccurredAt: end.AddDate(0, 0, -120+k*20).Add(time.Duration(i%86400) * time.Second),
				Qty:        warehouse.Some(warehouse.Qty(10-k) * warehouse.Unit), To: at, From: at, Location: at,
			}
			switch typ {
			case warehouse.Receipt:
				x.From, x.Location = "", ""
			case warehouse.Pick:
				x.To, x.Location = "", ""
			case warehouse.Count:
				x.From, x.To = "", ""
			}
			stock = append(stock, x)
		}
	}
	if err := e.Fold(stock, n, now); err != nil {
		b.Fatal(err)
	}
	e.Adopt(Variance, 1, fit(b, events, Variance))
	e.Adopt(Size, 2, fit(b, events, Size))
	b.ResetTimer()
	for b.Loop() {
		got := 0
		if err := e.Positions("DC", now, func(Candidate) bool { got++; return true }); err != nil || got != n {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*1e6/n, "s/million")
}
