package scoring

import (
	"fmt"
	"math"
	"strings"
)

// A sentence is what a group says of a vector.
type sentence struct {
	code, text string // no text where it is not known
	lean       lean
}

// A lean is what whoever reads a sentence takes from it, without being told whether
// it is a reason for or against.
type lean int

const (
	either   lean = iota // nothing of the kind: "It is March."
	raising              // that the risk is higher than usual
	lowering             // that it is lower
	neither              // that it is as usual
)

func (l lean) fits(raises bool) bool {
	return l == either || l == raising && raises || l == lowering && !raises
}

// unknownFact is said where nothing is known.
var unknownFact = sentence{}

func open(code, format string, args ...any) sentence {
	return sentence{code, fmt.Sprintf(format, args...), either}
}

func bad(code, format string, args ...any) sentence {
	return sentence{code, fmt.Sprintf(format, args...), raising}
}

func good(code, format string, args ...any) sentence {
	return sentence{code, fmt.Sprintf(format, args...), lowering}
}

// some is bad news where there are any, and good news where there are none.
func some(code string, n float64, format string, args ...any) sentence {
	if n == 0 {
		return good(code, format, args...)
	}
	return bad(code, format, args...)
}

// A rated is a feature that is a rate, in words, and another one beside it: usual is
// the feature, "" for what is usual where nothing is known.
type rated struct{ feature, alone, beside, usual string }

// compare puts one rate beside another: that of the feature which says most, or
// else the first one that tells of the group's direction. Where none does, a rate is told
// alone, with the direction.
func (r reading) compare(code string, rates ...rated) sentence {
	told, worth := -1, -1
	for i := range rates {
		if w := r.worth(&rates[i]); w > worth {
			told, worth = i, w
		}
	}
	if told < 0 {
		return unknownFact
	}
	x := &rates[told]
	if rate := r.of(x.feature); worth == alone {
		return sentence{code, r.directed(fmt.Sprintf(x.alone, percent(rate)) + "."), either}
	}
	return compared(code, x.alone+x.beside+".", r.of(x.feature), r.usualOf(x))
}

func (r reading) usualOf(x *rated) float64 {
	if x.usual == "" {
		return defaultBase
	}
	return r.of(x.usual)
}

// What a rate is worth as a reason.
const (
	unknownRate = iota - 1
	opposed     // it tells of the other direction
	alone       // it does so only beside the usual one, or is like it
	agreeing
	strongest // agreeing, and the feature says most
)

func (r reading) worth(x *rated) int {
	rate := r.of(x.feature)
	switch lean := leanOf(rate, r.usualOf(x)); {
	case math.IsNaN(rate):
		return unknownRate
	case lean.fits(r.raises) && r.isStrongest(x.feature):
		return strongest
	case lean.fits(r.raises):
		return agreeing
	case r.raises && rate > 0, !r.raises && lean == neither:
		return alone
	}
	return opposed
}

// directed says which way a group goes where its sentence does not.
func (r reading) directed(text string) string {
	verb := "lowers"
	if r.raises {
		verb = "raises"
	}
	return "This " + verb + " the risk: " + strings.ToLower(text[:1]) + text[1:]
}

// compared is a sentence of two rates.
func compared(code, format string, rate, usual float64) sentence {
	return sentence{code, fmt.Sprintf(format, percent(rate), percent(usual)), leanOf(rate, usual)}
}

// leanOf goes by the figures as they are written.
func leanOf(rate, usual float64) lean {
	switch rate, usual = written(rate), written(usual); {
	case rate == usual:
		return neither
	case rate > usual:
		return raising
	case rate < usual:
		return lowering
	}
	return either // one of them is not known
}

func (r reading) isStrongest(feature string) bool {
	i, ok := r.scorer.columns[feature]
	return ok && i == r.strongest
}
