package scoring

import (
	"fmt"
	"math"
	"time"

	"tallyman/warehouse"
)

// Certain is the contribution given to a reason that is no estimate but a
// fact: more than any model says.
const Certain = 20.0

// packFactors are the ratios of a wrong unit of measure when the line's own
// pack does not say.
var packFactors = [...]warehouse.Qty{6, 10, 12, 20, 24, 48}

// scanned compares what was scanned with what was announced. It is false where
// either is not known or both agree.
func scanned(l *LineRequest) (Reason, bool) {
	got, want := l.Scanned.Qty, l.Expected.Qty
	if !l.Scanned.Known || !l.Expected.Known || got == want {
		return Reason{}, false
	}
	code, says := "SCANNED_OVER", fmt.Sprintf("Scanned %s, the ASN says %s: %s over.", got, want, got-want)
	if got < want {
		code, says = "SCANNED_SHORT", fmt.Sprintf("Scanned %s, the ASN says %s: %s short.", got, want, want-got)
	}
	small, large := min(got, want), max(got, want)
	if pack := l.Pack.Qty; l.Pack.Known && pack > warehouse.Unit && multiple(small, large, pack) {
		code = codePack
		says = fmt.Sprintf("Scanned %s, the ASN says %s: the ratio is the pack of %s. Check the unit of measure.", got, want, pack)
	} else if f := factor(small, large); f != 0 {
		code = "QTY_RATIO_UOM_LIKE"
		says = fmt.Sprintf("Scanned %s, the ASN says %s: a ratio of %d looks like a wrong unit of measure.", got, want, f)
	}
	return Reason{Code: code, Text: says, Contribution: Certain, Value: got.Units()}, true
}

// multiple reports whether large is small times the pack.
func multiple(small, large, pack warehouse.Qty) bool {
	return small > 0 && large%small == 0 && (large/small)*warehouse.Unit == pack
}

func factor(small, large warehouse.Qty) warehouse.Qty {
	for _, f := range packFactors {
		if small > 0 && large/f == small && large%f == 0 {
			return f
		}
	}
	return 0
}

// overdue knows whether a line is late where that is no longer a question: it
// is being received, or its time has passed.
func overdue(req *Request, r reading, arrived bool, asOf time.Time) (probability float64, reasons []Reason, known bool) {
	days := r.of("overdue")
	if arrived && !req.OccurredAt.IsZero() {
		days -= asOf.Sub(req.OccurredAt).Hours() / 24
	}
	switch {
	case days > 0:
		says := fmt.Sprintf("It was due %s ago.", span(days))
		if arrived {
			says = fmt.Sprintf("It came %s after it was due.", span(days))
		}
		return 1, []Reason{{Code: codeLate, Text: says, Contribution: Certain, Value: days}}, true
	case arrived && !math.IsNaN(days):
		return 0, nil, true
	}
	return 0, nil, false
}
