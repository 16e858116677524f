package features

import (
	"cmp"
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

	// Of a supplier's lines still to come, these add up over all days to what
	// is so now: a day holds what began on it less what ended.
	mOpen    = mExceptions // lines announced with a time that have not come
	mOverdue = mAdjusts    // … and whose time has passed
)

// sums are the measures of some days. They wrap, and differences of sums are
// exact as long as a day's own total fits 32 bits.
type sums [numMeasures]uint32

func (s *sums) add(m measure, n int32) { s[m] += uint32(n) }

func (s *sums) addAll(n *sums) {
	for m := range s {
		s[m] += n[m]
	}
}

func (s *sums) at(m measure) float64 { return float64(int32(s[m])) }

// A tile holds the sums of one day.
type tile struct {
	day int32
	sum sums
}

// A tally is the history of one key in daily tiles, oldest first. Adding is
// commutative, so a late event lands where it belongs.
type tally struct {
	tiles []tile
	past  atomic.Pointer[memo] // what was read of the days before past.today
}

// on returns the sums of a day, for adding to.
func (t *tally) on(day int32) *sums {
	if past := t.past.Load(); past != nil && day < past.today {
		t.past.Store(nil)
	}
	n := len(t.tiles)
	if n > 0 && t.tiles[n-1].day == day {
		return &t.tiles[n-1].sum
	}
	if n == 0 || t.tiles[n-1].day < day {
		t.tiles = append(roomFor(1, t.tiles), tile{day: day})
		return &t.tiles[n].sum
	}
	i, found := slices.BinarySearchFunc(t.tiles, day, func(x tile, day int32) int { return cmp.Compare(x.day, day) })
	if !found {
		t.tiles = slices.Insert(roomFor(1, t.tiles), i, tile{day: day})
	}
	return &t.tiles[i].sum
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

const minDay = math.MinInt32

// A summary is what a tally says as of one day. Sums are made when they are
// asked for, since a vector asks for few of them; the order of addition, from
// the newest day to the oldest and then today, is always the same.
type summary struct {
	today int32
	tiles []tile // of the days before today
	now   sums   // of today so far
	memo  *memo
}

// read says what the tally knows of the days up to and including today.
func (t *tally) read(today int32, s *summary) {
	t.before(today, s)
	if n := len(s.tiles); n < len(t.tiles) && t.tiles[n].day == today {
		s.now = t.tiles[n].sum
	}
}

// before says what the tally knows of the days before today.
func (t *tally) before(today int32, s *summary) {
	n := len(t.tiles)
	for n > 0 && t.tiles[n-1].day >= today {
		n--
	}
	*s = summary{today: today, tiles: t.tiles[:n]}
	if n <= fewTiles {
		return
	}
	s.memo = t.past.Load()
	if s.memo == nil || s.memo.today != today {
		s.memo = &memo{today: today}
		t.past.Store(s.memo)
	}
}

// window sums the last days of a window, [windows].
func (s *summary) window(w int, m measure) float64 {
	n := s.memo.get(numHalfLives+w, m, func() float64 {
		var n int64
		for i := len(s.tiles) - 1; i >= 0 && s.today-s.tiles[i].day < windows[w]; i-- {
			n += int64(int32(s.tiles[i].sum[m]))
		}
		return float64(n)
	})
	return n + s.now.at(m)
}

// ever sums all days.
func (s *summary) ever(m measure) float64 {
	n := s.memo.get(numHalfLives+numWindows, m, func() float64 {
		var n int64
		for i := range s.tiles {
			n += int64(int32(s.tiles[i].sum[m]))
		}
		return float64(n)
	})
	return n + s.now.at(m)
}

// decayed sums all days, each weighed by its age, [halfLives].
func (s *summary) decayed(h int, m measure) float64 {
	sum := s.memo.get(h, m, func() float64 {
		var sum float64
		fade := &decay[h]
		for i := len(s.tiles) - 1; i >= 0; i-- {
			x := &s.tiles[i]
			sum += x.sum.at(m) * fade[min(s.today-x.day, int32(len(fade)-1))]
		}
		return sum
	})
	return sum + s.now.at(m)
}

// lastCount returns the last day with a count and its sums; minDay when there
// is none.
func (s *summary) lastCount() (day int32, counts, errors float64) {
	if s.now.at(mCounts) > 0 {
		return s.today, s.now.at(mCounts), s.now.at(mErrors)
	}
	for i := len(s.tiles) - 1; i >= 0; i-- {
		if x := &s.tiles[i]; x.sum.at(mCounts) > 0 {
			return x.day, x.sum.at(mCounts), x.sum.at(mErrors)
		}
	}
	return minDay, 0, 0
}

// cleanRun returns the number of days with counts since the last day with an
// error.
func (s *summary) cleanRun() (days float64) {
	if s.now.at(mErrors) > 0 {
		return 0
	}
	if s.now.at(mCounts) > 0 {
		days++
	}
	for i := len(s.tiles) - 1; i >= 0 && s.tiles[i].sum.at(mErrors) == 0; i-- {
		if s.tiles[i].sum.at(mCounts) > 0 {
			days++
		}
	}
	return days
}

// fewTiles is a history short enough to be summed up each time it is read.
const fewTiles = 64

// A memo remembers sums of the days before today, so that a day of reading
// adds up a long history once. It may be filled from several goroutines: they
// all write the same.
type memo struct {
	today int32
	sums  [numHalfLives + numWindows + 1][numMeasures]atomic.Uint64 // bits of a float64, plus one; 0 when not asked for yet
}

// get returns a remembered sum, or makes it. A nil memo remembers nothing.
func (m *memo) get(row int, of measure, sum func() float64) float64 {
	if m == nil {
		return sum()
	}
	known := &m.sums[row][of]
	if bits := known.Load(); bits != 0 {
		return math.Float64frombits(bits - 1)
	}
	x := sum()
	known.Store(math.Float64bits(x) + 1)
	return x
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
