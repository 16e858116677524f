package models

// wordColumns is how many columns of one byte a word of eight holds.
const wordColumns = 8

// A binned matrix is a table of bins, row-major: the code of column c in row
// r is byte c%8 of data[r*words+c/8].
type binned struct {
	layout

	features []featureBins
	rows     int
	words    int
	data     []uint64
}

// sampledRows bounds the rows whose values decide the bins: enough for
// quantiles to be right to a fraction of a bin.
const sampledRows = 1 << 18

// newBinned finds the bins of every column and stores every row in them.
func newBinned(d Dataset, bins, threads int) *binned {
	missing := missingColumns(d.X)
	features := make([]featureBins, d.X.Cols)
	scratch := make([]columnSample, threads)
	parallel(threads, d.X.Cols, func(worker, c int) {
		sorted := scratch[worker].sorted(d, c)
		if d.kind(c) == Categorical {
			features[c] = categoricalBins(sorted, bins, missing[c])
		} else {
			features[c] = numericBins(sorted, bins, missing[c])
		}
	})
	l := bundle(features)
	b := &binned{layout: l, features: features, rows: d.X.Rows, words: (l.columns + wordColumns - 1) / wordColumns}
	b.data = make([]uint64, b.rows*b.words)
	b.fill(d.X, threads)
	return b
}

func missingColumns(x Matrix) []bool {
	missing := make([]bool, x.Cols)
	for r := range x.Rows {
		for c, v := range x.Row(r) {
			if v != v { //nolint:staticcheck // true for NaN only
				missing[c] = true
			}
		}
	}
	return missing
}

// A columnSample is the memory to sort one column in.
type columnSample struct{ values, scratch []weightedValue }

// sorted returns the values of a column with their weights, in order and
// without missing ones; of a long column only those of evenly spaced rows.
func (s *columnSample) sorted(d Dataset, column int) []weightedValue {
	n := min(d.X.Rows, sampledRows)
	if s.values == nil {
		s.values, s.scratch = make([]weightedValue, n), make([]weightedValue, n)
	}
	used := 0
	for i := range n {
		r := i
		if n < d.X.Rows {
			r = int(int64(i) * int64(d.X.Rows) / int64(n))
		}
		v := d.X.Data[r*d.X.Cols+column]
		if v != v { //nolint:staticcheck // true for NaN only
			continue
		}
		s.values[used] = newWeightedValue(v, float32(weightOf(d.Weight, r)))
		used++
	}
	return radixSort(s.values[:used], s.scratch[:used])
}

// fill stores the bin of every value. A block of rows is read column by
// column while it is in the cache.
func (b *binned) fill(x Matrix, threads int) {
	const block = 256
	searches := make([]*binSearch, len(b.features))
	for f, feature := range b.features {
		searches[f] = newBinSearch(feature)
	}
	parallel(threads, (b.rows+block-1)/block, func(_, i int) {
		first, last := i*block, min((i+1)*block, b.rows)
		for f, search := range searches {
			word, unit := b.places[f].column/wordColumns, uint64(b.places[f].stride)<<(8*(b.places[f].column%wordColumns))
			numeric := b.features[f].kind == Numeric
			for r := first; r < last; r++ {
				v := x.Data[r*x.Cols+f]
				var bin int
				if numeric {
					bin = search.numeric(v)
				} else {
					bin = b.features[f].categorical(v)
				}
				b.data[r*b.words+word] += uint64(bin) * unit
			}
		}
	})
}

// column is a view of one column of a binned matrix.
type column struct {
	data  []uint64 // from the column's word in row 0
	words int
	shift uint
}

func (b *binned) column(c int) column {
	return column{data: b.data[c/wordColumns:], words: b.words, shift: uint(c % wordColumns * 8)}
}

func (c column) code(row int) uint8 { return uint8(c.data[row*c.words] >> c.shift) }
