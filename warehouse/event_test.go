package warehouse

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMoves(t *testing.T) {
	tests := []struct {
		name  string
		event Event
		want  []Move
	}{
		{"a receipt enters at its destination", Event{Type: Receipt, To: "A-1"}, []Move{{"A-1", 5}}},
		{"a site without locations keeps everything at main", Event{Type: Receipt}, []Move{{Main, 5}}},
		{"a putaway moves stock", Event{Type: Putaway, From: "DOCK", To: "A-1"}, []Move{{"DOCK", -5}, {"A-1", 5}}},
		{"a putaway within main changes nothing", Event{Type: Putaway}, nil},
		{"a pick leaves", Event{Type: Pick, From: "A-1"}, []Move{{"A-1", -5}}},
		{"a pick to a staging lane arrives there", Event{Type: Pick, From: "A-1", To: "PACK"}, []Move{{"A-1", -5}, {"PACK", 5}}},
		{"a shipment leaves", Event{Type: Shipment, From: "PACK"}, []Move{{"PACK", -5}}},
		{"a return enters", Event{Type: Return, To: "RET"}, []Move{{"RET", 5}}},
		{"the sender's transfer leaves", Event{Type: Transfer, From: "A-1", To: "B"}, []Move{{"A-1", -5}}},
		{"the receiver's transfer arrives", Event{Type: Transfer, To: "B"}, []Move{{"B", 5}}},
		{"an adjustment is signed", Event{Type: Adjustment, Location: "A-1"}, []Move{{"A-1", 5}}},
		{"posting a count is not a move", Event{Type: Adjustment, Reason: ReasonCount}, nil},
		{"an announcement moves nothing", Event{Type: ASN}, nil},
		{"a count moves nothing", Event{Type: Count}, nil},
		{"a pick exception moves nothing", Event{Type: PickException}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.event.Qty = Some(5)
			moves, n := tt.event.Moves()
			if diff := cmp.Diff(tt.want, append([]Move(nil), moves[:n]...)); diff != "" {
				t.Errorf("moves (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAttr(t *testing.T) {
	e := Event{Attrs: []Attr{{"incoterm", "EXW"}, {"weight_kg", "11"}}}
	if got, ok := e.Attr("weight_kg"); got != "11" || !ok {
		t.Errorf("Attr(weight_kg) = %q, %v", got, ok)
	}
	if got, ok := e.Attr("colour"); got != "" || ok {
		t.Errorf("Attr(colour) = %q, %v, want none", got, ok)
	}
}

var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
