package models

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// terms is the number of weights of a column.
func (c *regressionColumn) terms() int {
	n := 1
	if c.categories != nil {
		n = len(c.categories)
	}
	if c.missing {
		n++
	}
	return n
}

// expand turns a row into the terms of the linear predictor, 1 first.
func (m *Regression) expand(row []float32, terms []float64) {
	clear(terms)
	terms[0] = 1
	at := 1
	for f := range m.columns {
		c, x := &m.columns[f], row[f]
		switch {
		case x != x: // NaN: missing
			if c.missing {
				terms[at+c.terms()-1] = 1
			}
		case c.categories == nil:
			terms[at] = (float64(x) - c.mean) / c.scale
		default:
			if k, ok := slices.BinarySearch(c.categories, int32(x)); ok {
				terms[at+k] = 1
			}
		}
		at += c.terms()
	}
}

func regressionColumns(d Dataset) []regressionColumn {
	out := make([]regressionColumn, d.X.Cols)
	for f := range out {
		c := &out[f]
		counts := map[int32]int{}
		var n, sum, squares float64
		for r := range d.X.Rows {
			x := float64(d.X.Data[r*d.X.Cols+f])
			if math.IsNaN(x) {
				c.missing = true
				continue
			}
			if d.kind(f) == Categorical {
				counts[int32(x)]++
				continue
			}
			n++
			sum += x
			squares += x * x
		}
		c.scale = 1
		if n > 0 {
			c.mean = sum / n
			if variance := squares/n - c.mean*c.mean; variance > 1e-12*squares/n {
				c.scale = math.Sqrt(variance)
			}
		}
		if d.kind(f) == Categorical {
			c.categories = mostFrequent(counts, regressionCategories)
		}
	}
	return out
}

// mostFrequent returns the at most n categories with the highest counts, in
// ascending order.
func mostFrequent(counts map[int32]int, n int) []int32 {
	all := slices.SortedFunc(maps.Keys(counts), func(a, b int32) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	all = all[:min(n, len(all))]
	slices.Sort(all)
	return append([]int32{}, all...)
}
