package features

import "cmp"

// An effect is what an entry changed at its position, as far as the keys above
// the position count it.
type effect struct {
	outcome  uint32 // the first of those it brought, 0 when it brought none
	standing        // what changed of it
	first    bool   // of its position
}

// A home is what lies above a position: its SKU at the site, and its zone, by
// their numbers there.
type home struct{ item, zone uint32 }

// A standing is what a position adds to the counts of its site, 0 or 1 each,
// or a change of that.
type standing struct{ negative, received, counted int8 }

func (p *position) standing() (s standing) {
	if p.ledger.book < 0 {
		s.negative = 1
	}
	if p.ledger.receipts > 0 {
		s.received = 1
	}
	if len(p.counts) > 0 {
		s.counted = 1
	}
	return s
}

// An outcome is what a count tells to every key above its position.
type outcome struct {
	day      int32
	user     uint32 // who moved stock there last before it
	size     int32  // ln(1+|variance in units|), in thousandths
	variance int8   // its sign
	negative bool   // the book was below zero
	n        int8   // 1, or -1 where the count no longer stands
	last     bool   // that the same entry brought
}

// tell adds what counts say to the site's outcomes.
func (s *site) tell(counts []count, n int8) {
	for i := range counts {
		c := &counts[i]
		o := outcome{day: dayOf(c.at), user: c.user, negative: c.book < 0, n: n}
		if variance := c.variance(); variance != 0 {
			o.size, o.variance = logSize(variance), int8(cmp.Compare(variance, 0))
		}
		s.outcomes = append(s.outcomes, o)
	}
}

// sums returns what an outcome adds to a tally.
func (o *outcome) sums() (s sums) {
	n := int32(o.n)
	s.add(mCounts, n)
	if o.negative {
		s.add(mNegative, n)
	}
	if o.variance != 0 {
		s.add(mErrors, n)
		s.add(mLogSize, n*o.size)
	}
	if o.variance > 0 {
		s.add(mOver, n)
	}
	return s
}

// enter adds an entry to its position. It touches nothing above the position
// but the list of outcomes.
func (s *site) enter(p *position, e *entry) effect {
	was, x := p.standing(), effect{first: len(p.log) == 0}
	told := len(s.outcomes)
	s.log(p, e)
	if n := len(s.outcomes); n > told {
		x.outcome = uint32(told) + 1
		s.outcomes[n-1].last = true
	}
	now := p.standing()
	x.standing = standing{now.negative - was.negative, now.received - was.received, now.counted - was.counted}
	return x
}

// spread adds what a fact and its effect say to every key above the position.
func (s *site) spread(f *Fact, at home, x *effect) {
	day, it, z := dayOf(f.At), s.items.at(at.item), &s.zones[at.zone]
	switch {
	case f.Kind.moves():
		s.tally.on(day).add(mMoves, 1)
		z.tally.on(day).add(mMoves, 1)
		if f.User != 0 {
			s.userOf(f.User).on(day).add(mMoves, 1)
		}
	case f.Kind == kindPickException:
		s.note(day, it, z, mExceptions)
	case f.Kind == kindAdjustment:
		s.note(day, it, z, mAdjusts)
	}
	if x.first {
		it.positions++
	}
	if x.outcome != 0 {
		s.creditCounts(s.outcomes[x.outcome-1:], it, z)
	}
	s.received += int32(x.received)
	s.counted += int32(x.counted)
	if n := int32(x.negative); n != 0 {
		s.negatives += n
		z.negatives += n
		it.negatives += n
	}
}

// note counts something at a position for every key above it.
func (s *site) note(day int32, it *item, z *zone, m measure) {
	s.tally.on(day).add(m, 1)
	z.tally.on(day).add(m, 1)
	it.tally.on(day).add(m, 1)
}

// creditCounts credits the first outcomes of a list, those that one entry
// brought, to every key that they tell something about.
func (s *site) creditCounts(outcomes []outcome, it *item, z *zone) {
	for i := range outcomes {
		o := &outcomes[i]
		credit := o.sums()
		s.tally.on(o.day).addAll(&credit)
		z.tally.on(o.day).addAll(&credit)
		it.tally.on(o.day).addAll(&credit)
		if o.user != 0 {
			s.userOf(o.user).on(o.day).addAll(&credit)
		}
		s.credit(scopeSKU, it.sku, o.day, &credit)
		s.credit(scopeAll, 0, o.day, &credit)
		if o.last {
			return
		}
	}
}
