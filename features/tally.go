package features

import (
	"math"
	"slices"
	"sync/atomic"
)

// measure names one sum of a [tally].
type measure uint8

const (
	mCounts     measure = iota // counts made
	mErrors                    // counts that varied
	mOver                      // variances above zero
	mLogSize                   // Σ ln(1+|variance in units|), in thousandths
	mNegative                  // counts of a book below zero
	mMoves                     // stock movements
	mExceptions                // pick exceptions
	mAdjusts                   // manual adjustments
	numMeasures

	// The same slots hold the inbound side of a supplier, lane or carrier.
	mDue    = mCounts   // lines whose lateness is known
	mLate   = mErrors   // lines late
	mClosed = mOver     // lines settled
	mShort  = mLogSize  // lines short
	mExcess = mNegative // lines over
	mEdits  = mMoves    // ASN lines changed after they were first announced
	mDays   = mExceptions
)

// A tile holds the sums of one day. Sums wrap, and differences of sums are
// exact as long as a day's own total fits 32 bits.
type tile struct {
	day int32
	sum [numMeasures]uint32
}

// A tally is the history of one key in daily tiles, oldest first. Adding is
// commutative, so a late event lands where it belongs.
type tally struct {
	tiles []tile
	past  atomic.Pointer[summary] // of the days before past.today; nil when it must be read again
}

func (t *tally) add(day int32, m measure, n int32) {
	if last := len(t.tiles) - 1; last >= 0 && t.tiles[last].day == day {
		t.tiles[last].sum[m] += uint32(n)
		if past := t.past.Load(); past != nil && day < past.today {
			t.past.Store(nil)
		}
		return
	}
	t.past.Store(nil)
	i, found := slices.BinarySearchFunc(t.tiles, day, func(x tile, day int32) int { return int(x.day - day) })
	if !found {
		t.tiles = slices.Insert(t.tiles, i, tile{day: day})
	}
	t.tiles[i].sum[m] += uint32(n)
}

// The windows of a [summary], in days. A window of w days as of day d holds
// the days after d-w: today's part and the w-1 days before it.
var windows = [...]int32{7, 28, 90, 365}

const (
	w7 = iota
	w28
	w90
	w365
	numWindows
)

// Half-lives of the decayed sums of a [summary], in days. A site forgets its
// errors within a month or two, a SKU keeps them for a year.
var halfLives = [...]float64{30, 60, 180, 365}

const (
	h30 = iota
	h60
	h180
	h365
	numHalfLives
)

// decay[h][age] is 2^(-age/half-life) for whole days.
var decay = func() (table [numHalfLives][4096]float64) {
	for h, life := range halfLives {
		for age := range table[h] {
			table[h][age] = math.Exp2(-float64(age) / life)
		}
	}
	return table
}()

// A summary is what a tally says as of one day.
type summary struct {
	today   int32
	window  [numWindows][numMeasures]float64
	decayed [numHalfLives][numMeasures]float64
	ever    [numMeasures]float64
	lastDay int32      // last day with a count; minDay when none
	last    [2]float64 // counts and errors of that day
	runs    float64    // days with counts since the last day with an error
}

const minDay = math.MinInt32

// fewTiles is a history short enough to be read anew each time.
const fewTiles = 16

// read writes what the tally says of the days up to and including today.
func (t *tally) read(today int32, s *summary) {
	t.before(today, s)
	if last := len(t.tiles) - 1; last >= 0 && t.tiles[last].day == today {
		s.tile(&t.tiles[last], 0)
	}
}

// before writes what the tally says of the days before today.
func (t *tally) before(today int32, s *summary) {
	if len(t.tiles) <= fewTiles {
		t.summarise(today, s)
		return
	}
	past := t.past.Load()
	if past == nil || past.today != today {
		past = new(summary)
		t.summarise(today, past)
		t.past.Store(past)
	}
	*s = *past
}

func (t *tally) summarise(today int32, s *summary) {
	*s = summary{today: today, lastDay: minDay}
	for i := len(t.tiles) - 1; i >= 0; i-- {
		if x := &t.tiles[i]; x.day < today {
			s.tile(x, today-x.day)
		}
	}
}

func (s *summary) tile(x *tile, age int32) {
	var fade [numHalfLives]float64
	for h := range fade {
		fade[h] = decay[h][min(age, int32(len(decay[h])-1))]
	}
	first := 0
	for first < numWindows && age >= windows[first] {
		first++
	}
	if counts, errors := float64(int32(x.sum[mCounts])), float64(int32(x.sum[mErrors])); counts > 0 {
		if x.day > s.lastDay {
			s.lastDay, s.last = x.day, [2]float64{counts, errors}
		}
		if age == 0 && errors > 0 {
			s.runs = 0
		} else if age == 0 || s.ever[mErrors] == 0 && errors == 0 {
			s.runs++
		}
	}
	for m, n := range x.sum {
		if n == 0 {
			continue
		}
		v := float64(int32(n))
		for w := first; w < numWindows; w++ {
			s.window[w][m] += v
		}
		for h := range fade {
			s.decayed[h][m] += v * fade[h]
		}
		s.ever[m] += v
	}
}

// shrunk returns a rate pulled towards a prior that weighs as much as n
// observations: the mean of a Beta posterior.
func shrunk(hits, trials, prior, n float64) float64 {
	return (hits + prior*n) / (trials + n)
}

// ratio returns a/b, NaN when b is 0.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
