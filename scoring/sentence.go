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
// else the first one that tells of the group's direction. Where it is one of two that are
// alike the direction is said with it.
func (r reading) compare(code string, rates ...rated) sentence {
	var out sentence
	best := -1
	for _, x := range rates {
		rate, usual := r.of(x.feature), defaultBase
		if math.IsNaN(rate) {
			continue
		}
		if x.usual != "" {
			usual = r.of(x.usual)
		}
		s, worth := compared(code, x.alone+x.beside+".", rate, usual), 0
		switch {
		case s.lean.fits(r.raises) && r.isStrongest(x.feature):
			worth = 3
		case s.lean.fits(r.raises):
			worth = 2
		case s.lean == neither && (rate > 0 || !r.raises):
			s, worth = open(code, "%s", r.directed(fmt.Sprintf(x.alone, percent(rate))+".")), 1
		}
		if worth > best {
			out, best = s, worth
		}
	}
	return out
}

// directed says which way a group goes where its sentence does not.
func (r reading) directed(text string) string {
	verb := "lowers"
	if r.raises {
		verb = "raises"
	}
	return "This " + verb + " the risk: " + strings.ToLower(text[:1]) + text[1:]
}

// compared is a sentence of two rates, which leans by the figures as they are written.
func compared(code, format string, rate, usual float64) sentence {
	s := open(code, format, percent(rate), percent(usual))
	switch {
	case percent(rate) == percent(usual):
		s.lean = neither
	case rate > usual:
		s.lean = raising
	case rate < usual:
		s.lean = lowering
	}
	return s
}

func (r reading) isStrongest(feature string) bool {
	i, ok := r.scorer.columns[feature]
	return ok && i == r.strongest
}
