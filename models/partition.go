package models

// goesRight tabulates a split over the codes of its column: 1 for right.
func (s split) goesRight(bins *binned) *[maxCodes]uint8 {
	feature, place := bins.features[s.feature], bins.places[s.feature]
	var byBin [maxCodes]uint8
	for bin := range feature.values {
		if s.categories == nil && bin > s.bin {
			byBin[bin] = 1
		}
	}
	for _, bin := range s.categories {
		byBin[bin] = 1
	}
	if feature.missing && !s.missingLeft {
		byBin[feature.values] = 1
	}
	var table [maxCodes]uint8
	for code := range bins.codes[place.column] {
		table[code] = byBin[place.bin(code)]
	}
	return &table
}

// A partitioner keeps the rows of every node together, in rising order.
type partitioner struct {
	rows    []int32
	scratch []int32
}

func newPartitioner(rows int) *partitioner {
	return &partitioner{rows: make([]int32, rows), scratch: make([]int32, rows)}
}

// all returns every row.
func (p *partitioner) all() span {
	for r := range p.rows {
		p.rows[r] = int32(r)
	}
	return span{0, len(p.rows)}
}

// A span is a part of the partitioner's rows.
type span struct{ first, end int }

func (s span) len() int { return s.end - s.first }

func (p *partitioner) of(s span) []int32 { return p.rows[s.first:s.end] }

// part moves the rows that a split sends right behind those that it sends left.
func (p *partitioner) part(s span, c column, goesRight *[maxCodes]uint8) (left, right span) {
	rows, scratch := p.rows[s.first:s.end], p.scratch[s.first:s.end]
	lefts, rights := 0, 0
	for _, r := range rows {
		right := int(goesRight[c.code(r)])
		rows[lefts], scratch[rights] = r, r
		lefts += 1 - right
		rights += right
	}
	copy(rows[lefts:], scratch[:rights])
	return span{s.first, s.first + lefts}, span{s.first + lefts, s.end}
}
