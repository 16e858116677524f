package scoring

import (
	"fmt"
	"math"
)

// An oddity is something unlike other periods between counts, told when its
// feature is above zero.
type oddity struct {
	feature, code string
	lean          lean
	say           func(r reading) string
}

var oddities = []oddity{
	{"restated_qty", "STOCK_RESTATED", raising, func(r reading) string {
		return fmt.Sprintf("Stock was corrected by %s since the last count.", figure(math.Expm1(r.of("restated_qty"))))
	}},
	{"out_repeated", "FIGURES_REPEAT", raising, func(r reading) string {
		return fmt.Sprintf("As much left since the last count as in the period before: %s.", figure(r.of("out_since_count")))
	}},
	{"unchanged", "STOCK_UNCHANGED", either, func(r reading) string {
		return fmt.Sprintf("Book still says what was counted last: %s.", figure(r.of("book")))
	}},
	{"out_missing", "ISSUES_MISSING", either, func(r reading) string {
		return fmt.Sprintf("Nothing left in 30 days, %s is usual.", figure(math.Expm1(r.of("out_missing"))))
	}},
	{"in_missing", "RECEIPTS_MISSING", either, func(r reading) string {
		return fmt.Sprintf("Nothing came in 30 days, %s is usual.", figure(math.Expm1(r.of("in_missing"))))
	}},
}

// sayOdd tells the oddity that says most, or else the first there is that tells of the
// group's direction.
func sayOdd(r reading) sentence {
	out := good("NOTHING_ODD", "Nothing is unusual since the last count.")
	if r.raises {
		out.code = "SINCE_LAST_COUNT" // nothing to name raises it
	}
	found := false
	for _, o := range oddities {
		if !(r.of(o.feature) > 0) {
			continue
		}
		fits := o.lean.fits(r.raises)
		if !found || fits && (r.isStrongest(o.feature) || !out.lean.fits(r.raises)) {
			out, found = sentence{o.code, o.say(r), o.lean}, true
		}
	}
	return out
}
