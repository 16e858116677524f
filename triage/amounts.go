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
	idWritten       = regexp.MustCompile(`\b\d+(?:-\d+)*-\d{3,}(?:-\d+)*\b|\b\d{3,}(?:-\d+)+\b|\b\d+(?:-\d+){2,}\b`)
	fractionWritten = regexp.MustCompile(`\b(\d+)[.,]\d{1,2}\b`)
	unitWritten     = regexp.MustCompile(`\b(\d+)(x|pcs?|ctns?|ct|cs|ea|plts?|pal|bx|bxs|boxes|cases|units?|st|stk|szt|uds?|pzs?|krt|ds)\b`)
)

// plainAmounts writes a normalised text so that each quantity is one word of
// digits: thousands without marks, no fractions, no clocks, dates, places and ids.
func plainAmounts(normalized string) string {
	if !strings.ContainsAny(normalized, "0123456789") {
		return normalized
	}
	text := clockWritten.ReplaceAllString(normalized, " clock ")
	text = dateWritten.ReplaceAllString(text, " date ")
	text = placeWritten.ReplaceAllString(text, " bin ")
	text = thousandWritten.ReplaceAllString(text, "$1$2")
	text = fractionWritten.ReplaceAllString(text, "$1")
	text = idWritten.ReplaceAllString(text, " xid ")
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
	"twelve zwolf doce twaalf dwanascie douze",
	"thirteen", "fourteen", "fifteen funfzehn quince", "sixteen", "seventeen", "eighteen", "nineteen",
)

// tens are the numerals that another may follow: "thirty two".
var tens = map[string]int{
	"twenty": 20, "zwanzig": 20, "veinte": 20, "twintig": 20, "dwadziescia": 20, "vingt": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
	"dreissig": 30, "vierzig": 40, "funfzig": 50, "sechzig": 60, "siebzig": 70, "achtzig": 80, "neunzig": 90,
	"treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "setenta": 70, "ochenta": 80, "noventa": 90,
	"dertig": 30, "veertig": 40, "vijftig": 50, "zestig": 60, "zeventig": 70, "tachtig": 80, "negentig": 90,
	"trzydziesci": 30, "czterdziesci": 40, "piecdziesiat": 50, "szescdziesiat": 60,
	"trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60, //nolint:misspell // French
}

// hundreds are the numerals that multiply the one before them.
var hundreds = map[string]int{
	"hundred": 100, "thousand": 1000, "hundert": 100, "tausend": 1000, "cien": 100, "mil": 1000,
	"dozen": 12, "doz": 12, "dz": 12, "dutzend": 12, "docena": 12, "docenas": 12, "dozijn": 12, "tuzin": 12,
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
	if length > 0 && length < len(words) {
		if times := hundreds[words[length]]; times > 0 && n <= 99_999/times {
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

// expectedAndFound compares the number of what should be there with that of what
// is: of all pairs of numbers the one that stands nearest to words for the two.
// Where one of two numbers says neither, it may be the other.
func (l *Lexicon) expectedAndFound(r reading, each func(string)) {
	const none = 1 << 20
	type claim struct{ n, expected, found int }
	claims := make([]claim, len(r.amounts))
	for i, q := range r.amounts {
		claims[i] = claim{q.n, l.distance(r, l.expected, q.at, none), l.distance(r, l.found, q.at, none)}
	}
	best, relation, expected := none, "", -1
	for i, should := range claims {
		for j, is := range claims {
			if d := should.expected + is.found; i != j && d < best {
				best, relation = d, "is "+compared(is.n, should.n)
			}
		}
		if should.expected < should.found {
			if expected >= 0 && expected != should.n {
				each("two expected")
			}
			expected = should.n
		}
	}
	switch {
	case relation != "":
		each(relation)
	case len(claims) == 2:
		a, b := claims[0], claims[1]
		if a.expected+a.found < b.expected+b.found {
			a, b = b, a // of a the text says less
		}
		switch {
		case a.expected < none || a.found < none:
		case b.expected < b.found:
			each("may be " + compared(a.n, b.n))
		case b.found < none:
			each("may be " + compared(b.n, a.n))
		}
	}
}

// How far a number may be from the concept it belongs to, in words, and how many
// words the border of a clause counts for.
const numberReach, otherClause = 5, 3

// distance is that of a word to the next one of a concept; of two as near, the
// one before it is nearer. What something is instead of was expected. It is
// none where the concept is out of reach.
func (l *Lexicon) distance(r reading, concept int32, at, none int) int {
	best := none
	for _, h := range r.hits {
		d := max(at-h.at, h.at-at)
		if r.clauses[at] != r.clauses[h.at] {
			d += otherClause
		}
		if h.concept == concept && d > 0 && d <= numberReach {
			best = min(best, 2*d+one(h.at > at))
		}
	}
	if concept == l.expected {
		for d := 1; d <= 2 && d <= at; d++ {
			if slices.Contains(contrasts, r.words[at-d]) {
				best = min(best, 2*d)
			}
		}
	}
	return best
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
