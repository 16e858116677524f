package api

import (
	"slices"
	"strings"
	"unicode"

	"tallyman/store"
	"tallyman/triage"
	"tallyman/warehouse"
)

// Limits of a ticket.
const (
	maxTicketBody = 96 << 10
	maxTicketText = 32 << 10
)

// ticketRequest is the body of POST /v1/tickets.
type ticketRequest struct {
	Site       string           `json:"site" maxLength:"256"`
	Text       string           `json:"text" minLength:"1" maxLength:"32768" doc:"What somebody or something wrote, as it is; the first 3,000 and the last 1,000 characters are read"`
	Reporter   string           `json:"reporter,omitempty" maxLength:"256" doc:"Who wrote it: a user name of yours"`
	References ticketReferences `json:"references,omitzero" doc:"What it is about, as your system knows it"`
	Facts      []triage.Fact    `json:"facts,omitempty" maxItems:"8" enum:"order_due_today,regulated,recall,third_repeat,shipped,posting_stopped,zone_stopped,carrier_caused" doc:"What your system knows to hold. Facts raise the severity; the text never lowers it"`
	Value      *amount          `json:"value,omitempty" doc:"At stake, as your system knows it"`
	Share      *float64         `json:"share_percent,omitempty" minimum:"0" maximum:"100" doc:"Of the quantity concerned, how much is in question"`
}

type ticketReferences struct {
	Load     string `json:"load,omitempty" maxLength:"256" doc:"ASN or other name of an inbound load"`
	Order    string `json:"order,omitempty" maxLength:"256"`
	SKU      string `json:"sku,omitempty" maxLength:"256"`
	Location string `json:"location,omitempty" maxLength:"256"`
	Lot      string `json:"lot,omitempty" maxLength:"256"`
	Supplier string `json:"supplier,omitempty" maxLength:"256" doc:"A third ticket of one supplier and label in 30 days is raised by a level"`
}

var ticketFacts = []triage.Fact{
	triage.OrderDueToday, triage.Regulated, triage.Recall, triage.ThirdRepeat, triage.Shipped,
	triage.PostingStopped, triage.ZoneStopped, triage.CarrierCaused,
}

// intake checks what the schema says and what it cannot say.
func (r *ticketRequest) intake() (*store.Intake, error) {
	c := &checker{}
	ref := r.References
	in := &store.Intake{
		ID: store.NewTicketID(), Site: c.site(r.Site), Text: r.Text, Reporter: c.text("reporter", r.Reporter, maxText),
		Refs: store.TicketRefs{
			Load: c.text("references.load", ref.Load, maxText), Order: c.text("references.order", ref.Order, maxText),
			SKU: c.text("references.sku", ref.SKU, maxText), Location: c.text("references.location", ref.Location, maxText),
			Lot: c.text("references.lot", ref.Lot, maxText), Supplier: c.text("references.supplier", ref.Supplier, maxText),
		},
	}
	switch {
	case strings.TrimFunc(r.Text, func(x rune) bool { return unicode.IsSpace(x) || unicode.IsControl(x) }) == "":
		c.refuse("text", "is missing; a ticket is what somebody wrote")
	case len(r.Text) > maxTicketText:
		c.refuse("text", "is %d bytes long, the limit is %d", len(r.Text), maxTicketText)
	case badText(r.Text):
		c.refuse("text", "has the control character U+0000")
	}
	for i, f := range r.Facts {
		if !slices.Contains(ticketFacts, f) || slices.Contains(r.Facts[:i], f) {
			c.refuse("facts", "%q is none of %s, or is there twice", clip(string(f)), strings.Join(texts(ticketFacts), ", "))
		}
	}
	in.Facts.Holding = r.Facts
	if r.Share != nil {
		if in.Facts.Share = *r.Share; !(in.Facts.Share >= 0 && in.Facts.Share <= 100) {
			c.refuse("share_percent", "%v is not between 0 and 100", in.Facts.Share)
		}
	}
	if r.Value != nil {
		in.Facts.Value = c.money("value", r.Value)
	}
	if c.fault != nil {
		return nil, c.fault
	}
	return in, nil
}

func (c *checker) money(field string, a *amount) warehouse.Money {
	cost, err := warehouse.ParseCost(string(a.Amount), a.Currency)
	if err != nil {
		c.refuse(field, "%v", err)
		return warehouse.Money{}
	}
	m, err := cost.Value(warehouse.Unit)
	switch {
	case err != nil:
		c.refuse(field, "%v", err)
	case m.Minor < 0:
		c.refuse(field, "is below zero; amounts are absolute")
	case m.Minor > 0 && a.Currency == "":
		c.refuse(field+".currency", "is missing")
	}
	return m
}
