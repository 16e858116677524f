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

	// What is odd since the last count.
	pRestatedQty // size of what corrections changed, logarithmic
	pUnchanged   // 1 when there is stock and the book is what was counted
	pOutRepeated // 1 when as much left as between the two counts before
	pOutMissing  // mean outflow of 30 days, logarithmic, when nothing left in 30 days; else 0
	pInMissing   // … of the inflow

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
	pRestatedQty: "restated_qty", pUnchanged: "unchanged", pOutRepeated: "out_repeated",
	pOutMissing: "out_missing", pInMissing: "in_missing",
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

var nan = float32(math.NaN())

// positionVector writes the features of a position just before asOf, which
// must be the site's front. A known book replaces the ledger's.
func (s *State) positionVector(site *site, p *position, asOf, book int64, v []float32) {
	o := p.vector(asOf, book, v)
	s.surroundings(site, &o, asOf, v)
}

// An outlook is what a position adds to the features that tell of its
// surroundings.
type outlook struct {
	book           int64
	errors, trials float64 // of its counts, by age
	home           home
	user           uint32 // who moved stock here last
	standing
}

// vector writes the features that the position alone tells, and NaN for all
// others.
func (p *position) vector(asOf, book int64, v []float32) outlook {
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
	if p.ledger.hasCount {
		v[pBookChange] = units(book - p.ledger.lastCount)
	}
	o := outlook{book: book, home: p.home, user: p.ledger.lastUser, standing: p.standing()}
	o.errors, o.trials = history(p, asOf, v)
	oddities(p, book, v)
	return o
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

// properties reads what the SKU is.
func (it *item) properties(v []float32) {
	if it.pack.known {
		v[pPack] = units(it.pack.value)
	}
	if it.cost.known {
		cost := float64(it.cost.value) / 1e6
		v[pUnitCost] = float32(cost)
		v[pBookValue] = float32(math.Log1p(math.Abs(float64(v[pBook])) * cost))
	}
}
