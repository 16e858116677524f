package jobs

import (
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

func TestACountThatWasAskedForRests(t *testing.T) {
	w := newWorld(t)
	w.ingest(warehouse.Event{Type: warehouse.Count, ID: "first", Source: "wms", Site: "DC-1", SKU: "S", Location: "A-1", OccurredAt: time.Now().Add(-time.Hour), Qty: warehouse.Some(1000)})
	s := w.approve(w.propose(count("S")))
	position := warehouse.Position{Site: "DC-1", Location: "A-1", SKU: "S"}
	rests := func(name string, lastCount time.Time, want bool) {
		t.Helper()
		asked, err := w.db.AskedCounts(t.Context(), "DC-1")
		if err != nil || asked.Rests(position, lastCount) != want {
			t.Errorf("%s: rests %v (%v), want %v", name, !want, err, want)
		}
	}
	counted := time.Now().Add(-time.Hour)
	rests("on its way to the target", counted, true)
	w.run(s, 1)
	w.ends(s, guardrails.Succeeded, 1)
	rests("asked for at the target", counted, true)
	rests("never counted", time.Time{}, true)
	rests("counted since", time.Now().Add(time.Minute), false)
	rank := func() int {
		t.Helper()
		id, err := w.db.ReplaceQueue(t.Context(), store.Ranking{Site: "DC-1", AsOf: time.Now(), Watermark: 1}, []store.QueueRow{{
			Rank: 1, Position: position, LastCount: counted, Minutes: 1, Propensity: 1,
		}})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := w.db.Queue(t.Context(), id, store.QueueFilter{}, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	if n := rank(); n != 0 {
		t.Error("it was proposed again at once")
	}
	w.exec(`set session_replication_role = replica`)
	w.exec(`update step set changed_at = changed_at - interval '8 days', approved_at = approved_at - interval '8 days' where id = $1`, s.ID)
	w.exec(`set session_replication_role = origin`)
	rests("asked for last week, and never counted", counted, false)
	if n := rank(); n != 1 {
		t.Error("it is never proposed again")
	}
	rests("proposed by a ranking", counted, false)
}
