package features

import (
	"cmp"
	"slices"
)

// A share is what is still to be folded of a site.
type share struct {
	site    *site
	entries []entered  // in the order in which they became known
	reads   []read     // in time order
	vectors []float32  // of the reads
	homes   []home     // by number of the position plus one
	late    bool       // some fact became known after it happened
	batch   []given    // facts whose positions are not found yet
	days    []dayCount // of the tallies, by item
	warmed  int64      // of what was read ahead, so that reading is not left out
}

// A place is a fact at a position, by its number plus one, or 0 where the fact
// touches none.
type place struct {
	fact     int32
	position uint32
}

// An entered is a fact at one of the positions it touches, and what it changed
// there. Where it touches two, the one that stock moves on to comes second.
type entered struct {
	place
	effect effect
}

// A read is a fact that may give rise to an example, and the example's number.
type read struct {
	place
	example int32
	outlook outlook // of the position
}

// A given is a fact that is given to a share, with the number of the example
// that it may give rise to, or -1.
type given struct{ fact, example int32 }

// vector returns the vector of a read.
func (share *share) vector(r *replay, n int) []float32 {
	return share.vectors[n*r.width : (n+1)*r.width : (n+1)*r.width]
}

// give takes a fact of the site in. What touches a position is found for a
// batch of facts at a time, which ends where an instant does.
func (share *share) give(r *replay, g given) {
	f := &r.facts[g.fact]
	if n := len(share.batch); n >= block && r.facts[share.batch[n-1].fact].At != f.At {
		share.find(r)
	}
	share.batch = append(share.batch, g)
	share.late = share.late || f.Known != f.At
}

// find finds the positions of a batch, making those that are new: in the order
// of the facts, of those of one instant the counted ones first.
func (share *share) find(r *replay) {
	share.warm(r)
	last := int64(-1)
	for n, g := range share.batch {
		f := &r.facts[g.fact]
		if n == 0 || f.At != last {
			share.counted(r, share.batch[n:])
			last = f.At
		}
		t := share.site.touch(r.state.coder, f)
		share.entries = append(share.entries, entered{place: place{g.fact, t.place}})
		if t.other != 0 {
			share.entries = append(share.entries, entered{place: place{g.fact, t.other}})
		}
		if g.example >= 0 {
			at := place{g.fact, t.place}
			if f.Kind != kindCount {
				at.position = 0 // a load's line is read, no position
			}
			share.reads = append(share.reads, read{place: at, example: g.example})
		}
		switch f.Kind {
		case kindCount, kindPickException, kindAdjustment:
			share.days = reach(share.days, t.item+1)
			share.days[t.item].add(dayOf(f.At))
		default:
		}
	}
	share.batch = share.batch[:0]
}

// counted makes the positions that are counted in the first instant of a batch.
func (share *share) counted(r *replay, batch []given) {
	at := r.facts[batch[0].fact].At
	if len(batch) == 1 || r.facts[batch[1].fact].At != at {
		return
	}
	for _, g := range batch {
		f := &r.facts[g.fact]
		if f.At != at {
			return
		}
		if f.Kind == kindCount {
			share.site.touch(r.state.coder, f)
		}
	}
}

// prepare ends the giving: it makes the tallies of SKUs as long as they will
// be, and puts what is entered into the order in which it became known.
func (share *share) prepare(r *replay) {
	share.find(r)
	var tiles slab[tile]
	for i := range share.days {
		share.site.items.at(uint32(i)).tally.expect(&share.days[i], &tiles)
	}
	share.days = nil
	share.vectors = make([]float32, len(share.reads)*r.width)
	if share.late {
		slices.SortStableFunc(share.entries, func(a, b entered) int { return cmp.Compare(r.facts[a.fact].Known, r.facts[b.fact].Known) })
	}
}

// A dayCount counts different days that come in order.
type dayCount struct {
	n     uint32
	after int32 // the day after the last one
}

// add counts a day without a branch, which would wait for the count.
func (d *dayCount) add(day int32) {
	var another uint32
	if d.after != day+1 {
		another = 1
	}
	d.n, d.after = d.n+another, day+1
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
