package warehouse

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Refusal says why one record was not taken. The records around it are not
// affected.
type Refusal struct { //nolint:errname // what the domain calls it
	Line   int    // line of a file or, in a JSON array, position of the record; from 1
	ID     string // the record's id where it could be read
	Field  string // "" when the record as a whole is at fault
	Reason string
}

func (r *Refusal) Error() string {
	if r.Field == "" {
		return fmt.Sprintf("line %d: %s", r.Line, r.Reason)
	}
	return fmt.Sprintf("line %d: %s: %s", r.Line, r.Field, r.Reason)
}

// field numbers the columns of the canonical event.
type field int

const (
	fID field = iota
	fSource
	fType
	fOccurredAt
	fSite
	fSKU
	fGTIN
	fQty
	fUOM
	fPack
	fFrom
	fTo
	fLocation
	fBook
	fExpectedQty
	fExpectedAt
	fLoad
	fLine
	fOrder
	fSupplier
	fCarrier
	fLot
	fSerial
	fUser
	fDevice
	fUnitCost
	fCurrency
	fReason
	numFields
)

// Columns lists the fields of a record in canonical order, attributes aside.
var Columns = [numFields]string{
	"id", "source", "type", "occurred_at", "site", "sku", "gtin", "qty", "uom", "pack",
	"from", "to", "location", "book", "expected_qty", "expected_at", "load", "line", "order",
	"supplier", "carrier", "lot", "serial", "user", "device", "unit_cost", "currency", "reason",
}

const attrPrefix = "attr."

// Limits of a record's texts, in bytes.
const (
	maxID       = 128
	maxText     = 256
	maxAttr     = 512
	maxAttrs    = 64
	maxAttrName = 64
)

func fieldOf(name string) (field, bool) {
	i := slices.Index(Columns[:], name)
	return field(i), i >= 0
}

// attrName returns the attribute that a column names.
func attrName(column string) (string, bool) {
	name, ok := strings.CutPrefix(column, attrPrefix)
	return name, ok && name != "" && len(name) <= maxAttrName && checkText(name) == nil
}

// A record is an event as it came: texts by field, not yet understood.
type record struct {
	text  [numFields]string
	attrs []Attr
}

// parser turns records into events, remembering the first fault.
type parser struct {
	rec     *record
	now     time.Time
	event   Event
	refusal *Refusal
}

// parse returns the event or, as a *[Refusal] without its line, the first
// fault.
func (rec *record) parse(opt ReadOptions) (Event, *Refusal) {
	p := parser{rec: rec, now: opt.Now}
	p.texts(opt)
	p.times()
	p.quantities()
	p.codes()
	p.attributes()
	if p.refusal == nil {
		p.require()
	}
	if p.refusal != nil {
		p.refusal.ID = clip(strings.ToValidUTF8(rec.text[fID], "�"))
		return Event{}, p.refusal
	}
	return p.event, nil
}

func (p *parser) refuse(f field, reason string) {
	p.refuseName(Columns[f], reason)
}

func (p *parser) refuseName(name, reason string) {
	if p.refusal == nil {
		p.refusal = &Refusal{Field: name, Reason: reason}
	}
}

func (p *parser) texts(opt ReadOptions) {
	for f, s := range p.rec.text {
		limit := maxText
		if field(f) == fID {
			limit = maxID
		}
		if err := checkText(s); err != nil {
			p.refuse(field(f), err.Error())
		} else if len(s) > limit {
			p.refuse(field(f), fmt.Sprintf("is %d bytes long, the limit is %d", len(s), limit))
		}
	}
	t := &p.rec.text
	if Site(t[fSite]) == Everywhere {
		p.refuse(fSite, "is *, which stands for every site")
	}
	p.event = Event{
		ID: t[fID], Source: cmp.Or(opt.Source, Source(t[fSource]), opt.Unnamed),
		Site: Site(t[fSite]), SKU: SKU(t[fSKU]),
		UOM: t[fUOM], From: Location(t[fFrom]), To: Location(t[fTo]), Location: Location(t[fLocation]),
		Load: Load(t[fLoad]), Line: Line(t[fLine]), Order: t[fOrder],
		Supplier: Supplier(t[fSupplier]), Carrier: Carrier(t[fCarrier]),
		Lot: t[fLot], Serial: t[fSerial], User: User(t[fUser]), Device: t[fDevice], Reason: t[fReason],
	}
}

// checkText refuses what no text column and no log line should have to hold.
func checkText(s string) error {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return fmt.Errorf("has the control character U+%04X", s[i])
		}
	}
	if !utf8.ValidString(s) {
		return errors.New("is not valid UTF-8")
	}
	return nil
}

var earliest = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)

func (p *parser) times() {
	p.event.OccurredAt = p.time(fOccurredAt)
	if at := p.event.OccurredAt; !at.IsZero() && at.After(p.now.Add(24*time.Hour)) {
		p.refuse(fOccurredAt, fmt.Sprintf("%s is more than a day ahead of %s", at.Format(time.RFC3339), p.now.UTC().Format(time.RFC3339)))
	}
	p.event.ExpectedAt = p.time(fExpectedAt)
}

func (p *parser) time(f field) time.Time {
	s := p.rec.text[f]
	if s == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	switch {
	case err != nil:
		p.refuse(f, fmt.Sprintf("%q is not an RFC 3339 time with offset, such as 2026-11-23T06:14:05-06:00", clip(s)))
	case at.Before(earliest):
		p.refuse(f, fmt.Sprintf("%s is before 1990", s))
	case at.Year() > 9999:
		p.refuse(f, fmt.Sprintf("%s is after 9999", s))
	}
	return at.Truncate(time.Microsecond)
}

func (p *parser) quantities() {
	e := &p.event
	e.Pack = p.qty(fPack)
	if e.Pack.Known && e.Pack.Qty <= 0 {
		p.refuse(fPack, "must be above zero")
		return
	}
	e.Qty, e.Book, e.Expected = p.inBase(fQty), p.inBase(fBook), p.inBase(fExpectedQty)
	if e.Qty.Qty < 0 && e.Type != Adjustment && p.rec.text[fType] != string(Adjustment) {
		p.refuse(fQty, "is negative; only an adjustment is signed")
	}
	if e.Expected.Qty < 0 {
		p.refuse(fExpectedQty, "is negative")
	}
}

func (p *parser) qty(f field) MaybeQty {
	s := p.rec.text[f]
	if s == "" {
		return MaybeQty{}
	}
	q, err := ParseQty(s)
	if err != nil {
		p.refuse(f, err.Error())
	}
	return Some(q)
}

// inBase converts a quantity of packs to base units.
func (p *parser) inBase(f field) MaybeQty {
	q, pack := p.qty(f), p.event.Pack
	if !q.Known || !pack.Known {
		return q
	}
	if math.Abs(float64(q.Qty))*pack.Qty.Units() > float64(MaxQty) {
		p.refuse(f, fmt.Sprintf("%s packs of %s are beyond ±1000000000000 base units", q, pack))
		return MaybeQty{}
	}
	whole, part := q.Qty/Unit, q.Qty%Unit
	rest := part * pack.Qty
	if rest%Unit != 0 {
		p.refuse(f, fmt.Sprintf("%s packs of %s are not a whole number of thousandths", q, pack))
	}
	return Some(whole*pack.Qty + rest/Unit)
}

func (p *parser) codes() {
	e, t := &p.event, &p.rec.text
	e.Type = Type(t[fType])
	if !slices.Contains(Types, e.Type) && t[fType] != "" {
		p.refuse(fType, fmt.Sprintf("%q is not a type of event; the types are %s", clip(t[fType]), typeList()))
	}
	if s := t[fGTIN]; s != "" {
		gtin, err := ParseGTIN(s)
		if err != nil {
			p.refuse(fGTIN, err.Error())
		}
		e.GTIN = gtin
	}
	if s := t[fUnitCost]; s != "" {
		cost, err := ParseCost(s, "")
		if err != nil {
			p.refuse(fUnitCost, err.Error())
		}
		e.Cost = cost
	}
	if currency, err := ParseCurrency(t[fCurrency]); err != nil {
		p.refuse(fCurrency, err.Error())
	} else if e.Cost.Known() {
		e.Cost.Currency = currency
	}
}

func typeList() string {
	names := make([]string, len(Types))
	for i, t := range Types {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}

func (p *parser) attributes() {
	if len(p.rec.attrs) > maxAttrs {
		p.refuseName(attrPrefix+"*", fmt.Sprintf("has %d attributes, the limit is %d", len(p.rec.attrs), maxAttrs))
	}
	for _, a := range p.rec.attrs {
		if a.Value == "" {
			continue
		}
		if err := checkText(a.Value); err != nil {
			p.refuseName(attrPrefix+a.Name, err.Error())
		} else if len(a.Value) > maxAttr {
			p.refuseName(attrPrefix+a.Name, fmt.Sprintf("is %d bytes long, the limit is %d", len(a.Value), maxAttr))
		}
		p.event.Attrs = append(p.event.Attrs, a)
	}
	slices.SortFunc(p.event.Attrs, func(a, b Attr) int { return cmp.Compare(a.Name, b.Name) })
}

// require refuses an event that lacks what its type needs.
func (p *parser) require() {
	need := []field{fID, fType, fOccurredAt, fSite, fSKU}
	switch p.event.Type {
	case ASN:
		need = append(need, fExpectedQty, fLoad, fLine)
	case Adjustment:
		if !p.event.Posts() {
			need = append(need, fQty)
		}
	case Receipt, Putaway, Pick, PickException, Shipment, Return, Transfer, Count:
		need = append(need, fQty)
	}
	for _, f := range need {
		if p.rec.text[f] == "" {
			reason := "is missing"
			if f > fSKU {
				reason = fmt.Sprintf("is missing; a record of type %s needs it", p.event.Type)
			}
			p.refuse(f, reason)
		}
	}
	if p.event.Source == "" {
		p.refuse(fSource, "is missing; name the sending system in the record or with --source")
	}
}
