package triage

import (
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The oracle: a reader's marking of texts, GS1's check digits, a master data of
// four entries.

func master(kind EntityKind, value string) bool {
	return map[string]EntityKind{"4471882": PurchaseOrder, "A-1007": StockItem, "ASN-5518": ShipNotice, "LPN000731": Plate}[value] == kind
}

func TestEntities(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []Entity
	}{
		{"an order that is known, and two quantities", "PO 4471882 door 6, 18 ctn on the ASN, only 16 plt", []Entity{
			{Kind: PurchaseOrder, Value: "4471882", Verified: true}, {Kind: Quantity, Value: "18", Unit: "cs"}, {Kind: Quantity, Value: "16", Unit: "plt"},
		}},
		{"an order nobody knows is only written", "po#99120 short", []Entity{{Kind: PurchaseOrder, Value: "99120"}}},
		{"a known item without a word before it", "bin has none of a-1007.", []Entity{{Kind: StockItem, Value: "A-1007", Verified: true}}},
		{"an SSCC with its application identifier", "label (00) missing 00 0 0614141 123456789 0 torn", []Entity{{Kind: Container, Value: "006141411234567890", Verified: true}}},
		{"an SSCC with a wrong digit is none", "006141411234567891", nil},
		{"a GTIN of thirteen digits", "ean 4006381333931 is wrong", []Entity{{Kind: TradeItem, Value: "04006381333931", Verified: true}}},
		{"thousands and decimals", "1,150 kg against 2,5 kg", []Entity{{Kind: Quantity, Value: "1150", Unit: "kg"}, {Kind: Quantity, Value: "2.5", Unit: "kg"}}},
		{"lot and plate", "Lot: B-2291 on LPN000731", []Entity{{Kind: Lot, Value: "B-2291"}, {Kind: Plate, Value: "LPN000731", Verified: true}}},
		{"a notice in full width", "ＡＳＮ ASN-5518 late", []Entity{{Kind: ShipNotice, Value: "ASN-5518", Verified: true}}},
		{"words are no codes", "order came late, item unknown", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Entities(c.text, master)
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(Entity{}, "Start", "End"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

func FuzzEntities(f *testing.F) {
	f.Add("PO 4471882, 18 ctn, 00006141411234567890, lot B-22 1,150 kg")
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, e := range Entities(text, master) {
			if e.Start < end || e.End <= e.Start || !utf8.ValidString(e.Value) {
				t.Fatalf("%q: %+v after %d", text, e, end)
			}
			end = e.End
		}
	})
}
