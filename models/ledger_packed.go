package models

import (
	"math"
	"slices"
)

// A packedLedger holds gradient and Hessian of a row as two fixed-point
// numbers in one int64: the gradient, signed, in the upper half and the
// Hessian in the lower. One integer addition sums both, and integer sums do
// not depend on order: any number of threads gives the same bits.
//
// The scales are powers of two, chosen anew for every tree so that the sums
// over all rows just fit their halves.
type packedLedger struct {
	bins           *binned
	threads        int
	rows           []int64 // packed gradient and Hessian of each row
	gScale, hScale float64
	measured       bool
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
func newPackedLedger(bins *binned, totalWeight float64, threads int) *packedLedger {
	l := &packedLedger{bins: bins, threads: threads, rows: make([]int64, bins.rows)}
	l.gScale = powerOfTwoBelow(packedGradientLimit / packedHeadroom / totalWeight)
	l.hScale = powerOfTwoBelow(packedHessianLimit / packedHeadroom / totalWeight)
	return l
}

func powerOfTwoBelow(x float64) float64 { return math.Exp2(math.Floor(math.Log2(x))) }

func (l *packedLedger) record(block *rowBlock, t *tally) {
	gScale, hScale := l.gScale, l.hScale
	var gTotal, hTotal int64
	for i, r := range block.rows {
		i &= gatherRows - 1
		p, w := logistic(float64(block.margin[i])), float64(block.weight[i])
		g := roundToInt((p - float64(block.label[i])) * w * gScale)
		h := roundToInt(p * (1 - p) * w * hScale)
		l.rows[r] = g<<32 + h
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

// settle chooses the scales of the next pass from the sums of this one. The
// first pass only measures.
func (l *packedLedger) settle(tallies []tally) (repeat bool) {
	var total tally
	for _, t := range tallies {
		total.g += t.g
		total.h += t.h
	}
	overflow := total.g > packedGradientLimit || total.h > packedHessianLimit
	repeat = overflow || !l.measured
	if repeat {
		l.rescale(total)
	}
	l.measured = true
	return repeat
}

// rescale adapts the scales to the sums of the last pass.
func (l *packedLedger) rescale(total tally) {
	l.gScale = powerOfTwoBelow(l.gScale * packedGradientLimit / packedHeadroom / float64(max(total.g, 1)))
	l.hScale = powerOfTwoBelow(l.hScale * packedHessianLimit / packedHeadroom / float64(max(total.h, 1)))
}

func (l *packedLedger) newHistogram() histogram {
	return histogram{packed: make([]int64, l.bins.words*wordCells)}
}

// build gives each thread some of the jobs; long jobs are shared out by rows
// and their parts added up.
func (l *packedLedger) build(jobs []histogramJob) {
	shared := l.share(jobs)
	slices.SortStableFunc(shared, func(a, b histogramJob) int { return len(b.rows) - len(a.rows) })
	parallel(l.threads, len(shared), func(_, i int) {
		clear(shared[i].into.packed)
		l.sum(shared[i])
	})
}

func (l *packedLedger) share(jobs []histogramJob) []histogramJob { return slices.Clone(jobs) }

func (l *packedLedger) sum(job histogramJob) {
	if job.rows == nil {
		for r, gh := range l.rows {
			for w, codes := range l.bins.data[r*l.bins.words : (r+1)*l.bins.words] {
				addLanes((*[wordCells]int64)(job.into.packed[w*wordCells:]), codes, gh)
			}
		}
		return
	}
	for _, r := range job.rows {
		for w, codes := range l.bins.data[int(r)*l.bins.words : int(r+1)*l.bins.words] {
			addLanes((*[wordCells]int64)(job.into.packed[w*wordCells:]), codes, l.rows[r])
		}
	}
}

func addLanes(cells *[wordCells]int64, codes uint64, gh int64) {
	for lane := range wordColumns {
		cells[lane*maxCodes+int(uint8(codes>>(8*lane)))] += gh
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
