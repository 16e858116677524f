package features

import "slices"

// A position's log, book and outcomes depend on nothing but its own entries.
// So a replay folds one position after the other, each from its first entry to
// its last, while what it is made of is at hand; what the entries change above
// the positions is kept, and taken in afterwards in the order of time.

// A visit is an entry or a read of a position.
type visit struct {
	fact  int32
	n     uint32 // of the entry or the read in its share
	other bool   // it is the second entry of its fact
}

// visits are sorted by position, those of one position in their order.
type visits struct {
	list []visit
	ends []uint32 // by number of the position plus one
}

// of returns the visits of a position.
func (v *visits) of(position uint32) []visit { return v.list[v.ends[position]:v.ends[position+1]] }

// sort sorts n entries or reads by their position.
func (v *visits) sort(n int, at func(int) place, positions uint32) {
	v.list = slices.Grow(v.list[:0], n)[:n]
	v.ends = slices.Grow(v.ends[:0], int(positions)+1)[:positions+1]
	clear(v.ends)
	for i := range n {
		v.ends[at(i).position]++
	}
	sum := uint32(0)
	for i, n := range v.ends {
		v.ends[i], sum = sum, sum+n
	}
	last := int32(-1)
	for i := range n {
		at := at(i)
		end := &v.ends[at.position]
		v.list[*end] = visit{at.fact, uint32(i), at.fact == last}
		*end++
		last = at.fact
	}
}

// ledgers folds the positions of a share.
func (w *worker) ledgers(r *replay, share *share) {
	site := share.site
	n := site.positions.len()
	w.entries.sort(len(share.entries), func(i int) place { return share.entries[i].place }, n)
	w.reads.sort(len(share.reads), func(i int) place { return share.reads[i].place }, n)
	share.homes = make([]home, n+1)
	var logs slab[record]
	var outcomes slab[count]
	for i := range n {
		w.warmer.visits(r, share, &w.entries, &w.reads, i)
		p, own := site.positions.at(i), w.entries.of(i)
		p.expect(r.facts, own, &logs, &outcomes)
		w.ledger(r, share, p, own, w.reads.of(i))
		share.homes[i+1] = p.home
	}
}

// ledger folds the entries of a position, and reads it before it is counted:
// before what became known in the same instant.
func (w *worker) ledger(r *replay, share *share, p *position, entries, reads []visit) {
	for _, at := range entries {
		f := &r.facts[at.fact]
		for len(reads) > 0 && r.facts[reads[0].fact].At <= f.Known {
			counted, of := &r.facts[reads[0].fact], &share.reads[reads[0].n]
			of.outlook = p.vector(counted.At, counted.Ref, r.vector(of.example)[:numPosition])
			reads = reads[1:]
		}
		e := f.entry(at.other)
		share.entries[at.n].effect = share.site.enter(p, &e)
	}
}

// expect gives the lists of a position that are still empty room for what is
// to come.
func (p *position) expect(facts []Fact, entries []visit, logs *slab[record], outcomes *slab[count]) {
	var words, counts uint32
	for _, at := range entries {
		f := &facts[at.fact]
		e := f.entry(at.other)
		words += e.words()
		if f.Kind == kindCount {
			counts++
		}
	}
	if p.log == nil {
		p.log = logs.list(words)
	}
	if p.counts == nil {
		p.counts = outcomes.list(counts)
	}
}
