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

// use is what leaves of one SKU.
type use struct {
	thousandths int64 // units per day
	micros      int64 // unit cost
}

func (u use) value() float64 { return float64(u.thousandths) / 1e3 * float64(u.micros) / 1e6 }

// classify returns the class of each candidate's SKU. Usage is added up in
// thousandths of a unit, so that the order of the positions cannot matter.
func classify(candidates []Candidate, usual float64) []Class {
	index := map[warehouse.SKU]int32{}
	of := make([]int32, len(candidates))
	var uses []use
	for n := range candidates {
		c := &candidates[n]
		i, ok := index[c.SKU]
		if !ok {
			i = int32(len(uses))
			index[c.SKU] = i
			uses = append(uses, use{})
		}
		of[n] = i
		u := &uses[i]
		u.thousandths += int64(math.Round(within(c.Usage, 1e9) * 1000))
		if c.Cost.Known() {
			u.micros = max(u.micros, c.Cost.Micros)
		} else {
			u.micros = max(u.micros, int64(usual*1e6))
		}
	}
	floorA, floorB := cuts(uses)
	classes := make([]Class, len(candidates))
	for n, i := range of {
		switch v := uses[i].value(); {
		case v > 0 && v >= floorA:
			classes[n] = A
		case v > 0 && v >= floorB:
			classes[n] = B
		default:
			classes[n] = C
		}
	}
	return classes
}

// cuts returns the least values of classes A and B. SKUs of equal value share
// a class.
func cuts(uses []use) (floorA, floorB float64) {
	values := make([]float64, len(uses))
	for i, u := range uses {
		values[i] = u.value()
	}
	slices.Sort(values)
	slices.Reverse(values)
	total, sum := 0.0, 0.0
	for _, v := range values {
		total += v
	}
	for _, v := range values {
		if sum < shareA*total {
			floorA = v
		}
		if sum < shareAB*total {
			floorB = v
		}
		sum += v
	}
	return floorA, floorB
}
