package scoring

import (
	"fmt"
	"math"
)

// An oddity is something unlike other periods between counts, told when its
// feature is above zero.
type oddity struct {
	feature, code string
	say           func(r reading) string
}

var oddities = []oddity{
	{"restated_qty", "STOCK_RESTATED", func(r reading) string {
		return fmt.Sprintf("Stock was corrected by %s since the last count.", figure(math.Expm1(r.of("restated_qty"))))
	}},
	{"out_repeated", "FIGURES_REPEAT", func(r reading) string {
		return fmt.Sprintf("As much left since the last count as in the period before: %s.", figure(r.of("out_since_count")))
	}},
	{"unchanged", "STOCK_UNCHANGED", func(r reading) string {
		return fmt.Sprintf("Book still says what was counted last: %s.", figure(r.of("book")))
	}},
	{"out_missing", "ISSUES_MISSING", func(r reading) string {
		return fmt.Sprintf("Nothing left in 30 days, %s is usual.", figure(math.Expm1(r.of("out_missing"))))
	}},
	{"in_missing", "RECEIPTS_MISSING", func(r reading) string {
		return fmt.Sprintf("Nothing came in 30 days, %s is usual.", figure(math.Expm1(r.of("in_missing"))))
	}},
}

// sayOdd tells the oddity that says most, or else the first there is.
func sayOdd(r reading) (code, text string) {
	code, text = "NOTHING_ODD", "Nothing is unusual since the last count."
	found := false
	for _, o := range oddities {
		if !(r.of(o.feature) > 0) {
			continue
		}
		if strongest := r.scorer.columns[o.feature] == r.strongest; strongest || !found {
			code, text, found = o.code, o.say(r), true
		}
	}
	return code, text
}
