package counting

import (
	"math"
	"slices"

	"tallyman/warehouse"
)

// Class is the ABC class of a SKU at its site by the value that leaves per
// day: A makes up the first 80 % of it, B the next 15 %, C the rest.
type Class string

// The classes.
const (
	A Class = "A"
	B Class = "B"
	C Class = "C"
)

// Shares of the usage value that A, and A and B together, make up.
const (
	shareA  = 0.80
	shareAB = 0.95
)

// classes sorts SKUs by the value of their usage.
type classes struct {
	value          map[warehouse.SKU]float64
	floorA, floorB float64 // the least values of the classes
}

// classify adds up the usage of each SKU over its positions. Sums are kept in
// thousandths of a unit, so that the order of the positions cannot matter.
func classify(candidates []Candidate, usual float64) *classes {
	type use struct{ thousandths, micros int64 }
	uses := map[warehouse.SKU]use{}
	for i := range candidates {
		c := &candidates[i]
		u := uses[c.SKU]
		u.thousandths += int64(math.Round(within(c.Usage, 1e9) * 1000))
		if c.Cost.Known() {
			u.micros = max(u.micros, c.Cost.Micros)
		} else {
			u.micros = max(u.micros, int64(usual*1e6))
		}
		uses[c.SKU] = u
	}
	k := &classes{value: make(map[warehouse.SKU]float64, len(uses))}
	values := make([]float64, 0, len(uses))
	for sku, u := range uses {
		v := float64(u.thousandths) / 1e3 * float64(u.micros) / 1e6
		k.value[sku] = v
		values = append(values, v)
	}
	k.cut(values)
	return k
}

// cut finds the least values of classes A and B.
func (k *classes) cut(values []float64) {
	slices.Sort(values)
	slices.Reverse(values)
	total, sum := 0.0, 0.0
	for _, v := range values {
		total += v
	}
	for _, v := range values {
		if sum < shareA*total {
			k.floorA = v
		}
		if sum < shareAB*total {
			k.floorB = v
		}
		sum += v
	}
}

// of returns the class of a SKU; one that nothing leaves from is C.
func (k *classes) of(sku warehouse.SKU) Class {
	switch v := k.value[sku]; {
	case v <= 0:
		return C
	case v >= k.floorA:
		return A
	case v >= k.floorB:
		return B
	}
	return C
}
