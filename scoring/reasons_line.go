package scoring

import (
	"fmt"
	"math"
	"time"
)

const codeSupplierShort = "SUPPLIER_SHORT_RATE_90D"

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

func sayExpected(r reading) (code, text string) {
	expected := math.Expm1(r.of("expected"))
	if r.of("round") == 1 {
		return "LINE_SIZE", fmt.Sprintf("%s announced, a round number.", figure(expected))
	}
	return "LINE_SIZE", fmt.Sprintf("%s announced.", figure(expected))
}

func sayLineCost(r reading) (code, text string) { return sayCost(math.Expm1(r.of("unit_cost"))) }

func sayPackRest(r reading) (code, text string) {
	if r.of("pack_rest") == 1 {
		return codePack, fmt.Sprintf("%s announced is no multiple of the pack of %s.",
			figure(math.Expm1(r.of("expected"))), figure(r.of("pack")))
	}
	return sayPack(r)
}

func sayLoad(r reading) (code, text string) {
	return "LOAD_SIZE", fmt.Sprintf("The load has %s.", count(r.of("load_lines"), "line"))
}

func sayEdits(r reading) (code, text string) {
	code = "ASN_EDITED_AFTER_SHIP"
	edits, usual := r.of("edits"), r.of("edited_supplier")
	switch {
	case edits > 0:
		return code, fmt.Sprintf("The ASN of this line was changed %s.", count(edits, "time"))
	case usual > 0:
		return code, fmt.Sprintf("This supplier changes %s ASN lines for every hundred sent.", figure(usual*100))
	}
	return code, "The ASN of this line was not changed."
}

func sayDue(r reading) (code, text string) {
	overdue := r.of("overdue")
	switch {
	case overdue > 0:
		return codeLate, fmt.Sprintf("It was due %s ago.", span(overdue))
	case math.IsNaN(r.of("days_waiting")):
		return "ASN_MISSING", "No ASN announced this line."
	}
	return "ASN_TIMING", fmt.Sprintf("Due in %s; announced %s ago.", span(-overdue), span(r.of("days_waiting")))
}

func sayLineDay(r reading) (code, text string) {
	weekday := r.of("weekday")
	if math.IsNaN(weekday + r.of("month")) {
		return "", ""
	}
	return "SEASON", fmt.Sprintf("It is due on a %s in %s.", time.Weekday(weekday), time.Month(r.of("month")))
}

func sayMonth(r reading) (code, text string) {
	if math.IsNaN(r.of("month")) {
		return "", ""
	}
	return "SEASON", fmt.Sprintf("It is %s.", time.Month(r.of("month")))
}

// compared tells a rate beside the usual one.
func compared(code, sentence string, rate, usual float64) (string, string) {
	return code, fmt.Sprintf(sentence+", %s is usual.", percent(rate), percent(usual))
}

func sayLateNow(r reading) (code, text string) {
	return compared("LATE_NOW", "At all sites %s of lines came late lately", r.of("late_all_60"), r.of("late_all"))
}

func sayLateSite(r reading) (code, text string) {
	return compared("SITE_LATE_RATE", "At this site %s of lines come late", r.of("late_site"), r.of("late_all"))
}

func sayLateSupplier(r reading) (code, text string) {
	return compared("SUPPLIER_LATE_RATE", "This supplier was late on %s of lines", r.of("late_supplier_60"), r.of("late_all"))
}

func sayOverdueSupplier(r reading) (code, text string) {
	code = "SUPPLIER_OVERDUE"
	share := r.of("overdue_supplier")
	switch {
	case math.IsNaN(share):
		return "", ""
	case share == 0:
		return code, "Nothing from this supplier is overdue now."
	}
	return code, fmt.Sprintf("This supplier is behind: %s of its lines still to come are overdue.", percent(share))
}

func sayLateCarrier(r reading) (code, text string) {
	return compared("CARRIER_LATE_RATE", "This carrier was late on %s of lines", r.of("late_carrier"), r.of("late_all"))
}

func sayLateSKU(r reading) (code, text string) {
	return compared("SKU_LATE_RATE", "This SKU came late on %s of lines", r.of("late_sku"), r.of("late_all"))
}

func sayShortSite(r reading) (code, text string) {
	return compared("SITE_SHORT_RATE", "At this site %s of lines come short", r.of("short_site"), r.of("short_all"))
}

func sayShortSupplier(r reading) (code, text string) {
	return compared(codeSupplierShort, "This supplier was short on %s of lines", r.of("short_supplier_90"), r.of("short_all"))
}

func sayShortSKU(r reading) (code, text string) {
	return compared("SKU_SHORT_RATE", "This SKU came short on %s of lines", r.of("short_sku"), r.of("short_all"))
}

func sayOver(r reading) (code, text string) {
	return "SUPPLIER_OVER_RATE_90D", fmt.Sprintf("This supplier sent too much on %s of lines.", percent(r.of("over_supplier")))
}

func saySupplierNew(r reading) (code, text string) {
	lines := r.of("closed_supplier")
	if lines == 0 {
		return "SUPPLIER_NEW", "Nothing from this supplier was received before."
	}
	return "SUPPLIER_HISTORY", fmt.Sprintf("%s from this supplier so far, the last %s ago.",
		count(lines, "line"), span(r.of("days_since_supplier")))
}

func sayLineSKU(r reading) (code, text string) {
	if r.of("new_sku") == 1 {
		return "SKU_NEW", "This SKU was not received before."
	}
	return compared("SKU_ACCURACY_LOW", "This SKU is off in %s of counts here", r.of("item_rate"), defaultBase)
}
