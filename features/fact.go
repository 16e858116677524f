package features

import (
	"math"
	"strconv"
	"time"

	"tallyman/warehouse"
)

// none marks a quantity or cost that is not known.
const none = math.MinInt64

// A Fact is an event with its names replaced by dense numbers, so that the
// fold compares and indexes integers. Number 0 is the empty name. A Fact is
// only meaningful together with the [Coder] that made it.
//
// It is as long as a line of a processor's cache, 64 bytes.
type Fact struct {
	At     int64 // microseconds since 1970, UTC
	Known  int64 // from when on it may be used, At or later; At unless the source says more
	Qty    int64 // thousandths, none when unknown; of a move, what it adds at Place
	Ref    int64 // count: book given; others: the quantity expected or asked for; none when unknown
	Site   uint32
	SKU    uint32
	Place  uint32 // the location it touches, 0 for none; main where the site tracks none
	Other  uint32 // the location that stock moves on to, 0 for none
	User   uint32
	Offset int16 // minutes east of UTC at the sender
	Kind   kind
	more   *detail // nil for most facts, see [Fact.detail]
}

// A detail is what few facts have: those of inbound loads, and those that tell
// of the SKU itself.
type detail struct {
	expectedAt int64 // 0 when unknown
	cost       int64 // millionths of a major unit, none when unknown
	pack       int64 // thousandths of a base unit in one unit of measure, 0 when unknown
	supplier   uint32
	carrier    uint32
	load       uint32
	line       uint32
	attrs      uint32 // index of the attribute set, 0 when there are none
}

// plain is the detail of a fact that has none.
var plain = detail{cost: none}

func (f *Fact) detail() *detail {
	if f.more == nil {
		return &plain
	}
	return f.more
}

// kind is a [warehouse.Type] as the fold needs it: adjustments are told apart
// by what they do.
type kind uint8

const (
	kindASN kind = iota
	kindReceipt
	kindPutaway
	kindPick
	kindPickException
	kindShipment
	kindReturn
	kindTransfer
	kindCount
	kindAdjustment
	kindOpening
	kindPosting
)

// moves reports whether the kind is counted among the movements of stock.
func (k kind) moves() bool {
	switch k {
	case kindReceipt, kindPutaway, kindPick, kindShipment, kindReturn, kindTransfer:
		return true
	default:
		return false
	}
}

var kinds = map[warehouse.Type]kind{
	warehouse.ASN: kindASN, warehouse.Receipt: kindReceipt, warehouse.Putaway: kindPutaway,
	warehouse.Pick: kindPick, warehouse.PickException: kindPickException, warehouse.Shipment: kindShipment,
	warehouse.Return: kindReturn, warehouse.Transfer: kindTransfer, warehouse.Count: kindCount,
	warehouse.Adjustment: kindAdjustment,
}

// names numbers texts in the order they are first seen.
type names struct {
	ids  map[string]uint32
	text []string
}

func newNames() names {
	return names{ids: map[string]uint32{"": 0}, text: []string{""}}
}

func (n *names) id(s string) uint32 {
	if id, ok := n.ids[s]; ok {
		return id
	}
	id := uint32(len(n.text))
	n.ids[s] = id
	n.text = append(n.text, s)
	return id
}

// find returns the number of a name already seen, and 0 and false otherwise.
func (n *names) find(s string) (uint32, bool) {
	id, ok := n.ids[s]
	return id, ok && id != 0
}

// A Coder numbers the names of events. It is not safe for concurrent use.
type Coder struct {
	sites, skus, locations, zones, users, suppliers, carriers, loads, lines names

	zoneOf []uint32 // by location

	attrNames  names
	attrValues names // "name\x00value"
	attrSets   names // the names of the values of a set, joined
	attrs      [][]attr
}

// An attr is an attribute with its name and value numbered, and its number
// where the value is one.
type attr struct {
	name, value uint32
	number      float64 // NaN when the value is not a number
}

// NewCoder returns a coder that has seen nothing.
func NewCoder() *Coder {
	c := &Coder{
		sites: newNames(), skus: newNames(), locations: newNames(), zones: newNames(), users: newNames(),
		suppliers: newNames(), carriers: newNames(), loads: newNames(), lines: newNames(),
		zoneOf:    []uint32{0},
		attrNames: newNames(), attrValues: newNames(), attrSets: newNames(), attrs: [][]attr{nil},
	}
	c.location(warehouse.Main)
	return c
}

// Encode returns the event as a fact.
func (c *Coder) Encode(e *warehouse.Event) Fact {
	f := Fact{
		At: e.OccurredAt.UnixMicro(), Known: e.OccurredAt.UnixMicro(), Qty: quantity(e.Qty), Ref: quantity(e.Expected),
		Site: c.sites.id(string(e.Site)), SKU: c.skus.id(string(e.SKU)), User: c.users.id(string(e.User)),
		Kind: kindOf(e),
	}
	if f.Kind == kindCount {
		f.Ref = quantity(e.Book)
	}
	c.place(&f, e)
	_, offset := e.OccurredAt.Zone()
	f.Offset = int16(offset / 60)
	if d := c.detail(e); d != plain {
		f.more = &d
	}
	return f
}

func (c *Coder) detail(e *warehouse.Event) detail {
	d := detail{
		cost: none, supplier: c.suppliers.id(string(e.Supplier)), carrier: c.carriers.id(string(e.Carrier)),
		load: c.loads.id(string(e.Load)), line: c.lines.id(string(e.Line)), attrs: c.attrSet(e.Attrs),
	}
	if !e.ExpectedAt.IsZero() {
		d.expectedAt = e.ExpectedAt.UnixMicro()
	}
	if e.Cost.Known() {
		d.cost = e.Cost.Micros
	}
	if e.Pack.Known {
		d.pack = int64(e.Pack.Qty)
	}
	return d
}

// place says where a fact touches stock, and which way a move goes.
func (c *Coder) place(f *Fact, e *warehouse.Event) {
	moves, n := e.Moves()
	switch {
	case n > 0:
		f.Place = c.location(moves[0].Location)
		if f.Qty != none {
			f.Qty = int64(moves[0].Qty)
		}
		if n > 1 {
			f.Other = c.location(moves[1].Location)
		}
	case e.Type != warehouse.ASN && e.Type != warehouse.Putaway:
		f.Place = c.location(e.Location.At())
	}
}

// attrSet numbers a set of attributes; equal sets get the same number.
func (c *Coder) attrSet(set []warehouse.Attr) uint32 {
	if len(set) == 0 {
		return 0
	}
	id := c.attrSets.id(attrKey(set))
	if int(id) < len(c.attrs) {
		return id
	}
	coded := make([]attr, len(set))
	for i, a := range set {
		number, err := strconv.ParseFloat(a.Value, 64)
		if err != nil || math.IsInf(number, 0) {
			number = math.NaN()
		}
		coded[i] = attr{c.attrNames.id(a.Name), c.attrValues.id(a.Name + "\x00" + a.Value), number}
	}
	c.attrs = append(c.attrs, coded)
	return id
}

// findAttrs returns the number of a set already seen, 0 otherwise.
func (c *Coder) findAttrs(set []warehouse.Attr) uint32 {
	id, _ := c.attrSets.find(attrKey(set))
	return id
}

func attrKey(set []warehouse.Attr) string {
	var key []byte
	for _, a := range set {
		key = append(append(append(append(key, a.Name...), 0), a.Value...), 0)
	}
	return string(key)
}

func kindOf(e *warehouse.Event) kind {
	switch {
	case e.Posts():
		return kindPosting
	case e.Type == warehouse.Adjustment && e.Reason == warehouse.ReasonOpening:
		return kindOpening
	}
	return kinds[e.Type]
}

func quantity(q warehouse.MaybeQty) int64 {
	if !q.Known {
		return none
	}
	return int64(q.Qty)
}

func (c *Coder) location(l warehouse.Location) uint32 {
	id := c.locations.id(string(l))
	if int(id) == len(c.zoneOf) {
		c.zoneOf = append(c.zoneOf, c.zones.id(Zone(l)))
	}
	return id
}

// Zone returns the part of a location code that names its zone: what stands
// before the first dash, dot, slash or blank, as in A-03-12-2.
func Zone(l warehouse.Location) string {
	for i := range len(l) {
		switch l[i] {
		case '-', '.', '/', ' ', '_':
			return string(l[:i])
		}
	}
	return string(l)
}

// Position returns the position that a pair of numbers stands for.
func (c *Coder) position(site, sku, location uint32) warehouse.Position {
	return warehouse.Position{
		Site: warehouse.Site(c.sites.text[site]), SKU: warehouse.SKU(c.skus.text[sku]),
		Location: warehouse.Location(c.locations.text[location]),
	}
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// dayOf returns the UTC day of an instant, days since 1970.
func dayOf(at int64) int32 {
	d := at / dayMicros
	if at%dayMicros < 0 {
		d--
	}
	return int32(d)
}
