package models

// Rows are worked on shard by shard: a run of rows of which the gradients, eight
// columns of bins and the histograms of a level of those columns fit the
// second-level cache of a core together. Whatever a level of the tree needs of
// a shard is done in one visit, so that main memory is read as a stream; to
// follow a node's rows across the whole table instead waits for memory at
// nearly every row.

const (
	shardBytes   = 1 << 20
	maxShardRows = 1 << 15
	minShardRows = 1 << 8
)

// shardRows is how many rows of some words go into a shard. Several threads
// want a few shards each, and as many as the others.
func shardRows(rows, words, threads int) int {
	most := max(min(shardBytes/(8*words), maxShardRows), minShardRows)
	shards := (rows + most - 1) / most
	if threads > 1 {
		shards = max(shards, 4*threads)
		shards = (shards + threads - 1) / threads * threads
	}
	return max((rows+shards-1)/shards, minShardRows)
}

// A span is a part of a shard's rows.
type span struct{ first, end uint16 }

func (s span) len() int { return int(s.end) - int(s.first) }

// A partition keeps the rows of every node together, in rising order, within
// each shard. A row is its distance from the shard's first row.
type partition struct {
	bins    *binned
	rows    []uint16   // of all shards
	whole   []span     // of each shard
	scratch [][]uint16 // one per thread
}

// newPartition puts all rows in one node.
func newPartition(bins *binned, threads int) *partition {
	p := &partition{
		bins: bins, rows: make([]uint16, bins.rows),
		whole: make([]span, bins.shards()), scratch: make([][]uint16, threads),
	}
	for i := range p.scratch {
		p.scratch[i] = make([]uint16, bins.shardRows)
	}
	for shard := range p.whole {
		first, end := bins.bounds(shard)
		p.whole[shard] = span{0, uint16(end - first)}
		p.reset(shard)
	}
	return p
}

// of returns the rows of a node in a shard.
func (p *partition) of(shard int, s span) []uint16 {
	first, _ := p.bins.bounds(shard)
	return p.rows[first+int(s.first) : first+int(s.end)]
}

// reset puts the rows of a shard in one node again.
func (p *partition) reset(shard int) {
	rows := p.of(shard, p.whole[shard])
	for i := range rows {
		rows[i] = uint16(i)
	}
}

// split moves the rows of a node that go right behind those that go left and
// returns where the right ones begin.
func (p *partition) split(worker, shard int, s span, column []uint8, goesRight *[maxCodes]uint8) uint16 {
	rows := p.of(shard, s)
	scratch := p.scratch[worker][:len(rows)]
	first, _ := p.bins.bounds(shard)
	column = column[first:]
	lefts, rights := 0, 0
	for _, r := range rows {
		right := int(goesRight[column[r]])
		rows[lefts], scratch[rights] = r, r
		lefts += 1 - right
		rights += right
	}
	copy(rows[lefts:], scratch[:rights])
	return s.first + uint16(lefts)
}
