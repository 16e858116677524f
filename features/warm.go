package features

// Folding a fact waits for memory a handful of times, each for what the last
// told: the slot of its position, the position, the end of its log, its SKU,
// the tiles of that. With a million positions none of it is in a cache. Warming
// reads the same for a block of facts step by step, so that the waits of a
// block run side by side and folding finds everything at hand.

// block is the number of facts warmed at once.
const block = 32

// A warmer touches what the next facts of a site will need. It changes
// nothing.
type warmer struct {
	positions [2 * block]*position
	sum       int64 // of what was read, so that reading is not left out
}

func (w *warmer) warm(s *State, site *site, all []Fact, next []int32) {
	n := 0
	for _, i := range next {
		f := &all[i]
		a, b := f.places()
		for _, location := range [...]uint32{a, b} {
			if location == 0 {
				continue
			}
			if p := site.find(f.SKU, location); p != nil {
				w.positions[n] = p
				n++
			}
		}
	}
	positions := w.positions[:n]
	for _, p := range positions {
		w.sum += p.ledger.book + int64(len(p.log)) + int64(len(p.counts))
	}
	for _, p := range positions {
		if n := len(p.log); n > 0 {
			w.sum += p.log[n-1].at + p.log[0].at
		}
		w.sum += int64(len(site.items.at(p.item).tally.tiles))
		if t := s.network.of(scopeSKU, p.sku); t != nil {
			w.sum += int64(t.tiles[0].day)
		}
	}
	for _, p := range positions {
		if tiles := site.items.at(p.item).tally.tiles; len(tiles) > 0 {
			w.sum += int64(tiles[len(tiles)-1].day)
		}
	}
}

// places returns the locations that a fact touches, 0 for none.
func (f *Fact) places() (a, b uint32) {
	switch f.Kind {
	case kindASN:
		return 0, 0
	case kindReceipt, kindReturn:
		return f.To, 0
	case kindPutaway, kindTransfer:
		return f.From, f.To
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
