package features

import "sort"

// An entry is one fact as a position remembers it.
type entry struct {
	at   int64
	qty  int64 // move: signed effect on book; count and posting: the quantity, none when absent
	ref  int64 // count: book given; pick exception: quantity asked for; none when absent
	user uint32
	kind kind
}

// entry is what a fact enters at its place or, of a move, at the other.
func (f *Fact) entry(other bool) entry {
	e := entry{at: f.At, qty: f.Qty, ref: none, user: f.User, kind: f.Kind}
	switch f.Kind {
	case kindCount, kindPickException:
		e.ref = f.Ref
	default:
		if other {
			e.qty = -f.Qty
		}
	}
	return e
}

// A record is a word of a position's log. Logs are most of what the fold
// remembers, so an entry is one word where it can be: what does not fit stands
// in words of the same instant before it.
type record struct {
	at  int64
	n   int32  // the low half of the quantity, or what the mark says
	who uint32 // user and, in the lowest four bits, a kind or a mark
}

// A mark is what a word that precedes an entry has instead of a kind.
type mark uint8

const (
	markRef     mark = mark(kindPosting) + 1 + iota // low half of ref
	markRefHigh                                     // high half of ref, after the low
	markHigh                                        // high half of the quantity
)

const kindBits = 4

// write appends the words of an entry.
func (e *entry) write(words []record) []record {
	precede := func(m mark, n int64) { words = append(words, record{e.at, int32(n), uint32(m)}) }
	if e.ref != none {
		precede(markRef, e.ref)
		if !fits(e.ref) {
			precede(markRefHigh, e.ref>>32)
		}
	}
	if !fits(e.qty) {
		precede(markHigh, e.qty>>32)
	}
	return append(words, record{e.at, int32(e.qty), e.user<<kindBits | uint32(e.kind)})
}

// words is the number of words of an entry.
func (e *entry) words() uint32 {
	n := uint32(1)
	if e.ref != none {
		n++
		if !fits(e.ref) {
			n++
		}
	}
	if !fits(e.qty) {
		n++
	}
	return n
}

func fits(n int64) bool { return n == int64(int32(n)) }

// records is a log, or the rest of one, in time order.
type records []record

// next reads the first entry, and returns it with what comes after.
func (l records) next() (e entry, rest records) {
	e.ref = none
	var high *record
	for i := range l {
		r := &l[i]
		switch m := mark(r.who & (1<<kindBits - 1)); m {
		case markRef:
			e.ref = int64(r.n)
		case markRefHigh:
			e.ref = joined(r.n, int32(e.ref))
		case markHigh:
			high = r
		default:
			e.at, e.qty, e.user, e.kind = r.at, int64(r.n), r.who>>kindBits, kind(m)
			if high != nil {
				e.qty = joined(high.n, r.n)
			}
			return e, l[i+1:]
		}
	}
	return e, nil
}

func joined(high, low int32) int64 { return int64(high)<<32 | int64(uint32(low)) }

// since returns what was entered at or after an instant.
func (l records) since(at int64) records {
	// Most positions are read near the end of a short log.
	if len(l) > 32 {
		return l[sort.Search(len(l), func(i int) bool { return l[i].at >= at }):]
	}
	for i := range l {
		if l[i].at >= at {
			return l[i:]
		}
	}
	return nil
}
