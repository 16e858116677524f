package warehouse

import (
	"cmp"
	"slices"
	"time"
)

// The names of things on the floor: each is the code that the sending system
// uses.
type (
	// Source is a sending system.
	Source string
	// Site is a warehouse. None has the name [Everywhere].
	Site string
	// SKU is an article.
	SKU string
	// Location is a place within a site.
	Location string
	// Load is an inbound load (ASN).
	Load string
	// Line is a line of a load.
	Line string
	// Supplier sends loads.
	Supplier string
	// Carrier brings them.
	Carrier string
	// User is whoever did it; a pseudonym is fine.
	User string
)

// Everywhere stands for every site, where something may hold for one or for all.
const Everywhere Site = "*"

// Main is the location of a site that does not track locations.
const Main Location = "main"

// Type is the kind of an [Event].
type Type string

// The types of event, in the order a pallet lives through them.
const (
	ASN           Type = "asn"
	Receipt       Type = "receipt"
	Putaway       Type = "putaway"
	Pick          Type = "pick"
	PickException Type = "pick_exception"
	Shipment      Type = "shipment"
	Return        Type = "return"
	Transfer      Type = "transfer"
	Count         Type = "count"
	Adjustment    Type = "adjustment"
)

// Types lists every type of event.
var Types = []Type{ASN, Receipt, Putaway, Pick, PickException, Shipment, Return, Transfer, Count, Adjustment}

// Reasons of an adjustment that the fold understands.
const (
	ReasonOpening = "opening" // sets a first balance
	ReasonCount   = "count"   // posts the last count: sets the book to it
)

// An Event says one thing that happened. Quantities are in base units:
// a pack given by the sender was multiplied in on intake.
type Event struct {
	Source     Source
	ID         string // the sender's; unique within Source
	Type       Type
	OccurredAt time.Time // microseconds; keeps the sender's UTC offset
	Site       Site
	SKU        SKU
	GTIN       GTIN
	Qty        MaybeQty
	UOM        string   // UN/CEFACT unit the sender used
	Pack       MaybeQty // base units in one UOM
	From, To   Location // "" is outside the site
	Location   Location // of a count, adjustment or pick exception
	Book       MaybeQty // count: system quantity at that instant
	Expected   MaybeQty // asn, receipt, pick_exception, transfer
	ExpectedAt time.Time
	Load       Load
	Line       Line
	Order      string
	Supplier   Supplier
	Carrier    Carrier
	Lot        string
	Serial     string
	User       User
	Device     string
	Cost       Cost
	Reason     string
	Attrs      []Attr // sorted by name
}

// An Attr is a fact of the site's own, text or number, named without its
// "attr." prefix.
type Attr struct{ Name, Value string }

// A Position is where stock is kept and counted: one SKU at one location of
// one site.
type Position struct {
	Site     Site
	SKU      SKU
	Location Location
}

// Compare orders positions by site, location and SKU: the order of a walk.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Site, q.Site), cmp.Compare(p.Location, q.Location), cmp.Compare(p.SKU, q.SKU))
}

// At returns the location or, where the site tracks none, [Main].
func (l Location) At() Location {
	if l == "" {
		return Main
	}
	return l
}

// A Move is a change of book stock at one location of the event's site.
type Move struct {
	Location Location
	Qty      Qty
}

// Moves returns the effect of the event on book stock. An adjustment with
// reason "count" is not a move but sets the book, and has none here; see
// [Event.Posts].
func (e *Event) Moves() (moves [2]Move, n int) {
	add := func(l Location, q Qty) {
		moves[n] = Move{l.At(), q}
		n++
	}
	q := e.Qty.Qty
	switch e.Type {
	case Receipt, Return:
		add(e.To, q)
	case Putaway:
		if e.From.At() != e.To.At() {
			add(e.From, -q)
			add(e.To, q)
		}
	case Pick:
		add(e.From, -q)
		if e.To != "" {
			add(e.To, q)
		}
	case Shipment:
		add(e.From, -q)
	case Transfer:
		// The receiving site sends its own record, with "to" alone.
		if e.From == "" && e.To != "" {
			add(e.To, q)
		} else {
			add(e.From, -q)
		}
	case Adjustment:
		if !e.Posts() {
			add(e.Location, q)
		}
	case ASN, PickException, Count:
	}
	return moves, n
}

// Posts reports whether the event is the adjustment that posts a count.
func (e *Event) Posts() bool { return e.Type == Adjustment && e.Reason == ReasonCount }

// Attr returns the value of the named attribute.
func (e *Event) Attr(name string) (value string, ok bool) {
	i, ok := slices.BinarySearchFunc(e.Attrs, name, func(a Attr, name string) int { return cmp.Compare(a.Name, name) })
	if !ok {
		return "", false
	}
	return e.Attrs[i].Value, true
}
