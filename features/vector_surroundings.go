package features

import "math"

// How much a rate is pulled towards its prior, in observations. Chosen by
// time-ordered cross-validation on real counts; see docs/features.md.
const (
	siteWeight = 5
	skuWeight  = 20
	baseWeight = 30
	posWeight  = 8
	baseRate   = 0.05 // a distribution centre counted monthly
)

// surroundings writes the features that take the keys above a position, and
// from them the error rate of a position like it: in log odds, its site plus
// its SKU less everything.
func (s *State) surroundings(site *site, o *outlook, asOf int64, v []float32) {
	today := dayOf(asOf)
	var sum summary
	errors := func(h int, prior, weight float64) float64 {
		return shrunk(sum.decayed(h, mErrors), sum.decayed(h, mCounts), prior, weight)
	}
	s.network.read(scopeAll, 0, today, &sum)
	all := errors(h180, baseRate, baseWeight)
	it := site.items.at(o.home.item)
	s.network.read(scopeSKU, it.sku, today, &sum)
	sku := errors(h365, all, skuWeight)
	v[pSKURate] = float32(sku)

	site.tally.read(today, &sum)
	month, local := errors(h30, all, siteWeight), errors(h60, all, siteWeight)
	v[pPrior30] = float32(probability(logit(month)/2 + logit(sku) - logit(all)/2))
	prior := probability(logit(local) + logit(sku) - logit(all))
	v[pPrior60], v[pSiteRate] = float32(prior), float32(local)
	v[pSiteErrors28] = float32(sum.window(w28, mErrors))
	if day, counts, errors := sum.lastCount(); day != minDay {
		v[pSiteRateLast] = float32(errors / counts)
		v[pSiteDaysSinceCount] = float32(today - day)
		v[pSiteCleanRun] = float32(sum.cleanRun())
		v[pCountLag] = v[pDaysSinceCount] - v[pSiteDaysSinceCount]
	}
	v[pSiteSize] = float32(ratio(sum.decayed(h365, mLogSize)/1000, sum.decayed(h365, mErrors)))
	v[pRate30] = float32(shrunk(o.errors, o.trials, float64(v[pPrior30]), posWeight))
	v[pRate60] = float32(shrunk(o.errors, o.trials, float64(v[pPrior60]), posWeight))
	it.properties(v)
	s.neighbours(site, o, today, v, local, prior)
}

// neighbours reads the other positions of the site, the zone and the SKU, and
// who worked here last.
func (s *State) neighbours(site *site, o *outlook, today int32, v []float32, local, prior float64) {
	own := int32(o.negative)
	it, z := site.items.at(o.home.item), &site.zones[o.home.zone]
	v[pSiteNegatives], v[pZoneNegatives] = float32(site.negatives-own), float32(z.negatives-own)
	v[pItemNegatives], v[pItemPositions] = float32(it.negatives-own), float32(it.positions)
	v[pSiteReceived] = float32(site.received-int32(o.received)) / float32(max(1, site.counted))
	var sum summary
	z.tally.read(today, &sum)
	v[pZoneRate] = float32(shrunk(sum.decayed(h60, mErrors), sum.decayed(h60, mCounts), local, skuWeight))
	it.tally.read(today, &sum)
	v[pItemRate] = float32(shrunk(sum.decayed(h365, mErrors), sum.decayed(h365, mCounts), prior, posWeight))
	if t := site.user(o.user); t != nil {
		t.read(today, &sum)
		v[pUserRate] = float32(shrunk(sum.window(w365, mErrors), sum.window(w365, mCounts), local, skuWeight))
		v[pUserMoves28] = float32(sum.window(w28, mMoves))
	}
	if it.supplier.known {
		s.network.read(scopeSupplier, it.supplier.value, today, &sum)
		v[pSupplierShort] = float32(shrunk(sum.window(w365, mShort), sum.window(w365, mClosed), baseShort, skuWeight))
	}
}

func logit(p float64) float64       { return math.Log(p / (1 - p)) }
func probability(l float64) float64 { return 1 / (1 + math.Exp(-l)) }
