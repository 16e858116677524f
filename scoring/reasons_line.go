package scoring

import (
	"math"
	"time"
)

const codeSupplierShort = "SUPPLIER_SHORT_RATE_90D"

// What is put beside a rate.
const (
	usually   = ", %s is usual"
	before    = ", over a longer time %s"
	elsewhere = ", at all sites on %s"
)

// lineGroups tells the features of a load's line as reasons.
var lineGroups = []group{
	{[]string{"expected", "round"}, "the quantity announced", sayExpected},
	{[]string{"value", "unit_cost"}, "its value", sayLineCost},
	{[]string{"pack", "pack_rest"}, "its pack", sayPackRest},
	{[]string{"load_lines", "load_value"}, "the load", sayLoad},
	{[]string{"edits", "edited_supplier"}, "changes to the ASN", sayEdits},
	{[]string{"lead_days", "days_waiting", "overdue", "arrived"}, "when it is due", sayDue},
	{[]string{"weekday", "month"}, "the day it is due", sayLineDay},
	{[]string{"late_all_60"}, "how late loads are now", sayLateNow},
	{[]string{"late_all", "late_site", "late_site_60"}, "how late loads are here", sayLateSite},
	{
		[]string{"late_supplier", "late_supplier_60", "late_supplier_site", "late_prior"},
		"how late this supplier is", sayLateSupplier,
	},
	{[]string{"overdue_supplier"}, "what this supplier is behind with", sayOverdueSupplier},
	{[]string{"late_carrier"}, "how late this carrier is", sayLateCarrier},
	{[]string{"late_sku"}, "how late this SKU is", sayLateSKU},
	{[]string{"short_all", "short_site"}, "how often lines are short here", sayShortSite},
	{
		[]string{"short_supplier", "short_supplier_90", "short_supplier_site", "short_prior"},
		"how often this supplier is short", sayShortSupplier,
	},
	{[]string{"short_sku"}, "how often this SKU is short", sayShortSKU},
	{[]string{"over_supplier", "over_sku"}, "how often this supplier sends too much", sayOver},
	{[]string{"due_supplier", "closed_supplier", "days_since_supplier"}, "the supplier", saySupplierNew},
	{[]string{"item_rate", "item_positions", "new_sku"}, "this SKU", sayLineSKU},
	attributes,
}

func sayExpected(r reading) sentence {
	expected := math.Expm1(r.of("expected"))
	if r.of("round") == 1 {
		return open("LINE_SIZE", "%s announced, a round number.", figure(expected))
	}
	return open("LINE_SIZE", "%s announced.", figure(expected))
}

func sayLineCost(r reading) sentence { return sayCost(math.Expm1(r.of("unit_cost"))) }

func sayPackRest(r reading) sentence {
	if r.of("pack_rest") == 1 && r.raises {
		return bad(codePack, "%s announced is no multiple of the pack of %s.", figure(math.Expm1(r.of("expected"))), figure(r.of("pack")))
	}
	return sayPack(r)
}

func sayLoad(r reading) sentence {
	return open("LOAD_SIZE", "The load has %s.", count(r.of("load_lines"), "line"))
}

func sayEdits(r reading) sentence {
	const code = "ASN_EDITED_AFTER_SHIP"
	edits, usual := r.of("edits"), r.of("edited_supplier")
	switch {
	case edits > 0:
		return bad(code, "The ASN of this line was changed %s.", count(edits, "time"))
	case usual > 0:
		return open(code, "This supplier changes %s ASN lines for every hundred sent.", figure(usual*100))
	}
	return good(code, "The ASN of this line was not changed.")
}

func sayDue(r reading) sentence {
	overdue := r.of("overdue")
	switch {
	case overdue > 0:
		return open(codeLate, "It was due %s ago.", span(overdue))
	case math.IsNaN(r.of("days_waiting")):
		return open("ASN_MISSING", "No ASN announced this line.")
	}
	return open("ASN_TIMING", "Due in %s; announced %s ago.", span(-overdue), span(r.of("days_waiting")))
}

func sayLineDay(r reading) sentence {
	weekday := r.of("weekday")
	if math.IsNaN(weekday + r.of("month")) {
		return unknownFact
	}
	return open("SEASON", "It is due on a %s in %s.", time.Weekday(weekday), time.Month(r.of("month")))
}

func sayMonth(r reading) sentence {
	if math.IsNaN(r.of("month")) {
		return unknownFact
	}
	return open("SEASON", "It is %s.", time.Month(r.of("month")))
}

func sayLateNow(r reading) sentence {
	return r.compare("LATE_NOW", rated{"late_all_60", "At all sites %s of lines came late lately", usually, "late_all"})
}

func sayLateSite(r reading) sentence {
	return r.compare("SITE_LATE_RATE",
		rated{"late_site", "At this site %s of lines come late", usually, "late_all"},
		rated{"late_site_60", "At this site %s of lines came late lately", usually, "late_all"},
		rated{"late_site_60", "At this site %s of lines came late lately", before, "late_site"})
}

func sayLateSupplier(r reading) sentence {
	return r.compare("SUPPLIER_LATE_RATE",
		rated{"late_supplier_60", "This supplier was late on %s of lines lately", usually, "late_all"},
		rated{"late_supplier", "This supplier was late on %s of lines", usually, "late_all"},
		rated{"late_supplier_site", "This supplier was late here on %s of lines", usually, "late_all"},
		rated{"late_supplier_60", "This supplier was late on %s of lines lately", before, "late_supplier"},
		rated{"late_supplier_site", "This supplier was late here on %s of lines", elsewhere, "late_supplier"},
		rated{"late_prior", "Of lines of such a supplier to such a site %s come late", usually, "late_all"})
}

func sayOverdueSupplier(r reading) sentence {
	const code = "SUPPLIER_OVERDUE"
	share := r.of("overdue_supplier")
	switch {
	case math.IsNaN(share):
		return unknownFact
	case share == 0:
		return good(code, "Nothing from this supplier is overdue now.")
	}
	return bad(code, "This supplier is behind: %s of its lines still to come are overdue.", percent(share))
}

func sayLateCarrier(r reading) sentence {
	return r.compare("CARRIER_LATE_RATE", rated{"late_carrier", "This carrier was late on %s of lines", usually, "late_all"})
}

func sayLateSKU(r reading) sentence {
	return r.compare("SKU_LATE_RATE", rated{"late_sku", "This SKU came late on %s of lines", usually, "late_all"})
}

func sayShortSite(r reading) sentence {
	return r.compare("SITE_SHORT_RATE", rated{"short_site", "At this site %s of lines come short", usually, "short_all"})
}

func sayShortSupplier(r reading) sentence {
	return r.compare(codeSupplierShort,
		rated{"short_supplier_90", "This supplier was short on %s of lines lately", usually, "short_all"},
		rated{"short_supplier", "This supplier was short on %s of lines", usually, "short_all"},
		rated{"short_supplier_site", "This supplier was short here on %s of lines", usually, "short_all"},
		rated{"short_supplier_90", "This supplier was short on %s of lines lately", before, "short_supplier"},
		rated{"short_supplier_site", "This supplier was short here on %s of lines", elsewhere, "short_supplier"},
		rated{"short_prior", "Of lines of such a supplier and SKU %s come short", usually, "short_all"})
}

func sayShortSKU(r reading) sentence {
	return r.compare("SKU_SHORT_RATE", rated{"short_sku", "This SKU came short on %s of lines", usually, "short_all"})
}

func sayOver(r reading) sentence {
	const code = "SUPPLIER_OVER_RATE_90D"
	rate := r.of("over_supplier")
	if rate == 0 {
		return good(code, "This supplier sent too much on 0 %% of lines.")
	}
	return open(code, "This supplier sent too much on %s of lines.", percent(rate))
}

func saySupplierNew(r reading) sentence {
	lines := r.of("closed_supplier")
	if lines == 0 {
		return open("SUPPLIER_NEW", "Nothing from this supplier was received before.")
	}
	return open("SUPPLIER_HISTORY", "%s from this supplier so far, the last %s ago.",
		count(lines, "line"), span(r.of("days_since_supplier")))
}

func sayLineSKU(r reading) sentence {
	if r.of("new_sku") == 1 {
		return open("SKU_NEW", "This SKU was not received before.")
	}
	return r.compare("SKU_ACCURACY_LOW", rated{"item_rate", "This SKU is off in %s of counts here", usually, ""})
}
