package features

import (
	"cmp"
	"slices"
)

// A touch is the positions that a fact touches, by their number plus one; 0 is
// none.
type touch struct{ a, b uint32 }

// touched returns the positions of a touch, nil for none.
func (s *site) touched(t touch) (a, b *position) {
	if t.a != 0 {
		a = s.positions.at(t.a - 1)
	}
	if t.b != 0 {
		b = s.positions.at(t.b - 1)
	}
	return a, b
}

// touch returns the positions that a fact touches, making those that are new.
func (s *site) touch(c *Coder, f *Fact) (t touch) {
	a, b := f.places()
	if a != 0 {
		t.a = s.position(c, f.SKU, a) + 1
	}
	if b != 0 {
		t.b = s.position(c, f.SKU, b) + 1
	}
	return t
}

// prepare makes the positions of a share, and their lists as long as they will
// be, so that folding looks no position up and moves no list. Positions come in
// the order of the facts, of those of one instant the counted ones first.
func (share *share) prepare(c *Coder, facts []Fact) {
	site := share.site
	share.touches = make([]touch, len(share.facts))
	var e expectation
	reads := share.reads
	for n, i := range share.facts {
		f := &facts[i]
		if n == 0 || facts[share.facts[n-1]].At != f.At {
			share.counted(c, facts, n)
		}
		share.touches[n] = site.touch(c, f)
		if len(reads) > 0 && reads[0].fact == i {
			reads[0].touch, reads = share.touches[n], reads[1:]
		}
		e.add(site, f, share.touches[n])
	}
	e.makeRoom(site)
	share.inOrderOfKnowing(facts)
}

// inOrderOfKnowing puts facts into the order in which they became known.
func (share *share) inOrderOfKnowing(facts []Fact) {
	known := func(n int32) int64 { return facts[share.facts[n]].Known }
	if slices.IsSortedFunc(share.facts, func(a, b int32) int { return cmp.Compare(facts[a].Known, facts[b].Known) }) {
		return
	}
	order := make([]int32, len(share.facts))
	for n := range order {
		order[n] = int32(n)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(known(a), known(b)) })
	sorted, touches := make([]int32, len(order)), make([]touch, len(order))
	for n, from := range order {
		sorted[n], touches[n] = share.facts[from], share.touches[from]
	}
	share.facts, share.touches = sorted, touches
}

// An expectation is how long the lists of a site will be.
type expectation struct {
	lists []expected // by position
	days  []dayCount // of the tallies, by item
}

type expected struct {
	words, counts uint32
	item          uint32 // of the position, so that the position is read once
}

// add takes in what a fact will add to lists.
func (e *expectation) add(site *site, f *Fact, t touch) {
	if t.a == 0 {
		return
	}
	e.lists = reach(e.lists, max(t.a, t.b))
	words := f.words()
	if t.b != 0 {
		e.at(site, t.b).words += words
	}
	lists := e.at(site, t.a)
	lists.words += words
	switch f.Kind {
	case kindCount:
		lists.counts++
		fallthrough
	case kindPickException, kindAdjustment:
		e.days = reach(e.days, lists.item+1)
		e.days[lists.item].add(dayOf(f.At))
	default:
	}
}

// at returns what is expected of the position that a touch names.
func (e *expectation) at(site *site, touched uint32) *expected {
	lists := &e.lists[touched-1]
	if lists.words == 0 {
		lists.item = site.positions.at(touched - 1).item
	}
	return lists
}

// makeRoom makes the lists that are still empty.
func (e *expectation) makeRoom(site *site) {
	var logs slab[record]
	var outcomes slab[count]
	for i, n := range e.lists {
		p := site.positions.at(uint32(i))
		if p.log == nil {
			p.log = logs.list(n.words)
		}
		if p.counts == nil {
			p.counts = outcomes.list(n.counts)
		}
	}
	var tiles slab[tile]
	for i := range e.days {
		site.items.at(uint32(i)).tally.expect(&e.days[i], &tiles)
	}
}

// counted makes the positions that are counted in the instant of fact n.
func (share *share) counted(c *Coder, facts []Fact, n int) {
	at := facts[share.facts[n]].At
	for _, i := range share.facts[n:] {
		f := &facts[i]
		if f.At != at {
			return
		}
		if f.Kind == kindCount {
			share.site.touch(c, f)
		}
	}
}

// words is the number of words that a fact adds to the log of a position.
func (f *Fact) words() uint32 {
	n, ref := uint32(1), int64(none)
	switch f.Kind {
	case kindCount:
		ref = f.Book
	case kindPickException:
		ref = f.Expected
	default:
	}
	if ref != none {
		n++
		if !fits(ref) {
			n++
		}
	}
	if !fits(f.Qty) {
		n++
	}
	return n
}

// A dayCount counts different days that come in order.
type dayCount struct {
	n    uint32
	last int32
}

func (d *dayCount) add(day int32) {
	if d.n == 0 || d.last != day {
		d.n, d.last = d.n+1, day
	}
}

// expect gives a tally that is empty room for the days to come.
func (t *tally) expect(days *dayCount, from *slab[tile]) {
	if t.tiles == nil {
		t.tiles = from.list(days.n)
	}
}

// reach returns a list lengthened to at least n.
func reach[T any](list []T, n uint32) []T {
	if int(n) <= len(list) {
		return list
	}
	return append(list, make([]T, int(n)-len(list))...)
}

// A slab hands out lists of known lengths from common blocks of memory. A list
// that outgrows its part moves away; a block goes when all its lists have.
type slab[T any] struct{ free []T }

// slabLength is small, so that few lists hold each other's memory.
const slabLength = 1024

// list returns an empty list with room for n.
func (s *slab[T]) list(n uint32) []T {
	if n == 0 {
		return nil
	}
	if int(n) > len(s.free) {
		s.free = make([]T, max(n, slabLength))
	}
	list := s.free[:0:n]
	s.free = s.free[n:]
	return list
}
