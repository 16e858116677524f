package scoring

import (
	"math"
)

// positionGroups tells the features of a position as reasons.
var positionGroups = []group{
	{[]string{"book", "book_negative", "book_zero", "book_low", "cover", "restated"}, "the book stock", sayBook},
	{
		[]string{"days_since_count", "days_known", "counts_ever", "counts_365", "site_days_since_count", "count_lag"},
		"when it was counted", saySinceCount,
	},
	{[]string{"moves_since_count", "out_since_count", "in_since_count", "book_change"}, "moves since the last count", sayMoves},
	{
		[]string{"restated_qty", "unchanged", "out_repeated", "out_missing", "in_missing"},
		"the time since the last count", sayOdd,
	},
	{
		[]string{
			"out_30", "out_mean", "out_trend", "out_spread", "in_30", "in_mean", "in_trend",
			"moves_7", "moves_28", "moves_90", "moves_365", "days_since_move",
		}, "how stock moves here", sayDemand,
	},
	{[]string{"exceptions_28", "exceptions_90", "short_share_90"}, "pick exceptions", sayShortPicks},
	{[]string{"adjusts_90", "adjust_qty_90"}, "manual adjustments", sayAdjusts},
	{[]string{"returns_90"}, "returns", sayReturns},
	{[]string{"transfers_90"}, "transfers", sayTransfers},
	{
		[]string{
			"rate_30", "rate_60", "errors_ever", "errors_365", "clean_run", "last_variance", "last_relative", "last_ratio",
			"mean_size", "over_share", "days_since_error",
		}, "earlier counts of it", sayErred,
	},
	{
		[]string{
			"site_rate", "site_rate_last", "site_clean_run", "site_errors_28", "site_size",
			"site_negatives", "site_received", "prior_30", "prior_60",
		}, "counts of this site", saySite,
	},
	{[]string{"zone_rate", "zone_negatives"}, "counts of this zone", sayZone},
	{[]string{"sku_rate", "item_rate", "item_negatives", "item_positions"}, "counts of this SKU", sayPositionSKU},
	{[]string{"user_rate", "user_moves_28"}, "who moved stock here last", sayUser},
	{[]string{"supplier_short"}, "the supplier", sayLastSupplier},
	{[]string{"unit_cost", "book_value"}, "its value", sayPositionCost},
	{[]string{"pack"}, "its pack", sayPack},
	{[]string{"month"}, "the season", sayMonth},
	attributes,
}

func sayBook(r reading) sentence {
	book, low := r.of("book"), r.of("book_low")
	switch {
	case book < 0 && r.raises:
		return bad("NEGATIVE_ON_HAND", "Book says %s: stock cannot be below zero.", figure(book))
	case low < 0 && r.raises:
		return bad("NEGATIVE_ON_HAND", "Book went down to %s since the last count: stock cannot be below zero.", figure(low))
	case r.of("restated") == 1:
		return open("STOCK_LEVEL", "The opening balance was set again since the last count; book says %s.", figure(book))
	case book == 0:
		return open("STOCK_LEVEL", "Book says there is nothing left here.")
	}
	return open("STOCK_LEVEL", "Book says %s.", figure(book))
}

func saySinceCount(r reading) sentence {
	const code = "DAYS_SINCE_COUNT"
	since, known := r.of("days_since_count"), r.of("days_known")
	switch {
	case !math.IsNaN(since):
		return open(code, "Not counted for %s; %s since.", span(since), count(r.of("moves_since_count"), "move"))
	case !math.IsNaN(known):
		return open(code, "Never counted in the %s it is known.", span(known))
	}
	return open(code, "Never counted.")
}

func sayMoves(r reading) sentence {
	out, in := r.of("out_since_count"), r.of("in_since_count")
	from := "since the last count"
	if r.of("counts_ever") == 0 {
		from = "and never counted"
	}
	return open("MOVES_SINCE_COUNT", "%s %s: %s out, %s in.", count(r.of("moves_since_count"), "move"), from, figure(out), figure(in))
}

func sayDemand(r reading) sentence {
	out, mean := r.of("out_30"), r.of("out_mean")
	still := r.of("days_since_move")
	switch {
	case math.IsNaN(out):
		return open("DEMAND", "No stock has moved here yet.")
	case still >= 60:
		return open("DEMAND", "No move for %s.", span(still))
	}
	return open("DEMAND", "%s left in the last 30 days, %s is usual.", figure(out), figure(mean))
}

func sayShortPicks(r reading) sentence {
	const code = "RECENT_SHORT_PICK"
	n, share := r.of("exceptions_90"), r.of("short_share_90")
	switch {
	case n == 0:
		return good(code, "No short pick in 90 days.")
	case math.IsNaN(share):
		return bad(code, "%s in 90 days.", count(n, "short pick"))
	}
	return bad(code, "%s in 90 days: %s of what was asked for was found.", count(n, "short pick"), percent(share))
}

// An adjustment is a sign of trouble, and puts the book right.
func sayAdjusts(r reading) sentence {
	const code = "MANUAL_ADJUST_RECENT"
	n := r.of("adjusts_90")
	if n == 0 {
		return open(code, "Not adjusted by hand in 90 days.")
	}
	return open(code, "Adjusted by hand %s in 90 days, by %s in all.", count(n, "time"), figure(r.of("adjust_qty_90")))
}

func sayReturns(r reading) sentence {
	n := r.of("returns_90")
	return some("RETURN_TO_STOCK_RECENT", n, "%s put back here in 90 days.", count(n, "return"))
}

func sayTransfers(r reading) sentence {
	n := r.of("transfers_90")
	return some("TRANSFER_RECENT", n, "%s between sites in 90 days.", count(n, "transfer"))
}

func sayErred(r reading) sentence {
	const code = "ERRED_BEFORE"
	errors, counts := r.of("errors_ever"), r.of("counts_ever")
	switch {
	case counts == 0:
		return open(code, "Never counted; of positions like it %s are off.", percent(r.of("rate_60")))
	case errors == 0 && r.raises: // what speaks for an error is not its own counts
		return compared(code, "Off in none of "+count(counts, "count")+"; but of positions like it %s are, at this site %s.", r.of("prior_60"), r.of("site_rate"))
	case errors == 0:
		return good(code, "None of its counts was off so far (%s).", figure(counts))
	}
	last := r.of("last_variance")
	switch {
	case math.IsNaN(last):
		return bad(code, "%s of %s off.", figure(errors), count(counts, "count"))
	case !r.raises && errors/counts > r.of("site_rate"):
		return open(code, "Its last error was %s ago.", span(r.of("days_since_error")))
	}
	return open(code, "%s of %s off, the last error by %s, %s ago.",
		figure(errors), count(counts, "count"), figure(math.Copysign(math.Expm1(math.Abs(last)), last)), span(r.of("days_since_error")))
}

func saySite(r reading) sentence {
	const code = "SITE_ERRS_NOW"
	rate, last := r.of("site_rate"), r.of("site_rate_last")
	if math.IsNaN(last) {
		return open(code, "This site has not counted yet; %s off is usual elsewhere.", percent(rate))
	}
	if !leanOf(last, rate).fits(r.raises) {
		return open(code, "At this site %s of counts are off lately.", percent(rate))
	}
	return compared(code, "On this site's last day of counts %s were off; lately %s are.", last, rate)
}

func sayZone(r reading) sentence {
	return r.compare("LOCATION_ACCURACY_LOW", rated{"zone_rate", "In this zone %s of counts are off", ", at this site %s", "site_rate"})
}

func sayPositionSKU(r reading) sentence {
	const code = "SKU_ACCURACY_LOW"
	if n := r.of("item_negatives"); n > 0 && r.raises {
		return bad(code, "This SKU is below zero at %s here.", count(n, "other location"))
	}
	return r.compare(code,
		rated{"item_rate", "This SKU is off in %s of counts here", ", at this site %s are", "site_rate"},
		rated{"sku_rate", "This SKU is off in %s of counts at all sites", ", of all SKUs here %s are", "site_rate"})
}

func sayUser(r reading) sentence {
	if r.isStrongest("user_moves_28") {
		return open("LAST_HANDLER", "Who moved stock here last made %s in 28 days.", count(r.of("user_moves_28"), "move"))
	}
	return r.compare("LAST_HANDLER", rated{"user_rate", "Of positions last handled by the same user %s are off", ", at this site %s", "site_rate"})
}

func sayLastSupplier(r reading) sentence {
	rate := r.of("supplier_short")
	s := open(codeSupplierShort, "The supplier who delivered it last was short on %s of lines in a year.", percent(rate))
	if rate == 0 {
		s.lean = lowering
	}
	return s
}

func sayPositionCost(r reading) sentence { return sayCost(r.of("unit_cost")) }

func sayCost(cost float64) sentence { return open("HIGH_UNIT_VALUE", "One unit costs %.2f.", cost) }

func sayPack(r reading) sentence {
	return open("PACK_SIZE", "It comes in packs of %s.", figure(r.of("pack")))
}
