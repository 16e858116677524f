package features

// Folding a fact waits for memory a handful of times, each for what the last
// told: its position, the end of the log of that, its SKU, the tiles of that. With a million positions none of it is in a cache. Warming
// reads the same for a block of facts step by step, so that the waits of a
// block run side by side and folding finds everything at hand.

// block is the number of facts warmed at once.
const block = 32

// A warmer touches what the next facts of a site will need. It changes
// nothing.
type warmer struct {
	touched [2 * block]*position
	noted   [block]*position // whose SKU's tally is written
	counted [block]*position // whose vector is read
	sum     int64            // of what was read, so that reading is not left out
}

func (w *warmer) warm(s *State, site *site, all []Fact, facts []int32, touches []touch) {
	touched, noted, counted := w.touched[:0], w.noted[:0], w.counted[:0]
	for n, t := range touches {
		a, b := site.touched(t)
		if a == nil {
			continue
		}
		touched = append(touched, a)
		if b != nil {
			touched = append(touched, b)
		}
		switch all[facts[n]].Kind {
		case kindCount:
			counted = append(counted, a)
			fallthrough
		case kindPickException, kindAdjustment:
			noted = append(noted, a)
		default:
		}
	}
	for _, p := range touched {
		w.sum += p.ledger.book + p.ledger.lastMove + int64(p.item)
	}
	for _, p := range touched {
		if n := len(p.log); n < cap(p.log) {
			w.sum += p.log[:n+1][n].at
		}
	}
	for _, p := range noted {
		w.sum += int64(len(site.items.at(p.item).tally.tiles))
	}
	for _, p := range counted {
		if len(p.log) > 0 {
			w.sum += p.log[0].at
		}
		if len(p.counts) > 0 {
			w.sum += p.counts[0].at
		}
		w.sum += int64(site.items.at(p.item).supplier.value)
		if t := s.network.of(scopeSKU, p.sku); t != nil {
			w.sum += int64(t.tiles[0].day)
		}
	}
	for _, p := range noted {
		if tiles := site.items.at(p.item).tally.tiles; len(tiles) > 0 {
			w.sum += int64(tiles[len(tiles)-1].day)
		}
	}
}

// warm reads the tallies that credits go to, all before their newest tiles.
func (n *network) warm(credits []credit) (sum int64) {
	var tallies [block]*tally
	for i, c := range credits {
		tallies[i] = n.of(c.scope, c.id)
	}
	for _, t := range tallies[:len(credits)] {
		if t != nil {
			sum += int64(t.tiles[len(t.tiles)-1].day)
		}
	}
	return sum
}

// places returns the locations whose stock a fact touches, 0 for none.
func (f *Fact) places() (a, b uint32) {
	switch f.Kind {
	case kindASN:
		return 0, 0
	case kindReceipt, kindReturn:
		return f.To, 0
	case kindPutaway:
		if f.From == f.To {
			return 0, 0
		}
		return f.From, f.To
	case kindTransfer:
		if f.From == 0 { // the receiving site's record
			return f.To, 0
		}
		return f.From, 0
	case kindPick:
		if f.HasTo {
			return f.From, f.To
		}
		return f.From, 0
	case kindShipment:
		return f.From, 0
	default:
		return f.Location, 0
	}
}
