package guardrails

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tallyman/warehouse"
)

// field is one member of a payload: a text or an integer.
type field struct {
	name     string
	text     func() string
	setText  func(string)
	num      func() int64 // nil for a text
	setNum   func(int64)
	optional bool // may be empty
}

// maxExact is the largest integer that every JSON reader holds exactly.
const maxExact = 1<<53 - 1

// maxText bounds a text of a payload, in bytes.
const maxText = 1024

func (*CountPosition) keys() int        { return 2 }
func (*VerifyLoad) keys() int           { return 1 }
func (*HoldReceipt) keys() int          { return 2 }
func (*ReleaseReceipt) keys() int       { return 2 }
func (*InventoryAdjustment) keys() int  { return 3 }
func (*SupplierChargeback) keys() int   { return 3 }
func (*ShipmentSubstitution) keys() int { return 2 }
func (*OrderShortShipment) keys() int   { return 2 }
func (*InvoicePause) keys() int         { return 2 }
func (*RouteTicket) keys() int          { return 1 }
func (*PromoteModel) keys() int         { return 2 }
func (*ChangePolicy) keys() int         { return 1 }

func text[T ~string](name string, v *T) field {
	return field{name: name, text: func() string { return string(*v) }, setText: func(s string) { *v = T(s) }}
}

func maybe[T ~string](name string, v *T) field {
	f := text(name, v)
	f.optional = true
	return f
}

func number[T ~int64](name string, v *T) field {
	return field{name: name, num: func() int64 { return int64(*v) }, setNum: func(n int64) { *v = T(n) }}
}

func (a *CountPosition) fields() []field {
	return []field{text("location", &a.Location), text("sku", &a.SKU)}
}

func (a *VerifyLoad) fields() []field { return []field{text("load", &a.Load)} }

func (a *HoldReceipt) fields() []field {
	return []field{
		text("load", &a.Load), text("line", &a.Line), text("sku", &a.SKU),
		number("qty_thousandths", &a.Qty), text("reason", &a.Reason),
	}
}

func (a *ReleaseReceipt) fields() []field {
	return []field{
		text("load", &a.Load), text("line", &a.Line), text("sku", &a.SKU),
		number("qty_thousandths", &a.Qty), text("reason", &a.Reason),
	}
}

func (a *InventoryAdjustment) fields() []field {
	return []field{
		text("location", &a.Location), text("sku", &a.SKU), maybe("lot", &a.Lot),
		number("book_thousandths", &a.Book), number("counted_thousandths", &a.Counted), text("reason", &a.Reason),
	}
}

func (a *SupplierChargeback) fields() []field {
	return []field{
		text("supplier", &a.Supplier), text("order", &a.Order), maybe("load", &a.Load),
		number("amount_minor", &a.Amount.Minor), text("currency", &a.Amount.Currency), text("reason", &a.Reason),
	}
}

func (a *ShipmentSubstitution) fields() []field {
	return []field{
		text("order", &a.Order), text("line", &a.Line), text("sku", &a.SKU), text("substitute", &a.Substitute),
		number("qty_thousandths", &a.Qty),
	}
}

func (a *OrderShortShipment) fields() []field {
	return []field{
		text("order", &a.Order), text("line", &a.Line), text("sku", &a.SKU),
		number("ordered_thousandths", &a.Ordered), number("shipped_thousandths", &a.Shipped),
	}
}

func (a *InvoicePause) fields() []field {
	return []field{
		text("supplier", &a.Supplier), text("invoice", &a.Invoice),
		number("amount_minor", &a.Amount.Minor), text("currency", &a.Amount.Currency), text("reason", &a.Reason),
	}
}

func (a *RouteTicket) fields() []field {
	return []field{text("ticket", &a.Ticket), text("team", &a.Team)}
}

func (a *PromoteModel) fields() []field {
	return []field{
		text("subject", &a.Subject), text("outcome", &a.Outcome), number("model", &a.Model), text("artifact_sha256", &a.Artifact),
	}
}

func (a *ChangePolicy) fields() []field {
	return []field{
		text("policy", &a.Policy), text("version_sha256", &a.Version), text("effective_from", &a.Effective), text("report_sha256", &a.Report),
	}
}

// SubjectOf returns what the action is about; a site has at most one live step
// for a kind and a subject.
func SubjectOf(a Action) []string {
	var subject []string
	for _, f := range a.fields()[:a.keys()] {
		if s := f.text(); s != "" {
			subject = append(subject, s)
		}
	}
	return subject
}

// Payload returns the canonical bytes of an action at a site: one JSON object
// without white space, members in a fixed order. These bytes are what is
// hashed, approved and sent.
func Payload(site warehouse.Site, a Action) ([]byte, error) {
	b := append([]byte(nil), `{"action":"`+string(a.Kind())+`","site":`...)
	b, err := jsontext.AppendQuote(b, string(site))
	if err != nil {
		return nil, fmt.Errorf("payload of %s: site: %w", a.Kind(), err)
	}
	if site == "" {
		return nil, fmt.Errorf("payload of %s: it has no site", a.Kind())
	}
	for _, f := range a.fields() {
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("payload of %s: %s %w", a.Kind(), f.name, err)
		}
		b = append(b, `,"`+f.name+`":`...)
		if f.num != nil {
			b = strconv.AppendInt(b, f.num(), 10)
			continue
		}
		b, _ = jsontext.AppendQuote(b, f.text()) // it is valid UTF-8
	}
	return append(b, '}'), nil
}

func (f field) check() error {
	if f.num != nil {
		if n := f.num(); n > maxExact || n < -maxExact {
			return fmt.Errorf("is %d, beyond ±%d", n, int64(maxExact))
		}
		return nil
	}
	switch s := f.text(); {
	case s == "" && !f.optional:
		return errors.New("is empty")
	case len(s) > maxText:
		return fmt.Errorf("has %d bytes, more than %d", len(s), maxText)
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return errors.New("is not valid text")
	}
	return nil
}

// ParsePayload reads a payload in any JSON spelling: white space, order of
// members and escapes do not matter, every member must be there once, and none
// may be unknown. Its canonical form is that of [Payload].
func ParsePayload(b []byte) (warehouse.Site, Action, error) {
	d := jsontext.NewDecoder(bytes.NewReader(b)) // refuses names that are there twice
	members, err := readMembers(d)
	if err != nil {
		return "", nil, fmt.Errorf("payload: %w", err)
	}
	kind, site := Kind(members["action"].text), warehouse.Site(members["site"].text)
	a := blank(kind)
	if a == nil {
		return "", nil, fmt.Errorf("payload: action is %q, which is none of %v", kind, Kinds)
	}
	delete(members, "action")
	delete(members, "site")
	for _, f := range a.fields() {
		v, there := members[f.name]
		if !there {
			return "", nil, fmt.Errorf("payload of %s: %s is missing", kind, f.name)
		}
		delete(members, f.name)
		if v.isNum != (f.num != nil) {
			return "", nil, fmt.Errorf("payload of %s: %s is of another type", kind, f.name)
		}
		if f.num != nil {
			f.setNum(v.num)
		} else {
			f.setText(v.text)
		}
	}
	for name := range members {
		return "", nil, fmt.Errorf("payload of %s: %q is unknown", kind, name)
	}
	_, err = Payload(site, a)
	return site, a, err
}

type member struct {
	text  string
	num   int64
	isNum bool
}

func readMembers(d *jsontext.Decoder) (map[string]member, error) {
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, errors.Join(errors.New("it is not a JSON object"), err)
	}
	members := map[string]member{}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String() // before the next token overwrites it
		v, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		switch v.Kind() {
		case '"':
			members[key] = member{text: v.String()}
		case '0':
			n, err := strconv.ParseInt(v.String(), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %s is not a whole number that fits", key, v.String())
			}
			members[key] = member{num: n, isNum: true}
		default:
			return nil, fmt.Errorf("%s: it is neither a text nor a number", key)
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return members, nil
}
