package models

import "math"

// A packedLedger holds gradient and Hessian of a row as two fixed-point
// numbers in one int64: the gradient, signed, in the upper half and the
// Hessian in the lower. One integer addition sums both, and integer sums do
// not depend on order: any number of threads gives the same bits.
//
// The scales are powers of two, chosen anew for every tree so that the sums
// over all rows just fit their halves.
type packedLedger struct {
	bins           *binned
	partition      *partition
	rows           []int64 // packed gradient and Hessian of each row
	gScale, hScale float64
	sums           tally // of the last pass, at these scales; zero before the first

	jobs  []histogramJob
	parts [][]histogram // per worker and job; worker 0 sums into the jobs' own
	spare [][]histogram // per worker, to use again
}

// The largest sums that fit, and the room left for the sums of the next tree.
const (
	packedGradientLimit = math.MaxInt32
	packedHessianLimit  = math.MaxUint32
	packedHeadroom      = 1.25
)

// packable reports whether fixed point keeps enough digits of every row: the
// objective bounds gradients, and neither the number of rows nor a few heavy
// ones take the bits of the others.
func packable(o Objective, weights []float32, rows int) bool {
	const maxRows, maxSkew = 1 << 24, 1 << 10
	if o != Logistic || rows > maxRows {
		return false
	}
	if weights == nil {
		return true
	}
	var total, heaviest float64
	for _, w := range weights {
		total += float64(w)
		heaviest = max(heaviest, float64(w))
	}
	return heaviest*float64(rows) <= maxSkew*total
}

// newPackedLedger starts with scales that fit whatever the margins are.
func newPackedLedger(bins *binned, p *partition, totalWeight float64) *packedLedger {
	l := &packedLedger{
		bins: bins, partition: p, rows: make([]int64, bins.rows),
		parts: make([][]histogram, len(p.scratch)), spare: make([][]histogram, len(p.scratch)),
	}
	l.gScale = powerOfTwoBelow(packedGradientLimit / packedHeadroom / totalWeight)
	l.hScale = powerOfTwoBelow(packedHessianLimit / packedHeadroom / totalWeight)
	return l
}

func powerOfTwoBelow(x float64) float64 { return math.Exp2(math.Floor(math.Log2(x))) }

func (l *packedLedger) record(block *rowBlock, t *tally) {
	gScale, hScale := l.gScale, l.hScale
	var gTotal, hTotal int64
	var buffer [blockRows]float64
	probability := buffer[:len(block.margin)]
	logistic(probability, block.margin)
	rows, labels, weights := l.rows[block.first:][:len(probability)], block.label[:len(probability)], block.weight[:len(probability)]
	for i, p := range probability {
		w := float64(weights[i])
		g := roundToInt((p - float64(labels[i])) * w * gScale)
		h := roundToInt(p * (1 - p) * w * hScale)
		rows[i] = g<<32 + h
		gTotal += max(g, -g)
		hTotal += h
	}
	t.g += gTotal
	t.h += hTotal
}

// roundToInt rounds to the nearest integer, for |x| below 2^51: adding 1.5*2^52
// pushes the fraction out of a float64's mantissa.
func roundToInt(x float64) int64 {
	const shift = 3 << 51
	return int64(math.Float64bits(x+shift) - math.Float64bits(shift))
}

// prepare chooses the scales of a pass from the sums of the one before.
func (l *packedLedger) prepare() {
	if l.sums == (tally{}) {
		return
	}
	l.gScale = powerOfTwoBelow(l.gScale * packedGradientLimit / packedHeadroom / float64(max(l.sums.g, 1)))
	l.hScale = powerOfTwoBelow(l.hScale * packedHessianLimit / packedHeadroom / float64(max(l.sums.h, 1)))
}

// settle asks for another pass if the sums do not fit, or were never known.
func (l *packedLedger) settle(tallies []tally) (repeat bool) {
	first := l.sums == (tally{})
	l.sums = tally{}
	for _, t := range tallies {
		l.sums.g += t.g
		l.sums.h += t.h
	}
	return first || l.sums.g > packedGradientLimit || l.sums.h > packedHessianLimit
}

func (l *packedLedger) newHistogram() histogram {
	return histogram{packed: make([]int64, l.bins.words*wordCells)}
}

func (l *packedLedger) begin(jobs []histogramJob) {
	l.jobs = jobs
	for worker := range l.parts {
		l.parts[worker] = nil
	}
}

// visit sums a shard into the worker's own histograms.
func (l *packedLedger) visit(worker, shard int) {
	if l.parts[worker] == nil {
		l.parts[worker] = l.newParts(worker)
	}
	first, end := l.bins.bounds(shard)
	gradients := l.rows[first:end]
	wanted := 0
	for _, job := range l.jobs {
		wanted += job.spans[shard].len()
	}
	fetch := wanted < end-first && wanted > (end-first)/8
	for word := range l.bins.words {
		sum := wordSum{
			codes: l.bins.shardWords(shard, word), gradients: gradients,
			few: l.bins.columns-word*wordColumns <= wordColumns/2,
		}
		if fetch {
			sum.fetch()
		}
		for i, job := range l.jobs {
			cells := (*[wordCells]int64)(l.parts[worker][i].packed[word*wordCells:])
			sum.add(cells, l.partition.of(shard, job.spans[shard]))
		}
	}
}

// newParts returns empty histograms for a worker to sum the jobs into.
func (l *packedLedger) newParts(worker int) []histogram {
	parts := make([]histogram, len(l.jobs))
	for i, job := range l.jobs {
		switch n := len(l.spare[worker]); {
		case worker == 0:
			parts[i] = job.into
		case n > i:
			parts[i] = l.spare[worker][i]
		default:
			parts[i] = l.newHistogram()
			l.spare[worker] = append(l.spare[worker], parts[i])
		}
		clear(parts[i].packed)
	}
	return parts
}

// complete adds up what the workers have summed.
func (l *packedLedger) complete(job, word int) {
	cells := func(h histogram) *[wordCells]int64 { return (*[wordCells]int64)(h.packed[word*wordCells:]) }
	into := cells(l.jobs[job].into)
	if l.parts[0] == nil {
		clear(into[:])
	}
	for _, part := range l.parts[1:] {
		if part == nil {
			continue
		}
		for i, gh := range cells(part[job]) {
			into[i] += gh
		}
	}
}

func (l *packedLedger) subtract(parent, child histogram, word int) {
	from := parent.packed[word*wordCells : (word+1)*wordCells]
	for i, gh := range child.packed[word*wordCells : (word+1)*wordCells] {
		from[i] -= gh
	}
}

func (l *packedLedger) column(from histogram, column int, into *[maxCodes]sums) {
	gUnit, hUnit := 1/l.gScale, 1/l.hScale
	for code, gh := range from.packed[column*maxCodes : (column+1)*maxCodes] {
		into[code] = sums{float64(gh>>32) * gUnit, float64(uint32(gh)) * hUnit}
	}
}
