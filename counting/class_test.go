package counting

import (
	"slices"
	"testing"

	"tallyman/warehouse"
)

func TestClassesCutTheValueThatLeaves(t *testing.T) {
	var list []Candidate
	add := func(sku warehouse.SKU, usage float64, micros int64) {
		list = append(list, Candidate{Position: warehouse.Position{SKU: sku}, Usage: usage, Cost: warehouse.Cost{Micros: micros, Currency: "USD"}})
	}
	add("dear", 4, 10e6) // 40 and 40: two positions of one SKU
	add("dear", 4, 10e6)
	add("usual", 15, 1e6)
	add("cheap", 5, 1e6)
	add("still", 0, 99e6)
	got := classify(list, 1)
	if want := []Class{A, A, B, C, C}; !slices.Equal(got, want) {
		t.Errorf("classes are %v, want %v", got, want)
	}
}

func TestSKUsOfEqualUsageShareAClass(t *testing.T) {
	var list []Candidate
	for _, sku := range []warehouse.SKU{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		list = append(list, Candidate{Position: warehouse.Position{SKU: sku}, Usage: 3})
	}
	for i, got := range classify(list, 1) {
		if got != A {
			t.Errorf("%s is class %s, want A like all its equals", list[i].SKU, got)
		}
	}
}
