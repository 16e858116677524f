package features

import (
	"math"
	"time"
)

// The features of a position, as of an instant. Quantities are in base units,
// times in days, rates between 0 and 1; NaN where nothing is known. The
// comments in positionNames' order say what each one is.
const (
	// What the book says.
	pBook         = iota // book before the count
	pBookNegative        // 1 when it is below zero, which cannot be
	pBookZero            // 1 when it is zero
	pBookLow             // lowest book since the last count
	pBookChange          // book minus the last counted quantity
	pBookValue           // book times unit cost, logarithmic
	pCover               // book over the mean outflow of 30 days
	pRestated            // 1 when an opening balance was set again since the last count

	// When it was counted and moved.
	pDaysSinceCount
	pDaysSinceError
	pDaysSinceMove
	pDaysKnown // since the first entry
	pCountsEver
	pCounts365
	pMovesSinceCount
	pOutSinceCount
	pInSinceCount
	pSiteDaysSinceCount // since the site counted anything
	pCountLag           // days since count minus the site's

	// How stock moves.
	pMoves7
	pMoves28
	pMoves90
	pMoves365
	pOut30     // outflow of the last 30 days
	pOutMean   // mean outflow of 30 days over the last 180
	pOutTrend  // last 30 days over the five before
	pOutSpread // standard deviation over mean of the six
	pIn30      // inflow of the last 30 days
	pInMean    // mean inflow of 30 days over the last 180
	pInTrend   // last 30 days over the five before
	pExceptions28
	pExceptions90
	pShortShare90 // found over asked in pick exceptions
	pAdjusts90
	pAdjustQty90 // Σ|qty| of manual adjustments
	pReturns90
	pTransfers90

	// How it erred before.
	pRate30  // errors, decayed with 60 days, shrunk to the prior of 30
	pRate60  // … to the prior of 60
	pPrior30 // of a position like this: its SKU's year, its site's last 30 days
	pPrior60 // … its site's last 60 days
	pErrorsEver
	pErrors365
	pCleanRun     // counts in a row without an error
	pLastVariance // signed, logarithmic
	pLastRelative // last variance over its book
	pLastRatio    // 1 when a past count was 6, 12, 24 … times its book or the inverse
	pMeanSize     // mean ln(1+|variance|)
	pOverShare    // share of errors above zero, shrunk to a half

	// How its surroundings err.
	pSiteRate
	pSiteRateLast // of the last day with counts
	pSiteCleanRun // days with counts since one with an error
	pSiteErrors28
	pSiteNegatives // other positions of the site below zero now
	pSiteReceived  // share of the site's other positions that received stock since their last count
	pSiteSize      // mean ln(1+|variance|)
	pZoneRate
	pZoneNegatives
	pSKURate  // at all sites, until yesterday
	pItemRate // at this site
	pItemNegatives
	pItemPositions
	pUserRate // of the user who moved stock here last
	pUserMoves28
	pSupplierShort // of the supplier who delivered the SKU last

	// What it is.
	pUnitCost
	pPack
	pMonth
	numPosition
)

var positionNames = [numPosition]string{
	pBook: "book", pBookNegative: "book_negative", pBookZero: "book_zero", pBookLow: "book_low",
	pBookChange: "book_change", pBookValue: "book_value", pCover: "cover", pRestated: "restated",
	pDaysSinceCount: "days_since_count", pDaysSinceError: "days_since_error", pDaysSinceMove: "days_since_move",
	pDaysKnown: "days_known", pCountsEver: "counts_ever", pCounts365: "counts_365",
	pMovesSinceCount: "moves_since_count", pOutSinceCount: "out_since_count", pInSinceCount: "in_since_count",
	pSiteDaysSinceCount: "site_days_since_count", pCountLag: "count_lag",
	pMoves7: "moves_7", pMoves28: "moves_28", pMoves90: "moves_90", pMoves365: "moves_365",
	pOut30: "out_30", pOutMean: "out_mean", pOutTrend: "out_trend", pOutSpread: "out_spread",
	pIn30: "in_30", pInMean: "in_mean", pInTrend: "in_trend",
	pExceptions28: "exceptions_28", pExceptions90: "exceptions_90", pShortShare90: "short_share_90",
	pAdjusts90: "adjusts_90", pAdjustQty90: "adjust_qty_90", pReturns90: "returns_90", pTransfers90: "transfers_90",
	pRate30: "rate_30", pRate60: "rate_60", pPrior30: "prior_30", pPrior60: "prior_60", pErrorsEver: "errors_ever", pErrors365: "errors_365", pCleanRun: "clean_run",
	pLastVariance: "last_variance", pLastRelative: "last_relative", pLastRatio: "last_ratio",
	pMeanSize: "mean_size", pOverShare: "over_share",
	pSiteRate: "site_rate", pSiteRateLast: "site_rate_last", pSiteCleanRun: "site_clean_run", pSiteErrors28: "site_errors_28",
	pSiteNegatives: "site_negatives", pSiteReceived: "site_received", pSiteSize: "site_size", pZoneRate: "zone_rate", pZoneNegatives: "zone_negatives",
	pSKURate: "sku_rate", pItemRate: "item_rate", pItemNegatives: "item_negatives", pItemPositions: "item_positions",
	pUserRate: "user_rate", pUserMoves28: "user_moves_28", pSupplierShort: "supplier_short",
	pUnitCost: "unit_cost", pPack: "pack", pMonth: "month",
}

// How much a rate is pulled towards its prior, in observations. Chosen by
// time-ordered cross-validation on real counts; see docs/features.md.
const (
	siteWeight = 5
	skuWeight  = 20
	baseWeight = 30
	posWeight  = 8
	baseRate   = 0.05 // a distribution centre counted monthly
)

var nan = float32(math.NaN())

// positionVector writes the features of a position just before asOf, which
// must be the site's front. A known book replaces the ledger's.
func (s *State) positionVector(site *site, p *position, asOf, book int64, v []float32) {
	for i := range v {
		v[i] = nan
	}
	if book == none {
		book = p.ledger.book
	}
	v[pBook], v[pBookNegative], v[pBookZero] = units(book), flag(book < 0), flag(book == 0)
	v[pBookLow] = units(min(p.ledger.low, book))
	v[pRestated] = flag(p.ledger.restated)
	v[pMovesSinceCount], v[pOutSinceCount], v[pInSinceCount] = float32(p.ledger.moves), units(p.ledger.picks), units(p.ledger.receipts)
	v[pMonth] = float32(month(asOf))
	flows(p, asOf, v)
	if out := v[pOutMean]; out > 0 || v[pBook] != 0 {
		v[pCover] = v[pBook] / (max(out, 0) + 1)
	} else {
		v[pCover] = 0
	}
	s.surroundings(site, p, asOf, v)
	history(p, asOf, v)
	if last := v[pSiteDaysSinceCount]; last == last {
		v[pCountLag] = v[pDaysSinceCount] - last
	}
	if p.ledger.hasCount {
		v[pBookChange] = units(book - p.ledger.lastCount)
	}
	s.properties(site, p, v)
}

// days returns the days from an instant to asOf.
func days(at, asOf int64) float32 { return float32(float64(asOf-at) / float64(dayMicros)) }

func units(q int64) float32 { return float32(float64(q) / 1000) }

func flag(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

func month(at int64) int { return int(time.UnixMicro(at).UTC().Month()) }

// surroundings reads the keys above a position, and from them the error rate
// of a position like it: in log odds, its site plus its SKU less everything.
func (s *State) surroundings(site *site, p *position, asOf int64, v []float32) {
	today := dayOf(asOf)
	var sum summary
	errors := func(h int, prior, weight float64) float64 {
		return shrunk(sum.decayed(h, mErrors), sum.decayed(h, mCounts), prior, weight)
	}
	s.network.read(scopeAll, 0, today, &sum)
	all := errors(h180, baseRate, baseWeight)
	s.network.read(scopeSKU, p.sku, today, &sum)
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
	}
	v[pSiteSize] = float32(ratio(sum.decayed(h365, mLogSize)/1000, sum.decayed(h365, mErrors)))
	s.neighbours(site, p, today, v, local, prior)
}

// neighbours reads the other positions of the site, the zone and the SKU, and
// who worked here last.
func (s *State) neighbours(site *site, p *position, today int32, v []float32, local, prior float64) {
	own := p.standing()
	it, z := site.items.at(p.item), &site.zones[p.zone]
	v[pSiteNegatives] = float32(site.negatives - own.negative)
	v[pZoneNegatives] = float32(z.negatives - own.negative)
	v[pItemNegatives], v[pItemPositions] = float32(it.negatives-own.negative), float32(it.positions)
	v[pSiteReceived] = float32(site.received-own.received) / float32(max(1, site.counted))
	var sum summary
	z.tally.read(today, &sum)
	v[pZoneRate] = float32(shrunk(sum.decayed(h60, mErrors), sum.decayed(h60, mCounts), local, skuWeight))
	it.tally.read(today, &sum)
	v[pItemRate] = float32(shrunk(sum.decayed(h365, mErrors), sum.decayed(h365, mCounts), prior, posWeight))
	if t := site.user(p.ledger.lastUser); t != nil {
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

// history reads the counts of a position.
func history(p *position, asOf int64, v []float32) {
	v[pCountsEver] = float32(len(p.counts))
	var errors, trials, size, over, n365, errors365, clean float64
	var last *count
	var nErrors int
	for i := len(p.counts) - 1; i >= 0; i-- {
		c := &p.counts[i]
		age := asOf - c.at
		w := decayPosition[min(age/dayMicros, int64(len(decayPosition)-1))]
		trials += w
		recent := age < 365*dayMicros
		if recent {
			n365++
		}
		d := c.variance()
		if d == 0 {
			if last == nil {
				clean++
			}
			continue
		}
		if last == nil {
			last = c
		}
		errors += w
		nErrors++
		size += float64(logSize(d)) / 1000
		if d > 0 {
			over++
		}
		if recent {
			errors365++
		}
		if packLike(c) {
			v[pLastRatio] = 1
		}
	}
	v[pRate30] = float32(shrunk(errors, trials, float64(v[pPrior30]), posWeight))
	v[pRate60] = float32(shrunk(errors, trials, float64(v[pPrior60]), posWeight))
	v[pErrorsEver], v[pErrors365], v[pCounts365] = float32(nErrors), float32(errors365), float32(n365)
	v[pOverShare] = float32(shrunk(over, float64(nErrors), 0.5, 2))
	v[pMeanSize] = float32(ratio(size, float64(nErrors)))
	if n := len(p.counts); n > 0 {
		v[pDaysSinceCount] = days(p.counts[n-1].at, asOf)
		v[pCleanRun] = float32(clean)
		if v[pLastRatio] != 1 {
			v[pLastRatio] = 0
		}
	}
	if last != nil {
		d := last.variance()
		v[pDaysSinceError] = days(last.at, asOf)
		v[pLastVariance] = float32(math.Copysign(float64(logSize(d))/1000, float64(d)))
		v[pLastRelative] = float32(float64(d) / (math.Abs(float64(last.book)) + 1000))
	}
}

// decayPosition[age] is 2^(-age/60 days): errors at a position are forgotten
// within a few months.
var decayPosition = func() (table [1024]float64) {
	for age := range table {
		table[age] = math.Exp2(-float64(age) / 60)
	}
	return table
}()

// packLike reports whether a count and its book differ by a factor that packs
// come in, the mark of a unit-of-measure error.
func packLike(c *count) bool {
	small, large := min(c.qty, c.book), max(c.qty, c.book)
	if small <= 0 {
		return false
	}
	for _, pack := range [...]int64{6, 10, 12, 20, 24, 48, 100, 144} {
		if large == small*pack {
			return true
		}
	}
	return false
}

// flows reads the movements of the last year.
func flows(p *position, asOf int64, v []float32) {
	const buckets = 6
	var out, in [buckets]float64
	var moves [numWindows]float32
	var asked, found, adjusted float64
	var exceptions28, exceptions90, adjusts, returns, transfers float32
	var e entry
	for log := p.log.since(asOf - 365*dayMicros); len(log) > 0; {
		e, log = log.next()
		age := int((asOf - e.at) / dayMicros)
		within90 := flag(age < 90)
		switch e.kind {
		case kindCount, kindPosting, kindOpening, kindASN:
			continue
		case kindPickException:
			exceptions28 += flag(age < 28)
			exceptions90 += within90
			if age < 90 && e.ref != none {
				asked += float64(e.ref)
				found += float64(e.qty)
			}
			continue
		case kindAdjustment:
			adjusts += within90
			adjusted += float64(within90) * math.Abs(float64(e.qty)) / 1000
			continue
		case kindReturn:
			returns += within90
		case kindTransfer:
			transfers += within90
		default:
		}
		for w, width := range windows {
			if age < int(width) {
				moves[w]++
			}
		}
		if b := age / 30; b >= buckets {
			continue
		} else if e.qty < 0 {
			out[b] -= float64(e.qty) / 1000
		} else {
			in[b] += float64(e.qty) / 1000
		}
	}
	v[pMoves7], v[pMoves28], v[pMoves90], v[pMoves365] = moves[w7], moves[w28], moves[w90], moves[w365]
	v[pExceptions28], v[pExceptions90], v[pAdjusts90] = exceptions28, exceptions90, adjusts
	v[pAdjustQty90], v[pReturns90], v[pTransfers90] = float32(adjusted), returns, transfers
	v[pShortShare90] = float32(ratio(found, asked))
	if len(p.log) == 0 {
		return
	}
	known := p.log[0].at
	v[pDaysKnown] = days(known, asOf)
	if p.ledger.lastMove != 0 {
		v[pDaysSinceMove] = days(p.ledger.lastMove, asOf)
	}
	n := min(buckets, int((asOf-known)/(30*dayMicros))+1)
	v[pOut30], v[pIn30] = float32(out[0]), float32(in[0])
	v[pOutMean], v[pOutTrend], v[pOutSpread] = flow(out[:n])
	v[pInMean], v[pInTrend], _ = flow(in[:n])
}

// flow returns the mean of a flow, newest first, the newest over the mean of
// the others, and the standard deviation over the mean. One unit is added to
// the denominators, so that slow movers do not explode.
func flow(x []float64) (mean, trend, spread float32) {
	var sum, squares float64
	for _, q := range x {
		sum += q
		squares += q * q
	}
	n := float64(len(x))
	m := sum / n
	mean, trend, spread = float32(m), nan, nan
	if n > 1 {
		trend = float32((x[0] + 1) / ((sum-x[0])/(n-1) + 1))
	}
	if n > 2 {
		spread = float32(math.Sqrt(max(0, squares/n-m*m)) / (m + 1))
	}
	return mean, trend, spread
}

// properties reads what the SKU is.
func (s *State) properties(site *site, p *position, v []float32) {
	it := site.items.at(p.item)
	if it.pack.known {
		v[pPack] = units(it.pack.value)
	}
	if it.cost.known {
		cost := float64(it.cost.value) / 1e6
		v[pUnitCost] = float32(cost)
		v[pBookValue] = float32(math.Log1p(math.Abs(float64(v[pBook])) * cost))
	}
}
