package features

import "sort"

// A count is the outcome of one count, derived from the log.
type count struct {
	at    int64
	qty   int64  // counted
	book  int64  // at the count instant: given, or else computed from the log
	picks int64  // left by picks and shipments since the count before
	user  uint32 // who moved stock here last before the count
}

func (c *count) variance() int64 { return c.qty - c.book }

// A position is one SKU at one location: its log in time order, and what
// follows from it.
type position struct {
	sku, location uint32
	home          home
	log           records
	counts        []count
	ledger        ledger
}

// A ledger is the running balance of a position at the end of its log.
type ledger struct {
	book      int64
	low       int64 // lowest book since the last count
	sinceQty  int64 // net moves since the last count, for posting it
	picks     int64 // since the last count
	receipts  int64
	moves     int32 // number of moves since the last count
	restated  bool  // an opening balance was set again since the last count
	opened    bool  // any balance was ever set or moved
	lastUser  uint32
	lastMove  int64
	lastCount int64 // quantity of the last count
	hasCount  bool
}

// apply advances the ledger by one entry. For a count it returns the outcome.
func (l *ledger) apply(e *entry) (c count, counted bool) {
	switch e.kind {
	case kindCount:
		book := l.book
		if e.ref != none {
			book = e.ref
		}
		c = count{at: e.at, qty: e.qty, book: book, picks: l.picks, user: l.lastUser}
		*l = ledger{book: book, low: e.qty, opened: true, lastUser: l.lastUser, lastMove: l.lastMove, lastCount: e.qty, hasCount: true}
		return c, true
	case kindPosting:
		if l.hasCount {
			l.book = l.lastCount + l.sinceQty
		} else if e.qty != none {
			l.book += e.qty
		}
	case kindPickException, kindASN:
	default:
		l.move(e)
	}
	l.low = min(l.low, l.book)
	return c, false
}

func (l *ledger) move(e *entry) {
	l.book += e.qty
	l.sinceQty += e.qty
	if !l.opened {
		l.low, l.opened = l.book, true
	}
	switch {
	case e.kind == kindOpening:
		l.restated = l.restated || l.hasCount && e.qty != 0
		return
	case e.kind == kindAdjustment:
		return
	case e.qty < 0:
		l.picks -= e.qty
	default:
		l.receipts += e.qty
	}
	l.moves++
	l.lastMove = e.at
	if e.user != 0 {
		l.lastUser = e.user
	}
}

// log puts an entry of a position where its time belongs, after those of the
// same instant. What that changes of the outcomes of counts is added to the
// site's: an entry that is the newest adds at most one; a late one may take all
// the counts after it back and put others in their place.
func (s *site) log(p *position, e *entry) {
	n := len(p.log)
	p.log = e.write(roomFor(int(e.words()), p.log))
	kept := len(p.counts)
	if n == 0 || p.log[n-1].at <= e.at {
		p.follow(e)
	} else {
		i := sort.Search(n, func(i int) bool { return p.log[i].at > e.at })
		s.words = append(s.words[:0], p.log[n:]...)
		copy(p.log[i+len(s.words):], p.log[i:n])
		copy(p.log[i:], s.words)
		kept = sort.Search(kept, func(i int) bool { return p.counts[i].at > e.at })
		s.tell(p.counts[kept:], -1)
		p.counts, p.ledger = p.counts[:0], ledger{}
		var e entry
		for rest := p.log; len(rest) > 0; {
			e, rest = rest.next()
			p.follow(&e)
		}
	}
	s.tell(p.counts[kept:], 1)
}

// follow brings what follows from the log forward by one entry.
func (p *position) follow(e *entry) {
	if c, counted := p.ledger.apply(e); counted {
		p.counts = append(roomFor(1, p.counts), c)
	}
}
