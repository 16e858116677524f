package models

// A split sends a node's rows left or right by one feature.
type split struct {
	gain        float64 // above 0, or there is no split
	feature     int
	bin         int     // numeric: values of bins up to this one go left
	categories  []uint8 // categorical: bins that go right; nil when numeric
	missingLeft bool
	left, right sums
}

// beats orders splits: larger gain first, then lower feature, so that the
// order in which features are tried does not matter.
func (s split) beats(t split) bool {
	return s.gain > t.gain || (s.gain == t.gain && s.gain > 0 && s.feature < t.feature)
}

// A splitter finds the best split of a node from its histogram.
type splitter struct {
	bins     *binned
	ledger   ledger
	penalty  penalty
	monotone []int8             // nil: all free
	byWord   [][]int            // features whose column is in a word, rising
	used     []bool             // features this tree may use
	binOf    []*[maxCodes]uint8 // of each feature's codes
}

func newSplitter(bins *binned, l ledger, p Params) *splitter {
	s := &splitter{
		bins: bins, ledger: l, monotone: p.Monotone,
		penalty: penalty{l1: p.L1, l2: p.L2, minGain: p.MinGain, minChildWeight: p.MinChildWeight},
		byWord:  make([][]int, bins.words),
		used:    make([]bool, len(bins.features)),
		binOf:   make([]*[maxCodes]uint8, len(bins.features)),
	}
	for f, place := range bins.places {
		s.byWord[place.column/wordColumns] = append(s.byWord[place.column/wordColumns], f)
		s.used[f] = true
		s.binOf[f] = place.table()
	}
	return s
}

// A search is the state of looking for the split of one node.
type search struct {
	*splitter

	node    *growNode
	parent  float64 // score of the node as a leaf
	bounded bool    // the node's weights are
	cells   [maxCodes]sums
	column  int // whose codes are in codes
	codes   [maxCodes]sums
	best    split
	current int // feature being tried
}

// in returns the best split of a node on the features of one word.
func (s *search) in(node *growNode, word int) split {
	s.node, s.column, s.best = node, -1, split{}
	s.parent, s.bounded = s.penalty.score(node.sum), node.bounds != unbounded
	if s.bounded {
		s.parent = s.penalty.scoreAt(node.sum, node.weight)
	}
	for _, f := range s.byWord[word] {
		if !s.used[f] || s.bins.features[f].count() < 2 {
			continue
		}
		s.load(f)
		if s.bins.features[f].kind == Categorical {
			s.categorical()
		} else {
			s.numeric()
		}
	}
	return s.best
}

// load reads the sums of each bin of a feature into cells.
func (s *search) load(f int) {
	s.current = f
	place := s.bins.places[f]
	if place.bins == s.bins.codes[place.column] {
		s.ledger.column(s.node.histogram, place.column, &s.cells)
		return
	}
	if s.column != place.column {
		s.column = place.column
		s.ledger.column(s.node.histogram, place.column, &s.codes)
	}
	clear(s.cells[:place.bins])
	binOf := s.binOf[f]
	for code, cell := range s.codes[:s.bins.codes[place.column]] {
		bin := &s.cells[binOf[code]]
		bin.g += cell.g
		bin.h += cell.h
	}
}

// numeric tries every edge between bins, with missing values on either side.
func (s *search) numeric() {
	feature := s.bins.features[s.current]
	var missing, left sums
	last := feature.values - 1
	if feature.missing {
		missing = s.cells[feature.values]
	}
	if missing.h > 0 {
		last++ // all values left, missing right
	}
	for bin, cell := range s.cells[:last] {
		if cell == (sums{}) {
			continue
		}
		left = left.plus(cell)
		right := s.node.sum.minus(left)
		if right.h < s.penalty.minChildWeight {
			break
		}
		s.try(left, right, bin, nil, missing.h == 0 && left.h >= right.h)
		if missing.h > 0 {
			s.try(left.plus(missing), right.minus(missing), bin, nil, true)
		}
	}
}

// try keeps a split if it is the best so far.
func (s *search) try(left, right sums, bin int, categories []uint8, missingLeft bool) {
	if !s.penalty.allows(left) || !s.penalty.allows(right) {
		return
	}
	gain := s.gain(left, right)
	if gain > s.penalty.minGain && gain > minGain && gain > s.best.gain {
		s.best = split{
			gain: gain, feature: s.current, bin: bin, categories: categories,
			missingLeft: missingLeft, left: left, right: right,
		}
	}
}

// minGain keeps rounding errors from splitting a pure node; XGBoost's kRtEps.
const minGain = 1e-6

// gain is what the split takes off twice the loss, or below 0 if it breaks a
// monotone constraint.
func (s *search) gain(left, right sums) float64 {
	sign := s.sign(s.current)
	if sign == 0 && !s.bounded {
		return s.penalty.score(left) + s.penalty.score(right) - s.parent
	}
	l, r := s.penalty.weight(left, s.node.bounds), s.penalty.weight(right, s.node.bounds)
	if (sign > 0 && l > r) || (sign < 0 && l < r) {
		return -1
	}
	return s.penalty.scoreAt(left, l) + s.penalty.scoreAt(right, r) - s.parent
}

// sign is the monotone constraint of a feature.
func (s *splitter) sign(feature int) int8 {
	if s.monotone == nil {
		return 0
	}
	return s.monotone[feature]
}
