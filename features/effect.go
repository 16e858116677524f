package features

// An effect is what an entry changed at its position, as far as the keys above
// the position count it.
type effect struct {
	item, zone uint32
	from, to   uint32 // the outcomes of the site that it brought
	standing          // what changed of it
	first      bool   // of its position
}

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

// An outcome is a count that tells something about every key above it.
type outcome struct {
	count
	n int32 // -1 where the count no longer stands
}

// enter adds an entry to its position. It touches nothing above the position
// but the list of outcomes.
func (s *site) enter(p *position, e *entry) effect {
	was, x := p.standing(), effect{item: p.item, zone: p.zone, from: uint32(len(s.outcomes)), first: len(p.log) == 0}
	s.log(p, e)
	now := p.standing()
	x.standing = standing{now.negative - was.negative, now.received - was.received, now.counted - was.counted}
	x.to = uint32(len(s.outcomes))
	return x
}

// spread adds what a fact and its effect say to every key above the position.
func (s *site) spread(f *Fact, x *effect) {
	day, it, z := dayOf(f.At), s.items.at(x.item), &s.zones[x.zone]
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
	for i := x.from; i < x.to; i++ {
		s.creditCount(&s.outcomes[i], it, z)
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

// creditCount credits a count to every key that it tells something about.
func (s *site) creditCount(o *outcome, it *item, z *zone) {
	day, credit := dayOf(o.at), o.sums(o.n)
	s.tally.on(day).addAll(&credit)
	z.tally.on(day).addAll(&credit)
	it.tally.on(day).addAll(&credit)
	if o.user != 0 {
		s.userOf(o.user).on(day).addAll(&credit)
	}
	s.credit(scopeSKU, it.sku, day, &credit)
	s.credit(scopeAll, 0, day, &credit)
}

// sums returns n times what a count adds to a tally.
func (c *count) sums(n int32) (s sums) {
	s.add(mCounts, n)
	if c.book < 0 {
		s.add(mNegative, n)
	}
	variance := c.variance()
	if variance == 0 {
		return s
	}
	s.add(mErrors, n)
	s.add(mLogSize, n*logSize(variance))
	if variance > 0 {
		s.add(mOver, n)
	}
	return s
}
