package models

// An exactLedger holds gradients and Hessians as floats and sums them in
// float64, for objectives whose gradients have no useful bound. A cell is
// always summed by one thread in the order of rows, so the bits do not depend
// on the number of threads.
type exactLedger struct {
	objective Objective
	bins      *binned
	partition *partition
	rows      []gradientPair
	jobs      []histogramJob
}

type gradientPair struct{ g, h float32 }

func newExactLedger(o Objective, bins *binned, p *partition) *exactLedger {
	return &exactLedger{objective: o, bins: bins, partition: p, rows: make([]gradientPair, bins.rows)}
}

func (l *exactLedger) record(block *rowBlock, _ *tally) {
	rows := l.rows[block.first:]
	for i, margin := range block.margin {
		g, h := l.objective.gradient(margin, block.label[i])
		w := float64(block.weight[i])
		rows[i] = gradientPair{float32(g * w), float32(h * w)}
	}
}

func (l *exactLedger) prepare() {}

func (l *exactLedger) settle([]tally) (repeat bool) { return false }

func (l *exactLedger) newHistogram() histogram {
	return histogram{exact: make([]sums, l.bins.words*wordCells)}
}

func (l *exactLedger) begin(jobs []histogramJob) { l.jobs = jobs }

func (l *exactLedger) visit(_, _ int) {}

// complete does the work, so that it is shared out by words of columns, never
// by rows.
func (l *exactLedger) complete(job, word int) {
	cells := (*[wordCells]sums)(l.jobs[job].into.exact[word*wordCells:])
	clear(cells[:])
	for shard, span := range l.jobs[job].spans {
		first, end := l.bins.bounds(shard)
		codes, pairs := l.bins.shardWords(shard, word), l.rows[first:end]
		for _, r := range l.partition.of(shard, span) {
			pairs[r].addTo(cells, codes[r])
		}
	}
}

func (p gradientPair) addTo(cells *[wordCells]sums, codes uint64) {
	g, h := float64(p.g), float64(p.h)
	for lane := range wordColumns {
		cell := &cells[lane*maxCodes+int(uint8(codes>>(8*lane)))]
		cell.g += g
		cell.h += h
	}
}

// subtract leaves rounding errors where both are nearly equal; a Hessian must
// not come out negative.
func (l *exactLedger) subtract(parent, child histogram, word int) {
	from := parent.exact[word*wordCells : (word+1)*wordCells]
	for i, cell := range child.exact[word*wordCells : (word+1)*wordCells] {
		from[i] = sums{from[i].g - cell.g, max(from[i].h-cell.h, 0)}
	}
}

func (l *exactLedger) column(from histogram, column int, into *[maxCodes]sums) {
	copy(into[:], from.exact[column*maxCodes:(column+1)*maxCodes])
}
