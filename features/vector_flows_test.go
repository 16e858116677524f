package features

import (
	"fmt"
	"math"
	"testing"
	"time"

	"tallyman/warehouse"
)

// Each story is told in days of January and February 2026 at one position,
// which is then asked about at the end of 28 February.
func TestOddities(t *testing.T) {
	type event struct {
		day  int
		kind warehouse.Type
		qty  warehouse.Qty
	}
	opening, first := event{1, warehouse.Adjustment, 100}, event{31, warehouse.Count, 80}
	issue := event{20, warehouse.Shipment, 20}
	for _, test := range []struct {
		name   string
		events []event
		want   map[int]float64
	}{
		{"a position never counted has no period to compare", []event{opening, issue}, map[int]float64{pRestatedQty: 0, pUnchanged: 0, pOutRepeated: 0}},
		{"the same quantity left again", []event{opening, issue, first, {50, warehouse.Shipment, 20}}, map[int]float64{pOutRepeated: 1, pUnchanged: 0, pOutMissing: 0}},
		{"another quantity left", []event{opening, issue, first, {50, warehouse.Shipment, 21}}, map[int]float64{pOutRepeated: 0}},
		{"nothing left twice is no repetition", []event{opening, {30, warehouse.Count, 100}, {31, warehouse.Count, 100}}, map[int]float64{pOutRepeated: 0, pUnchanged: 1}},
		{"an opening set again is a correction", []event{opening, issue, first, {40, warehouse.Adjustment, -9}}, map[int]float64{pRestatedQty: math.Log1p(9), pUnchanged: 0}},
		{"moves are no correction", []event{opening, issue, first, {40, warehouse.Receipt, 9}}, map[int]float64{pRestatedQty: 0}},
		{"issues fail to come", []event{opening, issue, first}, map[int]float64{pOutMissing: math.Log1p(10), pInMissing: 0, pUnchanged: 1}},
		{"receipts fail to come", []event{opening, {10, warehouse.Receipt, 50}, issue, first}, map[int]float64{pInMissing: math.Log1p(25)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := NewState()
			for i, e := range test.events {
				event := warehouse.Event{
					Source: "test", ID: fmt.Sprint(i), Type: e.kind, Site: "S", SKU: "K", Qty: warehouse.Some(e.qty * warehouse.Unit),
					OccurredAt: time.Date(2026, 1, e.day, 12, 0, 0, 0, time.UTC),
				}
				if e.kind == warehouse.Adjustment {
					event.Reason = warehouse.ReasonOpening
				}
				s.Add(&event)
			}
			if err := s.Advance(time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC)); err != nil {
				t.Fatal(err)
			}
			schema := NewSchema(PositionSubject)
			v, _ := s.Position(warehouse.Position{Site: "S", SKU: "K", Location: warehouse.Main}, &schema)
			for feature, want := range test.want {
				if got := float64(v[feature]); math.Abs(got-want) > 1e-3 {
					t.Errorf("%s is %v, want %v", positionNames[feature], got, want)
				}
			}
		})
	}
}
