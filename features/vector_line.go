package features

import (
	"math"
	"time"
)

// The features of a line of an inbound load, as of an instant. Rates are
// shrunk towards the rate of everything inbound; "late" counts lines whose
// lateness is known, "short" and "over" lines that settled.
const (
	// What was announced.
	lExpected = iota // expected quantity, logarithmic
	lValue           // its value, logarithmic
	lUnitCost        // logarithmic
	lPack
	lPackRest  // 1 when the expected quantity is no multiple of the pack
	lRound     // 1 when it is a multiple of ten
	lLeadDays  // from the notice to the expected day
	lWeekday   // expected day of the week, Sunday 0
	lMonth     // expected month
	lEdits     // notices before the one in force
	lLoadLines // lines of the load
	lLoadValue // value of the load, logarithmic

	// How far it has come.
	lArrived     // 1 when the load is being received
	lDaysWaiting // since the notice
	lOverdue     // days past the expected time, below zero before it

	// How such lines went before.
	lLateAll
	lLateAll60
	lLateSite
	lLateSite60
	lLateSupplier
	lLateSupplier60
	lLateSupplierSite
	lLateCarrier
	lLateSKU
	lLatePrior // supplier, carrier and site together
	lDueSupplier
	lOverdueSupplier // share of its lines still to come that are overdue now
	lShortAll
	lShortSite
	lShortSupplier
	lShortSupplier90
	lShortSupplierSite
	lShortSKU
	lShortPrior
	lOverSupplier
	lOverSKU
	lEditedSupplier
	lClosedSupplier
	lDaysSinceSupplier // since the supplier's last known line

	// What the site knows of the SKU.
	lItemRate // variances at counts
	lItemPositions
	lNewSKU // 1 when no such line is known
	numLine
)

var lineNames = [numLine]string{
	lExpected: "expected", lValue: "value", lUnitCost: "unit_cost", lPack: "pack", lPackRest: "pack_rest", lRound: "round",
	lLeadDays: "lead_days", lWeekday: "weekday", lMonth: "month", lEdits: "edits", lLoadLines: "load_lines", lLoadValue: "load_value",
	lArrived: "arrived", lDaysWaiting: "days_waiting", lOverdue: "overdue",
	lLateAll: "late_all", lLateAll60: "late_all_60", lLateSite: "late_site", lLateSite60: "late_site_60", lLateSupplier: "late_supplier", lLateSupplier60: "late_supplier_60",
	lLateSupplierSite: "late_supplier_site", lLateCarrier: "late_carrier", lLateSKU: "late_sku", lLatePrior: "late_prior", lDueSupplier: "due_supplier",
	lOverdueSupplier: "overdue_supplier",
	lShortAll:        "short_all", lShortSite: "short_site", lShortSupplier: "short_supplier", lShortSupplier90: "short_supplier_90",
	lShortSupplierSite: "short_supplier_site", lShortSKU: "short_sku", lShortPrior: "short_prior",
	lOverSupplier: "over_supplier", lOverSKU: "over_sku", lEditedSupplier: "edited_supplier", lClosedSupplier: "closed_supplier",
	lDaysSinceSupplier: "days_since_supplier",
	lItemRate:          "item_rate", lItemPositions: "item_positions", lNewSKU: "new_sku",
}

// Priors of inbound rates where nothing is known: the mean supplier shortage
// rate per line is 3.8 % at most, an eighth of loads is late.
const (
	baseShort = 0.038
	baseOver  = 0.02
	baseLate  = 0.12
)

// openWeight is the weight, in lines, of the prior that nothing is overdue.
const openWeight = 3

// A lineQuery is a line about which something is asked.
type lineQuery struct {
	site      uint32
	notice    notice // what is announced; at is 0 when nothing was
	edits     int
	lines     int     // of the load
	loadValue float64 // major units, NaN when unknown
	arrived   bool
}

// lineVector writes the features of a line just before asOf, which must be
// the site's front.
func (s *State) lineVector(q *lineQuery, asOf int64, v []float32) {
	for i := range v {
		v[i] = nan
	}
	announced(q, asOf, v)
	s.lateness(q, dayOf(asOf), v)
	s.shortness(q, dayOf(asOf), v)
	if site := s.siteAt(q.site); site != nil {
		if i, ok := site.itemOf[q.notice.sku]; ok {
			site.items.at(i).stocked(dayOf(asOf), v)
		}
	}
}

// stocked writes what the site knows of the SKU from its own stock, once the
// fold has come to a fact of it.
func (it *item) stocked(today int32, v []float32) {
	if !it.heard() {
		return
	}
	var sum summary
	it.tally.read(today, &sum)
	v[lItemRate] = float32(shrunk(sum.window(w365, mErrors), sum.window(w365, mCounts), baseRate, posWeight))
	v[lItemPositions] = float32(it.positions)
}

func announced(q *lineQuery, asOf int64, v []float32) {
	n := &q.notice
	v[lEdits], v[lArrived], v[lLoadLines] = float32(q.edits), flag(q.arrived), float32(q.lines)
	v[lLoadValue] = float32(math.Log1p(q.loadValue))
	if n.expected != none {
		v[lExpected] = float32(math.Log1p(float64(n.expected) / 1000))
		v[lRound] = flag(n.expected%10_000 == 0)
		if n.cost != none {
			v[lValue] = float32(math.Log1p(value(n)))
		}
		if n.pack > 1000 {
			v[lPackRest] = flag(n.expected%n.pack != 0)
		}
	}
	if n.cost != none {
		v[lUnitCost] = float32(math.Log1p(float64(n.cost) / 1e6))
	}
	if n.pack != 0 {
		v[lPack] = units(n.pack)
	}
	if n.at != 0 {
		v[lDaysWaiting] = days(n.at, asOf)
	}
	if n.expectedAt != 0 {
		due := time.UnixMicro(n.expectedAt).UTC()
		v[lWeekday], v[lMonth] = float32(due.Weekday()), float32(due.Month())
		v[lOverdue] = days(n.expectedAt, asOf)
		if n.at != 0 {
			v[lLeadDays] = days(n.at, n.expectedAt)
		}
	}
}

// value is the announced value of a line in major units, NaN when unknown.
func value(n *notice) float64 {
	if n.expected == none || n.cost == none {
		return math.NaN()
	}
	return float64(n.expected) / 1000 * float64(n.cost) / 1e6
}

// lateness reads how often such lines were late, mostly over half a year,
// because it drifts.
func (s *State) lateness(q *lineQuery, today int32, v []float32) {
	n := &q.notice
	var sum summary
	rate := func(h int, prior, weight float64) float64 {
		return shrunk(sum.decayed(h, mLate), sum.decayed(h, mDue), prior, weight)
	}
	s.network.read(scopeInbound, 0, today, &sum)
	all := rate(h180, baseLate, 15)
	v[lLateAll60] = float32(rate(h60, all, 15))
	s.network.read(scopeInboundSite, q.site, today, &sum)
	local := rate(h180, all, 10)
	v[lLateSite60] = float32(rate(h60, all, 3))
	supplier, carrier, lane := all, all, local
	if n.supplier != 0 {
		s.network.read(scopeSupplier, n.supplier, today, &sum)
		supplier = rate(h180, all, 10)
		v[lLateSupplier60] = float32(rate(h60, all, 3))
		v[lDueSupplier] = float32(sum.ever(mDue))
		if day, _, _ := sum.lastCount(); day != minDay {
			v[lDaysSinceSupplier] = float32(today - day)
		}
		s.laneBefore(q, today, &sum)
		lane = rate(h180, local, 5)
		s.network.read(scopeOpen, n.supplier, today, &sum)
		v[lOverdueSupplier] = float32(shrunk(sum.ever(mOverdue), sum.ever(mOpen), 0, openWeight))
	}
	if n.carrier != 0 {
		s.network.read(scopeCarrier, n.carrier, today, &sum)
		carrier = rate(h180, all, 10)
	}
	s.network.read(scopeInboundSKU, n.sku, today, &sum)
	v[lNewSKU] = flag(sum.ever(mDue)+sum.ever(mClosed) == 0)
	v[lLateSKU] = float32(rate(h365, supplier, posWeight))
	v[lLateAll], v[lLateSite], v[lLateSupplier], v[lLateCarrier] = float32(all), float32(local), float32(supplier), float32(carrier)
	v[lLateSupplierSite] = float32(lane)
	v[lLatePrior] = float32(probability(logit(local) + logit(supplier) - logit(all)))
}

// laneBefore writes what is known of a supplier's lines to a site.
func (s *State) laneBefore(q *lineQuery, today int32, sum *summary) {
	*sum = summary{today: today}
	if site := s.siteAt(q.site); site != nil {
		if t := site.suppliers[q.notice.supplier]; t != nil {
			t.before(today, sum)
		}
	}
}

// shortness reads how often such lines came short or over.
func (s *State) shortness(q *lineQuery, today int32, v []float32) {
	n := &q.notice
	var sum summary
	rate := func(m measure, prior, weight float64) float64 {
		return shrunk(sum.decayed(h365, m), sum.decayed(h365, mClosed), prior, weight)
	}
	s.network.read(scopeInbound, 0, today, &sum)
	all, over := rate(mShort, baseShort, baseWeight), rate(mExcess, baseOver, baseWeight)
	s.network.read(scopeInboundSite, q.site, today, &sum)
	local := rate(mShort, all, baseWeight)
	supplier := all
	if n.supplier != 0 {
		s.network.read(scopeSupplier, n.supplier, today, &sum)
		supplier = rate(mShort, all, baseWeight)
		v[lShortSupplier90] = float32(shrunk(sum.window(w90, mShort), sum.window(w90, mClosed), supplier, posWeight))
		v[lOverSupplier] = float32(rate(mExcess, over, baseWeight))
		v[lEditedSupplier] = float32(ratio(sum.decayed(h365, mEdits), sum.decayed(h365, mClosed)))
		v[lClosedSupplier] = float32(sum.ever(mClosed))
		s.laneBefore(q, today, &sum)
		v[lShortSupplierSite] = float32(rate(mShort, supplier, posWeight))
	}
	s.network.read(scopeInboundSKU, n.sku, today, &sum)
	sku := rate(mShort, all, posWeight)
	v[lOverSKU] = float32(rate(mExcess, over, posWeight))
	v[lShortAll], v[lShortSite], v[lShortSupplier], v[lShortSKU] = float32(all), float32(local), float32(supplier), float32(sku)
	v[lShortPrior] = float32(probability(logit(supplier) + logit(sku) - logit(all)))
}

// siteAt returns the site's state, nil when it has none.
func (s *State) siteAt(id uint32) *site {
	if int(id) >= len(s.sites) {
		return nil
	}
	return s.sites[id]
}
