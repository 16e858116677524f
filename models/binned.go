package models

// wordColumns is how many columns of one byte a word of eight holds.
const wordColumns = 8

// A binned matrix is a table of bins, stored twice. Histograms want eight
// columns of a row at once, and a shard's rows side by side: see shardWords.
// Splits want one column of many rows: it is byColumn[c][r].
type binned struct {
	layout

	features  []featureBins
	rows      int
	words     int
	shardRows int
	data      []uint64
	byColumn  [][]uint8
}

// sampledRows bounds the rows whose values decide the bins: enough for
// quantiles to be right to a fraction of a bin.
const sampledRows = 1 << 18

// newBinned finds the bins of every column and stores every row in them.
func newBinned(d Dataset, bins int, team *crew) *binned {
	missing := missingColumns(d.X, team)
	features := make([]featureBins, d.X.Cols)
	scratch := make([]columnSample, team.size)
	team.run(d.X.Cols, func(worker, c int) {
		points := scratch[worker].points(d, c)
		if d.kind(c) == Categorical {
			features[c] = categoricalBins(points, bins, missing[c])
		} else {
			features[c] = numericBins(points, bins, missing[c])
		}
	})
	l := bundle(features)
	b := &binned{layout: l, features: features, rows: d.X.Rows, words: (l.columns + wordColumns - 1) / wordColumns}
	b.shardRows = shardRows(b.rows, b.words, team.size)
	b.data = make([]uint64, b.shards()*b.shardRows*b.words)
	b.byColumn = make([][]uint8, b.columns)
	for c := range b.byColumn {
		b.byColumn[c] = make([]uint8, b.rows)
	}
	b.fill(d.X, team)
	return b
}

// missingColumns says which columns have a missing value in some row.
func missingColumns(x Matrix, team *crew) []bool {
	const block = 1 << 13
	seen := make([][]bool, team.size)
	for worker := range seen {
		seen[worker] = make([]bool, x.Cols)
	}
	team.run((x.Rows+block-1)/block, func(worker, i int) {
		for r := i * block; r < min((i+1)*block, x.Rows); r++ {
			for c, v := range x.Row(r) {
				if v != v { // NaN
					seen[worker][c] = true
				}
			}
		}
	})
	missing := seen[0]
	for _, more := range seen[1:] {
		for c := range missing {
			missing[c] = missing[c] || more[c]
		}
	}
	return missing
}

// A columnSample is the memory to sort one column in.
type columnSample struct {
	values, scratch []weightedValue
	merged          []massPoint
}

// points returns the distinct values of a column, rising, with their weights
// and without missing ones; of a long column only those of evenly spaced rows.
func (s *columnSample) points(d Dataset, column int) []massPoint {
	n := min(d.X.Rows, sampledRows)
	if s.values == nil {
		s.values, s.scratch = make([]weightedValue, n), make([]weightedValue, n)
		s.merged = make([]massPoint, 0, n)
	}
	used := 0
	for i := range n {
		r := i
		if n < d.X.Rows {
			r = int(int64(i) * int64(d.X.Rows) / int64(n))
		}
		v := d.X.Data[r*d.X.Cols+column]
		if v != v { // NaN
			continue
		}
		s.values[used] = newWeightedValue(v, float32(weightOf(d.Weight, r)))
		used++
	}
	s.merged = massPoints(s.merged[:0], radixSort(s.values[:used], s.scratch[:used]))
	return s.merged
}

func (b *binned) shards() int { return (b.rows + b.shardRows - 1) / b.shardRows }

// bounds returns the first row of a shard and the one after its last.
func (b *binned) bounds(shard int) (first, end int) {
	return shard * b.shardRows, min((shard+1)*b.shardRows, b.rows)
}

// shardWords returns columns 8*word to 8*word+7 of a shard's rows, a byte
// each, lowest first.
func (b *binned) shardWords(shard, word int) []uint64 {
	first, end := b.bounds(shard)
	at := (shard*b.words + word) * b.shardRows
	return b.data[at : at+end-first]
}

// fill stores the bin of every value. A few rows are read column by column
// while they are in the cache.
func (b *binned) fill(x Matrix, team *crew) {
	searches := make([]*binSearch, len(b.features))
	for f, feature := range b.features {
		searches[f] = newBinSearch(feature)
	}
	team.run(b.shards(), func(_, shard int) {
		const block = 256
		for first, end := b.bounds(shard); first < end; first += block {
			for f := range b.features {
				b.fillBlock(x, searches[f], f, shard, first, min(first+block, end))
			}
		}
	})
}

func (b *binned) fillBlock(x Matrix, search *binSearch, f, shard, first, end int) {
	feature, place := b.features[f], b.places[f]
	column := b.byColumn[place.column]
	start, _ := b.bounds(shard)
	words := b.shardWords(shard, place.column/wordColumns)
	shift := 8 * (place.column % wordColumns)
	for r := first; r < end; r++ {
		v := x.Data[r*x.Cols+f]
		var bin int
		if feature.kind == Numeric {
			bin = search.numeric(v)
		} else {
			bin = feature.categorical(v)
		}
		code := bin * place.stride
		column[r] += uint8(code)
		words[r-start] += uint64(code) << shift
	}
}

// columnOf is the column that a feature shares with others or has alone.
func (b *binned) columnOf(feature int) []uint8 { return b.byColumn[b.places[feature].column] }
