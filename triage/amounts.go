package triage

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What looks like a number and is no quantity, and how quantities are written.
var (
	clockWritten    = regexp.MustCompile(`\b(?:[01]?\d|2[0-3])[:h][0-5]\d\b`)
	dateWritten     = regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./](?:\d{2,4})?\b|\b(?:0?[1-9]|1[0-2])[/-]20[2-4]\d\b`)
	placeWritten    = regexp.MustCompile(`\b[a-z]{1,2}\d?-\d{1,3}(?:-[a-z\d]{1,3}){0,3}\b`)
	thousandWritten = regexp.MustCompile(`\b(\d{1,3})[.,'](\d{3})\b`)
	fractionWritten = regexp.MustCompile(`\b(\d+)[.,]\d{1,2}\b`)
	unitWritten     = regexp.MustCompile(`\b(\d+)(x|pcs?|ctns?|ct|cs|ea|plts?|pal|bx|bxs|boxes|cases|units?|st|stk|szt|uds?|pzs?|krt|ds)\b`)
)

// plainAmounts writes a normalised text so that each quantity is one word of
// digits: thousands without marks, no fractions, no clocks, dates and places.
func plainAmounts(normalized string) string {
	if !strings.ContainsAny(normalized, "0123456789") {
		return normalized
	}
	text := clockWritten.ReplaceAllString(normalized, " clock ")
	text = dateWritten.ReplaceAllString(text, " date ")
	text = placeWritten.ReplaceAllString(text, " bin ")
	text = thousandWritten.ReplaceAllString(text, "$1$2")
	text = fractionWritten.ReplaceAllString(text, "$1")
	return unitWritten.ReplaceAllString(text, "$1 $2")
}

// numerals are numbers as words, without accents.
var numerals = numbered(
	"zero null cero nul",
	"eins een jeden une",
	"two zwei dos twee dwa dwie deux",
	"three drei tres drie trzy trois",
	"four vier cuatro cztery quatre",
	"five funf cinco vijf piec cinq",
	"six sechs seis zes szesc",
	"seven sieben siete zeven siedem sept",
	"eight acht ocho osiem huit",
	"nine neun nueve negen dziewiec neuf",
	"ten zehn diez tien dziesiec dix",
	"eleven elf once jedenascie onze",
	"twelve zwolf doce twaalf dwanascie douze dozen dutzend docena dozijn tuzin",
	"thirteen", "fourteen", "fifteen funfzehn quince", "sixteen", "seventeen", "eighteen", "nineteen",
)

// tens are the numerals that another may follow: "thirty two".
var tens = map[string]int{
	"twenty": 20, "zwanzig": 20, "veinte": 20, "twintig": 20, "dwadziescia": 20, "vingt": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
	"dreissig": 30, "vierzig": 40, "funfzig": 50, "sechzig": 60, "siebzig": 70, "achtzig": 80, "neunzig": 90,
	"treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "setenta": 70, "ochenta": 80, "noventa": 90,
	"dertig": 30, "veertig": 40, "vijftig": 50, "zestig": 60, "zeventig": 70, "tachtig": 80, "negentig": 90,
	"trzydziesci": 30, "czterdziesci": 40, "piecdziesiat": 50, "szescdziesiat": 60,
	"trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60,
}

// hundreds are the numerals that multiply the one before them.
var hundreds = map[string]int{
	"hundred": 100, "thousand": 1000, "hundert": 100, "tausend": 1000, "cien": 100, "mil": 1000,
	"honderd": 100, "duizend": 1000, "sto": 100, "tysiac": 1000, "cent": 100, "mille": 1000,
}

func numbered(words ...string) map[string]int {
	out := map[string]int{}
	for n, all := range words {
		for w := range strings.FieldsSeq(all) {
			out[w] = n
		}
	}
	return out
}

// Words after which a number says which one, and those after which only a long
// number does: "door 4" and "PO 81177", but "PO 40" may be a quantity.
var (
	namesOne = strings.Fields(`line lines door dock dk aisle lane wave level zone bay station stn store shop site trailer pallet row rack slot
		position pos printer pack bench shift warehouse whse tor gang platz ebene filiale zeile puerta pasillo linea tienda nivel anden deur
		gangpad regel winkel niveau brama bramie linia sklep poziom porte quai allee ligne magasin`)
	namesLong = strings.Fields(`po order orders asn sku item article art lot batch serial rma dn grn so wo ref no nr number delivery invoice ean
		artikel bestellung auftrag lieferschein charge pedido orden oc articulo lote factura bestelling zamowienie zlecenie index partia faktura
		commande reference cde bon facture`)
)

const shortestName = 1000

// amount is a number of a text, and the word it is.
type amount struct{ n, at int }

// countedIn are the numbers among the words that do not name something.
func countedIn(words []string) []amount {
	var out []amount
	for at := 0; at < len(words); at++ {
		n, length := numberAt(words[at:])
		w := words[at]
		if length == 0 || length == 1 && len(w) > 1 && w[0] == '0' || n > 99_999 {
			continue
		}
		if at == 0 || !slices.Contains(namesOne, words[at-1]) && (n < shortestName || !slices.Contains(namesLong, words[at-1])) {
			out = append(out, amount{n, at})
		}
		at += length - 1
	}
	return out
}

// numberAt is the number that the words begin with, and how many of them it
// takes; none if they begin with another word.
func numberAt(words []string) (n, length int) {
	if times, ok := hundreds[words[0]]; ok {
		return times, 1
	}
	n, length = unitsAt(words)
	if length > 0 && length < len(words) && n < 100 {
		if times := hundreds[words[length]]; times > 0 {
			return n * times, length + 1
		}
	}
	return n, length
}

// unitsAt is [numberAt] without hundreds.
func unitsAt(words []string) (n, length int) {
	if n, err := strconv.Atoi(words[0]); err == nil {
		return n, 1
	}
	if n, ok := numerals[words[0]]; ok {
		return n, 1
	}
	n, ok := tens[words[0]]
	if !ok {
		return 0, 0
	}
	if len(words) > 1 {
		if unit := numerals[words[1]]; unit > 0 && unit < 10 {
			return n + unit, 2
		}
	}
	return n, 1
}

// numberForms calls each with the ways numbers are written: clocks, weights, below
// zero.
func numberForms(normalized string, each func(string)) {
	for _, shape := range numberShapes {
		if n := len(shape.pattern.FindAllStringIndex(normalized, 2)); n > 0 {
			each(shape.name)
			if n > 1 {
				each(shape.name + "s")
			}
		}
	}
}

// related calls each with how the numbers of a text compare.
func (l *Lexicon) related(r reading, each func(string)) {
	l.expectedAndFound(r, each)
	for i := 1; i < len(r.amounts); i++ {
		a, b := r.amounts[i-1], r.amounts[i]
		each("then " + compared(b.n, a.n))
		if slices.ContainsFunc(r.words[a.at+1:b.at], func(w string) bool { return slices.Contains(contrasts, w) }) {
			each("rather " + compared(a.n, b.n))
		}
		low, high := min(a.n, b.n), max(a.n, b.n)
		if low > 0 && high > low && high%low == 0 && slices.Contains(packSizes, high/low) {
			each("pack size apart")
		}
	}
}

// expectedAndFound compares the numbers of what should be there with those of
// what is. Where one of two numbers says neither, it may be the other.
func (l *Lexicon) expectedAndFound(r reading, each func(string)) {
	should, is, neither := -1, -1, -1
	for _, q := range r.amounts {
		switch l.nearest(r, q.at) {
		case l.expected:
			if should >= 0 && should != q.n {
				each("two expected")
			}
			should = max(should, q.n)
		case l.found:
			is = max(is, q.n)
		default:
			neither = q.n
		}
	}
	switch two := len(r.amounts) == 2 && neither >= 0; {
	case should >= 0 && is >= 0:
		each("is " + compared(is, should))
	case two && should >= 0:
		each("may be " + compared(neither, should))
	case two && is >= 0:
		each("may be " + compared(is, neither))
	}
}

// How far a number may be from the concept it belongs to, in words, and how many
// words the border of a clause counts for.
const numberReach, otherClause = 5, 3

// nearest is the concept, of the two that numbers are related by, next to a
// word; of two as near, the one before it. -1 if there is none.
func (l *Lexicon) nearest(r reading, at int) int32 {
	best, concept := numberReach+1, int32(-1)
	for _, h := range r.hits {
		if h.concept != l.expected && h.concept != l.found {
			continue
		}
		d := max(at-h.at, h.at-at)
		if r.clauses[at] != r.clauses[h.at] {
			d += otherClause
		}
		if d > 0 && d < best {
			best, concept = d, h.concept
		}
	}
	return concept
}

// contrasts stand between what is and what should be: "19 instead of 20".
var contrasts = strings.Fields("instead rather vs v versus against not statt anstatt gegen vez lugar contra plaats ipv tegen zamiast lieu contre")

var packSizes = []int{6, 8, 10, 12, 20, 24, 25, 36, 48, 50, 100, 144}

func compared(a, b int) string {
	switch {
	case a == 0 && b != 0:
		return "none"
	case a < b:
		return "less"
	case a > b:
		return "more"
	}
	return "same"
}
