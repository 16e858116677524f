package warehouse

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends the canonical form of the event to b: one JSON object
// without white space, fields in the order of [Columns], attributes last,
// absent fields left out. The same event always has the same bytes, so they
// can be hashed; [Reader] reads them back to the same event.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	for f := range numFields {
		if s := e.text(f); s != "" {
			b = appendMember(b, Columns[f], s)
		}
	}
	for _, a := range e.Attrs {
		b = appendMember(b, attrPrefix+a.Name, a.Value)
	}
	return append(b, '}')
}

func appendMember(b []byte, name, value string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	// AppendQuote fails on invalid UTF-8 only, which no event holds.
	b, _ = jsontext.AppendQuote(b, name)
	b = append(b, ':')
	b, _ = jsontext.AppendQuote(b, value)
	return b
}

// text returns the field as its sender could have written it: in packs where
// a pack is known, since reading multiplies it in.
func (e *Event) text(f field) string {
	switch f {
	case fQty:
		return e.inPacks(e.Qty)
	case fBook:
		return e.inPacks(e.Book)
	case fExpectedQty:
		return e.inPacks(e.Expected)
	case fPack:
		return e.Pack.String()
	case fOccurredAt:
		return formatTime(e.OccurredAt)
	case fExpectedAt:
		return formatTime(e.ExpectedAt)
	case fUnitCost:
		return e.Cost.String()
	case fCurrency:
		if e.Cost.Currency == NoCurrency {
			return ""
		}
		return string(e.Cost.Currency)
	default:
		return e.code(f)
	}
}

func (e *Event) inPacks(q MaybeQty) string {
	if q.Known && e.Pack.Known {
		q.Qty = q.Qty * Unit / e.Pack.Qty // exact: the pack was multiplied in
	}
	return q.String()
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// code returns a field that is kept as the text it came as.
func (e *Event) code(f field) string {
	codes := [numFields]string{
		fID: e.ID, fSource: string(e.Source), fType: string(e.Type),
		fSite: string(e.Site), fSKU: string(e.SKU), fGTIN: string(e.GTIN), fUOM: e.UOM,
		fFrom: string(e.From), fTo: string(e.To), fLocation: string(e.Location),
		fLoad: string(e.Load), fLine: string(e.Line), fOrder: e.Order,
		fSupplier: string(e.Supplier), fCarrier: string(e.Carrier),
		fLot: e.Lot, fSerial: e.Serial, fUser: string(e.User), fDevice: e.Device, fReason: e.Reason,
	}
	return codes[f]
}
