package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tallyman/scoring"
	"tallyman/warehouse"
)

// Limits of a risk request.
const (
	maxLines = 1000
	maxText  = 256 // bytes of a name
	maxAttr  = 512
	maxAttrs = 64
)

// evaluationRequest is the body of POST /v1/risk-evaluations.
type evaluationRequest struct {
	Kind       scoring.Kind `json:"kind" enum:"inbound_load,stock_position" doc:"Lines of a load, at receipt or before; or SKUs at locations"`
	Site       string       `json:"site" maxLength:"256"`
	EventID    string       `json:"event_id,omitempty" maxLength:"128" doc:"Yours; it is in the answer"`
	OccurredAt *time.Time   `json:"occurred_at,omitempty" doc:"When it happened on the floor; now, when left out"`
	ExpectedAt *time.Time   `json:"expected_at,omitempty" doc:"When the load was expected; as announced, when left out"`
	References references   `json:"references,omitzero"`
	Parties    parties      `json:"parties,omitzero"`
	Lines      []line       `json:"lines" minItems:"1" maxItems:"1000"`
	Options    options      `json:"options,omitzero"`
}

type references struct {
	ASN string `json:"asn,omitempty" maxLength:"256" doc:"The inbound load; an inbound_load needs it"`
	PO  string `json:"po,omitempty" maxLength:"256"`

	BOL      string   `json:"bol,omitempty" maxLength:"256" doc:"Bill of lading; taken, and not used yet"`
	SSCC     []string `json:"sscc,omitempty" maxItems:"1000" doc:"Of the pallets; taken, and not used yet"`
	DockDoor string   `json:"dock_door,omitempty" maxLength:"256" doc:"Taken, and not used yet"`
}

type parties struct {
	Supplier    string `json:"supplier,omitempty" maxLength:"256"`
	SupplierGLN string `json:"supplier_gln,omitempty" maxLength:"256" doc:"Taken, and not used yet"`
	Carrier     string `json:"carrier_scac,omitempty" maxLength:"256"`
}

// line is a line of a load, or a position.
type line struct {
	Line       string             `json:"line,omitempty" maxLength:"256" doc:"Of the load; an inbound_load needs it"`
	SKU        string             `json:"sku" maxLength:"256"`
	GTIN       string             `json:"gtin,omitempty" maxLength:"256" doc:"Taken, and not used yet"`
	Lot        string             `json:"lot,omitempty" maxLength:"256" doc:"Taken, and not used yet"`
	Serials    []string           `json:"serials,omitempty" maxItems:"1000" doc:"Taken, and not used yet"`
	Location   string             `json:"location,omitempty" maxLength:"256" doc:"Of a stock_position; main, when the site tracks none"`
	QtyOrdered decimal            `json:"qty_ordered,omitempty"`
	QtyASN     decimal            `json:"qty_asn,omitempty" doc:"As the ASN says"`
	QtyScanned decimal            `json:"qty_scanned,omitempty" doc:"As received so far"`
	UOM        string             `json:"uom,omitempty" maxLength:"256" doc:"UN/CEFACT unit of the quantities"`
	Pack       decimal            `json:"pack,omitempty" doc:"Base units in one uom; the quantities are multiplied by it"`
	UnitCost   *amount            `json:"unit_cost,omitempty" doc:"Of the base unit; the last known cost, when left out"`
	Attributes map[string]decimal `json:"attributes,omitempty" doc:"Facts of your own, as in the events' attr.NAME"`
}

type amount struct {
	Amount   decimal `json:"amount" example:"4.10"`
	Currency string  `json:"currency,omitempty" example:"USD" doc:"ISO 4217"`
}

type options struct {
	Explain    *bool `json:"explain,omitempty" doc:"False leaves the reasons out"`
	TopReasons *int  `json:"top_reasons,omitempty" minimum:"1" maximum:"10" doc:"At most so many reasons for a line and for the load; 3, when left out"`
}

// decimal is a number sent as text or as a number, kept to the digit. An
// attribute's may be any text.
type decimal string //nolint:recvcheck // huma asks the value, json the pointer

// UnmarshalJSONFrom reads it.
func (d *decimal) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	switch value.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, value)
		*d = decimal(text)
		return err
	case '0':
		*d = decimal(value)
	case 'n':
		*d = ""
	default:
		return errors.New("is neither text nor a number")
	}
	return nil
}

// Schema says so.
func (decimal) Schema(huma.Registry) *huma.Schema { return decimalSchema() }

func decimalSchema() *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}}, Examples: []any{"12.5"}}
}

// decode reads a request strictly: unknown and repeated members, text after
// the object and invalid UTF-8 are refused. Elsewhere says where what is unknown
// may go.
func decode[T any](body []byte, elsewhere string) (*T, error) {
	var r T
	err := json.Unmarshal(body, &r, json.RejectUnknownMembers(true))
	if err == nil {
		return &r, nil
	}
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		return nil, invalid(fieldOf(semantic.JSONPointer), "is not a field of this request; %s", elsewhere)
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		return nil, invalid(fieldOf(syntactic.JSONPointer), "is there twice")
	case errors.As(err, &semantic) && semantic.Err != nil:
		return nil, invalid(fieldOf(semantic.JSONPointer), "%v", semantic.Err)
	case errors.As(err, &semantic):
		return nil, invalid(fieldOf(semantic.JSONPointer), "is a JSON %s, which does not fit here", semantic.JSONKind)
	default:
		return nil, &Problem{Status: http.StatusBadRequest, Code: "unreadable_body", Detail: "the body is not valid JSON: " + strings.TrimPrefix(err.Error(), "jsontext: ")}
	}
}

// fieldOf writes /lines/0/sku as lines[0].sku.
func fieldOf(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return clip(b.String())
}

// clip shortens a name of the client's for use in an answer.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// checker turns a request into the domain's, remembering the first fault.
type checker struct{ fault *Problem }

func (c *checker) refuse(field, format string, args ...any) {
	if c.fault == nil {
		c.fault = invalid(field, format, args...)
	}
}

func (c *checker) text(field, s string, most int) string {
	if len(s) > most {
		c.refuse(field, "is %d bytes long, the limit is %d", len(s), most)
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		c.refuse(field, "has the control character %U", []rune(s[i:])[0])
	}
	return s
}

func (c *checker) required(field, s string) string {
	if s == "" {
		c.refuse(field, "is missing")
	}
	return c.text(field, s, maxText)
}

func (c *checker) site(s string) warehouse.Site {
	if s == string(warehouse.Everywhere) {
		c.refuse("site", "is *, which stands for every site; name one")
	}
	return warehouse.Site(c.required("site", s))
}

// time is between 1990 and a day ahead, like an event's.
func (c *checker) time(field string, t *time.Time, latest time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	if t.Year() < 1990 || t.After(latest) {
		c.refuse(field, "%s is before 1990 or after %s", t.Format(time.RFC3339), latest.UTC().Format(time.RFC3339))
	}
	return t.Truncate(time.Microsecond)
}

// request checks what the schema says and what it cannot say.
func (r *evaluationRequest) request(now time.Time) (scoring.Request, error) {
	c := &checker{}
	q := scoring.Request{
		Kind: r.Kind, Site: c.site(r.Site), OccurredAt: now,
		Load: warehouse.Load(c.text("references.asn", r.References.ASN, maxText)), Order: c.text("references.po", r.References.PO, maxText),
		Supplier:   warehouse.Supplier(c.text("parties.supplier", r.Parties.Supplier, maxText)),
		Carrier:    warehouse.Carrier(c.text("parties.carrier_scac", r.Parties.Carrier, maxText)),
		ExpectedAt: c.time("expected_at", r.ExpectedAt, now.AddDate(10, 0, 0)),
	}
	if r.OccurredAt != nil {
		q.OccurredAt = c.time("occurred_at", r.OccurredAt, now.Add(24*time.Hour))
	}
	c.text("event_id", r.EventID, 128)
	switch {
	case r.Kind != scoring.InboundLoad && r.Kind != scoring.StockPosition:
		c.refuse("kind", "%q is neither inbound_load nor stock_position", clip(string(r.Kind)))
	case r.Kind == scoring.InboundLoad && q.Load == "":
		c.refuse("references.asn", "is missing; an inbound_load needs it")
	case len(r.Lines) == 0:
		c.refuse("lines", "has no lines; there must be at least one")
	case len(r.Lines) > maxLines:
		c.refuse("lines", "has %d lines, the limit is %d; ask in parts", len(r.Lines), maxLines)
	}
	if n := r.Options.TopReasons; n != nil && (*n < 1 || *n > 10) {
		c.refuse("options.top_reasons", "%d is not between 1 and 10", *n)
	}
	seen := make(map[string]bool)
	for i := range r.Lines {
		if c.fault != nil {
			break
		}
		q.Lines = append(q.Lines, c.line(r.Kind, fmt.Sprintf("lines[%d].", i), &r.Lines[i], seen))
	}
	if c.fault != nil {
		return scoring.Request{}, c.fault
	}
	return q, nil
}

// line checks one line. A line of a load, or a position, comes once.
func (c *checker) line(kind scoring.Kind, at string, l *line, seen map[string]bool) scoring.LineRequest {
	q := scoring.LineRequest{
		Line: warehouse.Line(c.text(at+"line", l.Line, maxText)), SKU: warehouse.SKU(c.required(at+"sku", l.SKU)),
		Location: warehouse.Location(c.text(at+"location", l.Location, maxText)), Pack: c.qty(at+"pack", l.Pack),
	}
	c.text(at+"uom", l.UOM, maxText)
	if q.Pack.Known && q.Pack.Qty <= 0 {
		c.refuse(at+"pack", "must be above zero")
	}
	q.Ordered = c.inBase(at+"qty_ordered", l.QtyOrdered, q.Pack)
	q.Expected = c.inBase(at+"qty_asn", l.QtyASN, q.Pack)
	q.Scanned = c.inBase(at+"qty_scanned", l.QtyScanned, q.Pack)
	if l.UnitCost != nil {
		cost, err := warehouse.ParseCost(string(l.UnitCost.Amount), l.UnitCost.Currency)
		if err != nil {
			c.refuse(at+"unit_cost", "%v", err)
		}
		q.Cost = cost
	}
	name, field := l.Line, at+"line"
	if kind == scoring.StockPosition {
		q.Location = q.Location.At()
		name, field = string(q.Location)+"\x00"+l.SKU, at+"location"
	} else if l.Line == "" {
		c.refuse(field, "is missing; an inbound_load needs it")
	}
	if seen[name] {
		c.refuse(field, "is there twice in this request")
	}
	seen[name] = true
	q.Attrs = c.attributes(at+"attributes", l.Attributes)
	return q
}

func (c *checker) attributes(field string, values map[string]decimal) []warehouse.Attr {
	if len(values) > maxAttrs {
		c.refuse(field, "has %d attributes, the limit is %d", len(values), maxAttrs)
	}
	var attrs []warehouse.Attr
	for name, value := range values {
		at := clip(field + "." + name)
		if name == "" {
			c.refuse(field, "has an attribute without a name")
		}
		c.text(at, name, 64)
		if text := c.text(at, string(value), maxAttr); text != "" {
			attrs = append(attrs, warehouse.Attr{Name: name, Value: text})
		}
	}
	slices.SortFunc(attrs, func(a, b warehouse.Attr) int { return strings.Compare(a.Name, b.Name) })
	return attrs
}

func (c *checker) qty(field string, d decimal) warehouse.MaybeQty {
	if d == "" {
		return warehouse.MaybeQty{}
	}
	q, err := warehouse.ParseQty(string(d))
	switch {
	case err != nil:
		c.refuse(field, "%v", err)
	case q < 0:
		c.refuse(field, "is negative")
	}
	return warehouse.Some(q)
}

// inBase converts a quantity of packs to base units.
func (c *checker) inBase(field string, d decimal, pack warehouse.MaybeQty) warehouse.MaybeQty {
	q := c.qty(field, d)
	if !q.Known || !pack.Known || c.fault != nil {
		return q
	}
	if float64(q.Qty)*pack.Qty.Units() > float64(warehouse.MaxQty) {
		c.refuse(field, "%s packs of %s are beyond 1000000000000 base units", q, pack)
		return q
	}
	rest := q.Qty % warehouse.Unit * pack.Qty
	if rest%warehouse.Unit != 0 {
		c.refuse(field, "%s packs of %s are not a whole number of thousandths", q, pack)
	}
	return warehouse.Some(q.Qty/warehouse.Unit*pack.Qty + rest/warehouse.Unit)
}
