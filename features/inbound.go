package features

import (
	"container/heap"
	"math"
	"slices"
	"sort"
)

// settleAfter is how long after its last receipt a line is taken to be
// complete: what has not come by then is short. Loads of the reference data
// are unloaded within a day or two.
const settleAfter = 2 * dayMicros

// awaited is how long after its time a line is still expected. What has not
// come by then is lost or was never sent, and says nothing of today.
const awaited = 180 * dayMicros

// A line is one line of an inbound load, as far as it is known.
type line struct {
	load, number uint32
	notices      []notice  // ASN records in time order; the last one is in force
	receipts     []receipt // in time order
	credited     lineOutcome
	timer        int64   // when the next outcome falls due, 0 when none
	read         [3]bool // by stage: an example was read
}

// A notice is one ASN record of a line.
type notice struct {
	at, known, expected, expectedAt, cost, pack int64
	sku, supplier, carrier, attrs               uint32
}

// notice is what an ASN announces.
func (f *Fact) notice() notice {
	d := f.detail()
	return notice{
		at: f.At, known: f.Known, expected: f.Ref, expectedAt: d.expectedAt, cost: d.cost, pack: d.pack,
		sku: f.SKU, supplier: d.supplier, carrier: d.carrier, attrs: d.attrs,
	}
}

type receipt struct {
	at, known, qty               int64
	sku, supplier, carrier, user uint32
}

// lineOutcome is what is known of a line, and to whom it is put down.
type lineOutcome struct {
	late    verdict
	lateAt  int64 // when that became known
	settled bool
	short   int64 // expected minus received, when settled
	at      int64 // when it settled
	edits   int32
	notice  notice
	since   int64 // when it was first announced
	came    int64 // its first receipt, 0 when none
}

// verdict is a fact that may not be known yet.
type verdict uint8

const (
	unknown verdict = iota
	no
	yes
)

// addNotice and addReceipt keep time order, the later intake last among equals.
func (l *line) addNotice(n notice) {
	i := sort.Search(len(l.notices), func(i int) bool { return l.notices[i].at > n.at })
	l.notices = slices.Insert(l.notices, i, n)
}

func (l *line) addReceipt(r receipt) {
	i := sort.Search(len(l.receipts), func(i int) bool { return l.receipts[i].at > r.at })
	l.receipts = slices.Insert(l.receipts, i, r)
}

// inForce returns the notice that held just before an instant, and how many
// preceded it.
func (l *line) inForce(before int64) (n notice, edits int, ok bool) {
	i := sort.Search(len(l.notices), func(i int) bool { return l.notices[i].at >= before })
	if i == 0 {
		return notice{expected: none, cost: none}, 0, false
	}
	return l.notices[i-1], i - 1, true
}

// received sums what came before an instant.
func (l *line) received(before int64) (qty, first, last int64, n int) {
	for _, r := range l.receipts {
		if r.at >= before {
			break
		}
		if n == 0 {
			first = r.at
		}
		last = r.at
		qty += r.qty
		n++
	}
	return qty, first, last, n
}

// judge returns what is known of the line just before an instant, and when
// more will be known if nothing else happens (0: never). Lateness is judged
// against the notice in force at the first receipt, or now; a notice sent
// after the goods came is not one.
func (l *line) judge(before int64) (o lineOutcome, next int64) {
	qty, first, last, n := l.received(before)
	at := before
	if n > 0 {
		at = first + 1
	}
	notice, edits, announced := l.inForce(at)
	if !announced {
		return o, 0
	}
	o.notice, o.edits = notice, int32(edits)
	o.since, o.came = l.notices[0].at, first
	if due := notice.expectedAt; due != 0 {
		switch {
		case n > 0 && first <= due:
			o.late, o.lateAt = no, first
		case before > due:
			o.late, o.lateAt = yes, max(due, notice.at)
		default:
			next = due + 1
		}
	}
	if notice.expected == none || n == 0 {
		return o, next
	}
	if due := last + settleAfter; before > due {
		o.settled, o.short, o.at = true, notice.expected-qty, due
	} else if next == 0 || due < next {
		next = due + 1
	}
	return o, next
}

// known returns when what is known of the line in the end became known: once
// its time had come, and once the records that say so were in.
func (l *line) known(o *lineOutcome) (late, settled int64) {
	late, settled = max(o.lateAt, o.notice.known), max(o.at, o.notice.known)
	if o.late == no {
		late = max(late, l.receipts[0].known)
	}
	for _, r := range l.receipts {
		settled = max(settled, r.known)
	}
	return late, settled
}

// timers is a heap of lines by the time of their next outcome.
type timers []timer

type timer struct {
	at   int64
	line *line
}

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	old := *t
	x := old[len(old)-1]
	*t = old[:len(old)-1]
	return x
}

// schedule sets the line's timer; an older entry in the heap goes stale.
func (t *timers) schedule(l *line, at int64) {
	l.timer = at
	if at != 0 {
		heap.Push(t, timer{at, l})
	}
}

// next is when a timer may fall due next; an entry gone stale counts too.
func (t *timers) next() int64 {
	if len(*t) == 0 {
		return math.MaxInt64
	}
	return (*t)[0].at
}

// due returns the next line whose timer falls before an instant, nil when
// there is none.
func (t *timers) due(before int64) *line {
	for len(*t) > 0 && (*t)[0].at <= before {
		x := heap.Pop(t).(timer)
		if x.line.timer == x.at {
			return x.line
		}
	}
	return nil
}
