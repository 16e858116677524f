package jobs

import (
	"testing"
	"time"

	"tallyman/features"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/warehouse"
)

// A site counts in the first currency that a cost names; one in another is not
// taken for it, whether it was recorded before the start or comes after.
func TestASiteCountsInOneCurrency(t *testing.T) {
	w := newWorld(t)
	at := time.Now().Add(-72 * time.Hour).Truncate(time.Second)
	receipt := func(id string, hours int, micros int64, currency warehouse.Currency) warehouse.Event {
		return warehouse.Event{
			Source: "wms", ID: id, Type: warehouse.Receipt, Site: "DC-1", SKU: "A", To: "L", Qty: warehouse.Some(10_000),
			OccurredAt: at.Add(time.Duration(hours) * time.Hour), Cost: warehouse.Cost{Micros: micros, Currency: currency},
		}
	}
	schema := features.NewSchema(features.PositionSubject)
	cost := schema.Index("unit_cost")
	ask := func(name string, engine *scoring.Engine, given warehouse.Cost, want float64) {
		t.Helper()
		e, _ := engine.Evaluate(scoring.Request{Kind: scoring.StockPosition, Site: "DC-1", Lines: []scoring.LineRequest{{SKU: "A", Location: "L", Cost: given}}}, time.Now())
		known := e.Lines[0].Vector[cost]
		loss := e.Signals[0].ExpectedLoss
		units := e.Lines[0].Units * e.Signals[0].Probability
		if loss.Currency != "EUR" || float64(known) != 2 {
			t.Errorf("%s: a loss in %q, a unit cost of %v", name, loss.Currency, known)
		}
		if got := float64(loss.Minor) / 100; got < units*want-0.01 || got > units*want+0.01 {
			t.Errorf("%s: a loss of %v for %v units", name, got, units)
		}
	}
	w.ingest(receipt("1", 0, 2_000_000, "EUR"), receipt("2", 1, 900_000_000, "JPY"))
	engine, err := Load(t.Context(), w.db, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ask("loaded", engine, warehouse.Cost{}, 2)
	w.ingest(receipt("3", 2, 900_000_000, "JPY"))
	if err := follow(t.Context(), w.db, engine, time.Now); err != nil {
		t.Fatal(err)
	}
	ask("followed", engine, warehouse.Cost{}, 2)
	ask("asked with a cost in the site's currency", engine, warehouse.Cost{Micros: 3_000_000, Currency: "EUR"}, 3)
	ask("asked with a cost in none", engine, warehouse.Cost{Micros: 3_000_000, Currency: warehouse.NoCurrency}, 3)
	ask("asked with a cost in another", engine, warehouse.Cost{Micros: 900_000_000, Currency: "JPY"}, 2)

	if err := Rank(t.Context(), w.db, engine, "DC-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	r, err := w.db.Ranking(t.Context(), "DC-1")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := w.db.Queue(t.Context(), r.ID, store.QueueFilter{}, 0, 1)
	if err != nil || len(rows) != 1 || rows[0].Loss.Currency != "EUR" {
		t.Errorf("the queue says %+v, %v", rows, err)
	}

	w.ingest(warehouse.Event{
		Source: "wms", ID: "4", Type: warehouse.Count, Site: "DC-1", SKU: "A", Location: "L", Qty: warehouse.Some(10_000), OccurredAt: time.Now(), // after the costs came
	})
	state, facts, err := History(t.Context(), w.db, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	examples, err := state.Replay(t.Context(), facts, &schema, 1)
	if err != nil || len(examples) != 1 || examples[0].Cost.Micros != 2_000_000 {
		t.Errorf("training sees %+v, %v", examples, err)
	}
}
