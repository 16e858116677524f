package scoring

import (
	"fmt"
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
		"what happened since the last count", sayOdd,
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

func sayBook(r reading) (code, text string) {
	book, low := r.of("book"), r.of("book_low")
	switch {
	case book < 0:
		return "NEGATIVE_ON_HAND", fmt.Sprintf("Book says %s: stock cannot be below zero.", figure(book))
	case low < 0:
		return "NEGATIVE_ON_HAND", fmt.Sprintf("Book went down to %s since the last count: stock cannot be below zero.", figure(low))
	case r.of("restated") == 1:
		return "STOCK_LEVEL", fmt.Sprintf("The opening balance was set again since the last count; book says %s.", figure(book))
	case book == 0:
		return "STOCK_LEVEL", "Book says there is nothing left here."
	}
	return "STOCK_LEVEL", fmt.Sprintf("Book says %s.", figure(book))
}

func saySinceCount(r reading) (code, text string) {
	code = "DAYS_SINCE_COUNT"
	since, known := r.of("days_since_count"), r.of("days_known")
	switch {
	case !math.IsNaN(since):
		return code, fmt.Sprintf("Not counted for %s; %s since.", span(since), count(r.of("moves_since_count"), "move"))
	case !math.IsNaN(known):
		return code, fmt.Sprintf("Never counted in the %s it is known.", span(known))
	}
	return code, "Never counted."
}

func sayMoves(r reading) (code, text string) {
	out, in := r.of("out_since_count"), r.of("in_since_count")
	from := "since the last count"
	if r.of("counts_ever") == 0 {
		from = "and never counted"
	}
	return "MOVES_SINCE_COUNT", fmt.Sprintf("%s %s: %s out, %s in.",
		count(r.of("moves_since_count"), "move"), from, figure(out), figure(in))
}

func sayDemand(r reading) (code, text string) {
	out, mean := r.of("out_30"), r.of("out_mean")
	still := r.of("days_since_move")
	switch {
	case math.IsNaN(out):
		return "DEMAND", "No stock has moved here yet."
	case still >= 60:
		return "DEMAND", fmt.Sprintf("No move for %s.", span(still))
	}
	return "DEMAND", fmt.Sprintf("%s left in the last 30 days, %s is usual.", figure(out), figure(mean))
}

func sayShortPicks(r reading) (code, text string) {
	n, share := r.of("exceptions_90"), r.of("short_share_90")
	switch {
	case n == 0:
		return "RECENT_SHORT_PICK", "No short pick in 90 days."
	case math.IsNaN(share):
		return "RECENT_SHORT_PICK", fmt.Sprintf("%s in 90 days.", count(n, "short pick"))
	}
	return "RECENT_SHORT_PICK", fmt.Sprintf("%s in 90 days: %s of what was asked for was found.", count(n, "short pick"), percent(share))
}

func sayAdjusts(r reading) (code, text string) {
	n := r.of("adjusts_90")
	if n == 0 {
		return "MANUAL_ADJUST_RECENT", "Not adjusted by hand in 90 days."
	}
	return "MANUAL_ADJUST_RECENT", fmt.Sprintf("Adjusted by hand %s in 90 days, by %s in all.", count(n, "time"), figure(r.of("adjust_qty_90")))
}

func sayReturns(r reading) (code, text string) {
	return "RETURN_TO_STOCK_RECENT", fmt.Sprintf("%s put back here in 90 days.", count(r.of("returns_90"), "return"))
}

func sayTransfers(r reading) (code, text string) {
	return "TRANSFER_RECENT", fmt.Sprintf("%s between sites in 90 days.", count(r.of("transfers_90"), "transfer"))
}

func sayErred(r reading) (code, text string) {
	code = "ERRED_BEFORE"
	errors, counts := r.of("errors_ever"), r.of("counts_ever")
	switch {
	case counts == 0:
		return code, fmt.Sprintf("Never counted; of positions like it %s are off.", percent(r.of("rate_60")))
	case errors == 0:
		return code, fmt.Sprintf("None of its counts was off so far (%s).", figure(counts))
	}
	text = fmt.Sprintf("%s of %s off", figure(errors), count(counts, "count"))
	if last := r.of("last_variance"); !math.IsNaN(last) {
		size := math.Copysign(math.Expm1(math.Abs(last)), last)
		text += fmt.Sprintf(", the last error by %s, %s ago", figure(size), span(r.of("days_since_error")))
	}
	return code, text + "."
}

func saySite(r reading) (code, text string) {
	rate, last := r.of("site_rate"), r.of("site_rate_last")
	if math.IsNaN(last) {
		return "SITE_ERRS_NOW", fmt.Sprintf("This site has not counted yet; %s off is usual elsewhere.", percent(rate))
	}
	return "SITE_ERRS_NOW", fmt.Sprintf("On this site's last day of counts %s were off; lately %s are.", percent(last), percent(rate))
}

func sayZone(r reading) (code, text string) {
	return "LOCATION_ACCURACY_LOW", fmt.Sprintf("In this zone %s of counts are off, at this site %s.",
		percent(r.of("zone_rate")), percent(r.of("site_rate")))
}

func sayPositionSKU(r reading) (code, text string) {
	code = "SKU_ACCURACY_LOW"
	if n := r.of("item_negatives"); n > 0 {
		return code, fmt.Sprintf("This SKU is below zero at %s here.", count(n, "other location"))
	}
	return code, fmt.Sprintf("This SKU is off in %s of counts here, at this site %s are.",
		percent(r.of("item_rate")), percent(r.of("site_rate")))
}

func sayUser(r reading) (code, text string) {
	return "LAST_HANDLER", fmt.Sprintf("Of positions last handled by the same user %s are off, at this site %s.",
		percent(r.of("user_rate")), percent(r.of("site_rate")))
}

func sayLastSupplier(r reading) (code, text string) {
	return codeSupplierShort, fmt.Sprintf("The supplier who delivered it last was short on %s of lines in a year.",
		percent(r.of("supplier_short")))
}

func sayPositionCost(r reading) (code, text string) { return sayCost(r.of("unit_cost")) }

func sayCost(cost float64) (code, text string) {
	return "HIGH_UNIT_VALUE", fmt.Sprintf("One unit costs %.2f.", cost)
}

func sayPack(r reading) (code, text string) {
	return "PACK_SIZE", fmt.Sprintf("It comes in packs of %s.", figure(r.of("pack")))
}
