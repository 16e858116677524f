package models

import (
	"cmp"
	"slices"
)

// A place is where a feature's bin is stored: a column of one byte per row,
// shared with other features when their joint bins fit. The feature's bin is
// code/stride modulo bins.
type place struct {
	column, stride, bins int
}

func (p place) bin(code int) int { return code / p.stride % p.bins }

// table lists bin over all codes.
func (p place) table() *[maxCodes]uint8 {
	var table [maxCodes]uint8
	for code := range table {
		table[code] = uint8(p.bin(code))
	}
	return &table
}

// A layout gives every feature its place.
type layout struct {
	places  []place
	codes   []int // of each column: number of joint bins
	columns int
}

// bundle packs features of few bins into shared columns by the product of
// their bins. Unlike LightGBM's bundling of exclusive features this loses
// nothing: sums over a joint bin are sums over each feature's bins. Features
// of most bins go first, each to the first column with room.
func bundle(features []featureBins) layout {
	order := make([]int, len(features))
	for f := range order {
		order[f] = f
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(features[b].count(), features[a].count())
	})
	l := layout{places: make([]place, len(features))}
	for _, f := range order {
		bins := features[f].count()
		column := slices.IndexFunc(l.codes, func(codes int) bool { return codes*bins <= maxCodes })
		if column < 0 {
			column = len(l.codes)
			l.codes = append(l.codes, 1)
		}
		l.places[f] = place{column: column, stride: l.codes[column], bins: bins}
		l.codes[column] *= bins
	}
	l.columns = len(l.codes)
	return l
}
