package triage

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"tallyman/warehouse"
)

// EntityKind is what an entity names.
type EntityKind string

// The kinds.
const (
	PurchaseOrder EntityKind = "po"
	ShipNotice    EntityKind = "asn"
	StockItem     EntityKind = "sku"
	TradeItem     EntityKind = "gtin"
	Container     EntityKind = "sscc"
	Plate         EntityKind = "lpn"
	Lot           EntityKind = "lot"
	Quantity      EntityKind = "quantity"
)

// Entity is something a text names. What is Verified has a right check digit
// (GTIN, SSCC) or is known to the master data; the rest is only what somebody
// wrote.
type Entity struct {
	Kind     EntityKind
	Value    string // as the master data writes it; a quantity's number
	Unit     string // of a quantity: ea, cs, plt, kg, …
	Verified bool
	Start    int // bytes in the text
	End      int
}

// Known reports whether the master data has an entity of this kind and value.
type Known func(kind EntityKind, value string) bool

// maxEntities bounds what is taken out of one text.
const maxEntities = 100

// A pattern's first group is the value.
var entityPatterns = []struct {
	kind    EntityKind
	pattern *regexp.Regexp
}{
	{PurchaseOrder, regexp.MustCompile(`(?i)\b(?:p\.?o\.?|purchase order|order|bestellung|pedido|orden|commande)\s*(?:no\.?|nr\.?|number|#|:|-)?\s*#?\s*([A-Z]{0,4}-?\d[\dA-Z-]{2,17})\b`)},
	{ShipNotice, regexp.MustCompile(`(?i)\basn\s*(?:no\.?|nr\.?|number|#|:|-)?\s*#?\s*([A-Z]{0,4}-?\d[\dA-Z-]{2,17})\b`)},
	{Lot, regexp.MustCompile(`(?i)\b(?:lot|batch|charge|lote|partia)\s*(?:no\.?|nr\.?|number|#|:)?\s*#?\s*([A-Z]{0,6}-?\d[\dA-Z./-]{0,18}[\dA-Z]|\d)\b`)},
	{Plate, regexp.MustCompile(`(?i)\b(?:lpn|license plate|licence plate|pallet id|hu)\s*(?:no\.?|nr\.?|number|#|:|-)?\s*#?\s*([A-Z]{0,4}-?\d[\dA-Z-]{2,17})\b`)},
	{Plate, regexp.MustCompile(`(?i)\b(LPN-?\d{3,17})\b`)},
	{StockItem, regexp.MustCompile(`(?i)\b(?:sku|item|art(?:icle|ikel)?|part|material)\s*(?:no\.?|nr\.?|number|#|:|-)?\s*#?\s*([A-Z]{0,6}-?\d[\dA-Z./-]{1,18}[\dA-Z])\b`)},
}

var (
	longDigits = regexp.MustCompile(`\d(?:[ .-]?\d){7,19}`)
	codes      = regexp.MustCompile(`[\pL\d][\pL\d./_-]{1,39}`)
	quantities = regexp.MustCompile(`(?i)(?:^|[^\pL\d.,/-])(-?\d{1,3}(?:[ ,]\d{3})+|-?\d{1,9}(?:[.,]\d{1,3})?)\s?(ea|each|pcs?|pieces?|units?|cs|cases?|ctns?|cartons?|box(?:es)?|plts?|pallets?|bags?|drums?|rolls?|kgs?|g|lbs?|l|m|stück|stk|cajas?|paletten?|kartons?|szt)\b`)
)

// units are the words for a unit and the code they stand for.
var units = map[string]string{
	"ea": "ea", "each": "ea", "pc": "ea", "pcs": "ea", "piece": "ea", "pieces": "ea", "unit": "ea", "units": "ea",
	"stück": "ea", "stk": "ea", "szt": "ea", "cs": "cs", "case": "cs", "cases": "cs", "ctn": "cs", "ctns": "cs",
	"carton": "cs", "cartons": "cs", "box": "cs", "boxes": "cs", "caja": "cs", "cajas": "cs", "karton": "cs",
	"kartons": "cs", "plt": "plt", "plts": "plt", "pallet": "plt", "pallets": "plt", "palette": "plt", "paletten": "plt",
	"bag": "bag", "bags": "bag", "drum": "drum", "drums": "drum", "roll": "roll", "rolls": "roll",
	"kg": "kg", "kgs": "kg", "g": "g", "lb": "lb", "lbs": "lb", "l": "l", "m": "m",
}

// Entities finds what a text names, in the order of the text; where two finds
// overlap, the surer one stays. Positions are those of the text in Unicode's
// form NFKC. known may be nil.
func Entities(text string, known Known) []Entity {
	if known == nil {
		known = func(EntityKind, string) bool { return false }
	}
	text = norm.NFKC.String(clipMiddle(strings.ToValidUTF8(text, " ")))
	found := slices.Concat(checkedKeys(text), namedCodes(text, known), knownCodes(text, known), amounts(text))
	slices.SortStableFunc(found, func(a, b Entity) int { return one(b.Verified) - one(a.Verified) })
	var out []Entity
	for _, e := range found {
		if len(out) < maxEntities && !slices.ContainsFunc(out, func(o Entity) bool { return e.Start < o.End && o.Start < e.End }) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entity) int { return a.Start - b.Start })
	return out
}

// checkedKeys finds numbers with a GS1 check digit that is right.
func checkedKeys(text string) (found []Entity) {
	for _, at := range longDigits.FindAllStringIndex(text, -1) {
		if at[0] > 0 && isCode(text[at[0]-1]) || at[1] < len(text) && isCode(text[at[1]]) {
			continue
		}
		digits := strings.NewReplacer(" ", "", ".", "", "-", "").Replace(text[at[0]:at[1]])
		digits = strings.TrimPrefix(digits, strings.Repeat("00", one(len(digits) == 20))) // application identifier 00
		if sscc, err := warehouse.ParseSSCC(digits); err == nil {
			found = append(found, Entity{Kind: Container, Value: string(sscc), Verified: true, Start: at[0], End: at[1]})
		} else if gtin, err := warehouse.ParseGTIN(digits); err == nil && len(digits) > 8 {
			found = append(found, Entity{Kind: TradeItem, Value: string(gtin), Verified: true, Start: at[0], End: at[1]})
		}
	}
	return found
}

func isCode(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_'
}

// namedCodes finds codes after the word for what they are.
func namedCodes(text string, known Known) (found []Entity) {
	for _, p := range entityPatterns {
		for _, at := range p.pattern.FindAllStringSubmatchIndex(text, -1) {
			value := strings.ToUpper(text[at[2]:at[3]])
			e := Entity{Kind: p.kind, Value: value, Start: at[2], End: at[3]}
			e.Verified = known(p.kind, value)
			found = append(found, e)
		}
	}
	return found
}

// knownCodes finds codes of the master data, whatever stands before them.
func knownCodes(text string, known Known) (found []Entity) {
	for _, at := range codes.FindAllStringIndex(text, -1) {
		value := strings.TrimRight(text[at[0]:at[1]], "./_-")
		if !strings.ContainsAny(value, "0123456789") {
			continue
		}
		for _, kind := range []EntityKind{StockItem, PurchaseOrder, ShipNotice, Plate, Lot} {
			if upper := strings.ToUpper(value); known(kind, upper) {
				found = append(found, Entity{Kind: kind, Value: upper, Verified: true, Start: at[0], End: at[0] + len(value)})
				break
			}
		}
	}
	return found
}

// amounts finds numbers with a unit.
func amounts(text string) (found []Entity) {
	for _, at := range quantities.FindAllStringSubmatchIndex(text, -1) {
		q, err := warehouse.ParseQty(plainNumber(text[at[2]:at[3]]))
		if err != nil {
			continue
		}
		unit := units[strings.ToLower(text[at[4]:at[5]])]
		found = append(found, Entity{Kind: Quantity, Value: q.String(), Unit: unit, Start: at[2], End: at[5]})
	}
	return found
}

// plainNumber writes a number with a decimal point and no grouping: "1,150" and
// "1 150" are 1150, "2,5" is 2.5.
func plainNumber(s string) string {
	if i := strings.LastIndexAny(s, ", "); i >= 0 && len(s)-i-1 == 3 {
		return strings.NewReplacer(",", "", " ", "").Replace(s)
	}
	return strings.Replace(s, ",", ".", 1)
}
