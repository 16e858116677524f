package features

// Folding waits for memory: with a million positions, hardly anything a fact
// needs is in a cache. Warming reads for a block of facts what each will need,
// step by step, so that the waits of a block run side by side and folding finds
// everything at hand.

// block is the number of facts warmed at once.
const block = 32

// A warmer touches what will be needed next. It changes nothing.
type warmer struct {
	sum int64 // of what was read, so that reading is not left out
}

// visits reads what the visits to a position and some after it will read and
// write.
func (w *warmer) visits(r *replay, share *share, entries, reads *visits, position uint32) {
	for _, n := range entries.ahead(position) {
		w.sum += r.facts[share.entries[n].fact].At
	}
	for _, n := range reads.ahead(position) {
		w.sum += int64(share.reads[n].example)
		v := share.vector(r, int(n))
		for i := 0; i < len(v); i += 16 { // a line of the cache
			w.sum += int64(v[i])
		}
	}
}

// warm reads the slots of the positions that a batch of facts touches.
func (share *share) warm(r *replay) {
	for _, g := range share.batch {
		f := &r.facts[g.fact]
		share.warmed += share.site.index.warm(f.SKU, f.Place)
	}
}

// surroundings reads what the effects of the next entries change above their
// positions, and what the examples among them read there.
func (w *warmer) surroundings(r *replay, share *share, n int) {
	s, site := r.state, share.site
	var noted, counted [block]*item
	notes, counts := noted[:0], counted[:0]
	next := share.entries[:n]
	for i := range next {
		// Without a branch, which would wait for what it hangs on.
		w.sum += r.facts[next[i].fact].At + int64(share.homes[next[i].position].item)
	}
	for i := range next {
		x := &next[i]
		if x.position == 0 {
			continue
		}
		it := site.items.at(share.homes[x.position].item)
		switch r.facts[x.fact].Kind {
		case kindCount:
			counts = append(counts, it)
			fallthrough
		case kindPickException, kindAdjustment:
			notes = append(notes, it)
		default:
			if x.effect.negative != 0 || x.effect.first {
				w.sum += int64(it.negatives)
			}
		}
	}
	for _, it := range notes {
		w.sum += int64(len(it.tally.tiles))
	}
	for _, it := range counts {
		w.sum += int64(it.supplier.value)
		if t := s.network.of(scopeSKU, it.sku); t != nil {
			w.sum += int64(t.tiles[0].day)
		}
	}
	for _, it := range notes {
		w.sum += it.tally.warm()
	}
}

// warm reads the newest tile of a tally and the place for the next.
func (t *tally) warm() (sum int64) {
	if n := len(t.tiles); n > 0 {
		sum += int64(t.tiles[n-1].day)
	}
	if n := len(t.tiles); n < cap(t.tiles) {
		sum += int64(t.tiles[:n+1][n].sum[numMeasures-1])
	}
	return sum
}

// warm reads the tallies that credits go to, all before their newest tiles.
func (n *network) warm(credits []credit) (sum int64) {
	var tallies [block]*tally
	for i, c := range credits {
		tallies[i] = n.of(c.scope, c.id)
	}
	for _, t := range tallies[:len(credits)] {
		if t != nil {
			sum += t.warm()
		}
	}
	return sum
}
