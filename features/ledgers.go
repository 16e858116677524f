package features

import "slices"

// A position's log, book and outcomes depend on nothing but its own entries.
// So a replay folds one position after the other, each from its first entry to
// its last, while what it is made of is at hand; what the entries change above
// the positions is kept, and taken in afterwards in the order of time.

// visits are the numbers of a share's entries or reads, sorted by position,
// those of one position in their order.
type visits struct {
	list []uint32
	ends []uint32 // by number of the position plus one

	warmed uint32 // how many of the list were read ahead
}

// of returns the visits of a position.
func (v *visits) of(position uint32) []uint32 {
	return v.list[v.ends[position]:v.ends[position+1]]
}

// ahead returns the visits to be read ahead now: none while those of the
// position were, else up to its end and at least a block.
func (v *visits) ahead(position uint32) []uint32 {
	from, end := v.warmed, v.ends[position+1]
	if from >= end {
		return nil
	}
	v.warmed = min(uint32(len(v.list)), max(end, from+block))
	return v.list[from:v.warmed]
}

// sort sorts n entries or reads by their position plus one.
func (v *visits) sort(n int, position func(int) uint32, positions uint32) {
	v.list = slices.Grow(v.list[:0], n)[:n]
	v.ends = slices.Grow(v.ends[:0], int(positions)+1)[:positions+1]
	clear(v.ends)
	v.warmed = 0
	for i := range n {
		v.ends[position(i)]++
	}
	sum := uint32(0)
	for i, n := range v.ends {
		v.ends[i], sum = sum, sum+n
	}
	for i := range n {
		end := &v.ends[position(i)]
		v.list[*end] = uint32(i)
		*end++
	}
}

// ledgers folds the positions of a share.
func (w *worker) ledgers(r *replay, share *share) {
	site := share.site
	n := site.positions.len()
	w.entries.sort(len(share.entries), func(i int) uint32 { return share.entries[i].position }, n)
	w.reads.sort(len(share.reads), func(i int) uint32 { return share.reads[i].position }, n)
	share.homes = make([]home, n+1)
	var logs slab[record]
	var outcomes slab[count]
	for i := range n {
		w.warmer.visits(r, share, &w.entries, &w.reads, i)
		p, own := site.positions.at(i), w.entries.of(i)
		share.expect(r, p, own, &logs, &outcomes)
		w.ledger(r, share, p, own, w.reads.of(i))
		share.homes[i+1] = p.home
	}
}

// ledger folds the entries of a position, and reads it before it is counted:
// before what became known in the same instant.
func (w *worker) ledger(r *replay, share *share, p *position, entries, reads []uint32) {
	for _, n := range entries {
		f, e := share.entry(r, n)
		for ; len(reads) > 0; reads = reads[1:] {
			of := &share.reads[reads[0]]
			counted := &r.facts[of.fact]
			if counted.At > f.Known {
				break
			}
			of.outlook = p.vector(counted.At, counted.Ref, share.vector(r, int(reads[0]))[:numPosition])
		}
		share.entries[n].effect = share.site.enter(p, &e)
	}
}

// entry returns one of the share's entries and its fact.
func (share *share) entry(r *replay, n uint32) (*Fact, entry) {
	at := share.entries[n].fact
	f := &r.facts[at]
	return f, f.entry(n > 0 && share.entries[n-1].fact == at)
}

// expect gives the lists of a position that are still empty room for what is
// to come.
func (share *share) expect(r *replay, p *position, entries []uint32, logs *slab[record], outcomes *slab[count]) {
	var words, counts uint32
	for _, n := range entries {
		_, e := share.entry(r, n)
		words += e.words()
		if e.kind == kindCount {
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
