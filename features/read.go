package features

import (
	"iter"
	"math"
	"time"

	"tallyman/warehouse"
)

// What a vector can lack altogether, by the name that an answer gives it.
const (
	MissingSite     = "site_history"
	MissingSKU      = "sku_history"
	MissingPosition = "position_history"
	MissingSupplier = "supplier_history"
	MissingCarrier  = "carrier_history"
	MissingASN      = "asn"
)

// Position returns the vector of a position as of the state's front, and what
// is not known of it. A position never heard of has a vector too: that of its
// site and SKU, as far as they are known.
func (s *State) Position(p warehouse.Position, schema *Schema) (vector []float32, missing []string) {
	vector = make([]float32, schema.Width())
	siteID, _ := s.coder.sites.find(string(p.Site))
	sku, _ := s.coder.skus.find(string(p.SKU))
	location, _ := s.coder.locations.find(string(p.Location.At()))
	home, found := s.siteAt(siteID), false
	var pos *position
	if home != nil {
		var at slot
		if at, found = home.index.find(sku, location); found {
			pos = home.positions.at(at.number - 1)
		}
	}
	if !found {
		missing = append(missing, MissingPosition)
		zone, _ := s.coder.zones.find(Zone(p.Location.At()))
		home, pos, missing = stranger(s.coder, home, sku, zone, missing)
	}
	s.positionVector(home, pos, s.front, none, vector[:numPosition])
	s.coder.writeAttrs(schema, home.items.at(pos.home.item).attrs.value, vector)
	return vector, missing
}

// stranger returns a position that the site does not have, without adding it
// to the site.
func stranger(c *Coder, home *site, sku, zone uint32, missing []string) (*site, *position, []string) {
	guest := newSite(0)
	p := *guest.positions.at(guest.position(c, sku, 0).number - 1)
	if home == nil {
		return guest, &p, append(missing, MissingSite, MissingSKU)
	}
	shadow := *home
	if i, ok := home.itemOf[sku]; ok && sku != 0 {
		p.home.item = i
	} else {
		missing = append(missing, MissingSKU)
		shadow.items = guest.items
	}
	if i, ok := home.zoneOf[zone]; ok {
		p.home.zone = i
	} else {
		shadow.zones = guest.zones
	}
	return &shadow, &p, missing
}

// A PositionRead is a position as it stands at the state's front.
type PositionRead struct {
	warehouse.Position
	Zone      string
	Vector    []float32 // valid until the next iteration
	Book      warehouse.Qty
	LastCount time.Time // zero when never counted
	Cost      warehouse.Cost
	Usage     float64 // units that left in 90 days, over 90
}

// Positions yields every position of a site that holds or ever held stock, or
// of all sites when the site is empty, in the order they were first heard of.
func (s *State) Positions(site warehouse.Site, schema *Schema) iter.Seq[*PositionRead] {
	return func(yield func(*PositionRead) bool) {
		read := PositionRead{Vector: make([]float32, schema.Width())}
		for _, home := range s.sites {
			if home == nil || site != "" && s.coder.sites.text[home.id] != string(site) {
				continue
			}
			for i := range home.positions.len() {
				p := home.positions.at(i)
				if len(p.log) == 0 {
					continue // only asked about
				}
				s.read(home, p, schema, &read)
				if !yield(&read) {
					return
				}
			}
		}
	}
}

func (s *State) read(home *site, p *position, schema *Schema, r *PositionRead) {
	s.positionVector(home, p, s.front, none, r.Vector[:numPosition])
	it := home.items.at(p.home.item)
	s.coder.writeAttrs(schema, it.attrs.value, r.Vector)
	r.Position = s.coder.position(home.id, p.sku, p.location)
	r.Zone = s.coder.zones.text[s.coder.zoneOf[p.location]]
	r.Book, r.Cost = warehouse.Qty(p.ledger.book), costOf(it)
	r.LastCount = time.Time{}
	if n := len(p.counts); n > 0 {
		r.LastCount = time.UnixMicro(p.counts[n-1].at).UTC()
	}
	r.Usage = float64(r.Vector[pOutMean]) / 30
}

// A LineQuery is a load's line about which something is asked, as the sender
// describes it. What is left empty is taken from the ASN, if there was one.
type LineQuery struct {
	Site       warehouse.Site
	SKU        warehouse.SKU
	Load       warehouse.Load
	Line       warehouse.Line
	Supplier   warehouse.Supplier
	Carrier    warehouse.Carrier
	Expected   warehouse.MaybeQty
	ExpectedAt time.Time
	Cost       warehouse.Cost
	Pack       warehouse.MaybeQty
	Attrs      []warehouse.Attr
	Arrived    bool    // the load is being received
	Lines      int     // of the load, as asked about
	LoadValue  float64 // of the load as asked about, major units, NaN when unknown
}

// Line returns the vector of a load's line as of the state's front, and what
// is not known of it.
func (s *State) Line(q *LineQuery, schema *Schema) (vector []float32, missing []string) {
	vector = make([]float32, schema.Width())
	lq := s.lineQuery(q)
	n := &lq.notice
	if n.at == 0 {
		missing = append(missing, MissingASN)
	}
	known := func(scope scope, id uint32) bool { return id != 0 && s.network.of(scope, id) != nil }
	if s.siteAt(lq.site) == nil {
		missing = append(missing, MissingSite)
	}
	for _, x := range []struct {
		given bool
		scope scope
		id    uint32
		name  string
	}{
		{true, scopeInboundSKU, n.sku, MissingSKU},
		{true, scopeSupplier, n.supplier, MissingSupplier},
		{q.Carrier != "", scopeCarrier, n.carrier, MissingCarrier},
	} {
		if x.given && !known(x.scope, x.id) {
			missing = append(missing, x.name)
		}
	}
	s.lineVector(&lq, s.front, vector[:numLine])
	s.coder.writeAttrs(schema, n.attrs, vector)
	return vector, missing
}

// lineQuery looks the names up and fills in what the ASN says.
func (s *State) lineQuery(q *LineQuery) lineQuery {
	c := s.coder
	id := func(n *names, s string) uint32 { id, _ := n.find(s); return id }
	out := lineQuery{site: id(&c.sites, string(q.Site)), arrived: q.Arrived, lines: q.Lines, loadValue: q.LoadValue}
	out.notice = notice{expected: none, cost: none}
	if home := s.siteAt(out.site); home != nil && q.Load != "" {
		if l := home.lines[lineKey{id(&c.loads, string(q.Load)), id(&c.lines, string(q.Line))}]; l != nil {
			out.notice, out.edits, _ = l.inForce(s.front)
		}
	}
	n := &out.notice
	set := func(to *uint32, v uint32) {
		if v != 0 {
			*to = v
		}
	}
	set(&n.sku, id(&c.skus, string(q.SKU)))
	set(&n.supplier, id(&c.suppliers, string(q.Supplier)))
	set(&n.carrier, id(&c.carriers, string(q.Carrier)))
	set(&n.attrs, c.findAttrs(q.Attrs))
	if q.Expected.Known {
		n.expected = int64(q.Expected.Qty)
	}
	if !q.ExpectedAt.IsZero() {
		n.expectedAt = q.ExpectedAt.UnixMicro()
	}
	if q.Cost.Known() {
		n.cost = q.Cost.Micros
	}
	if q.Pack.Known {
		n.pack = int64(q.Pack.Qty)
	}
	if out.lines == 0 {
		out.loadValue = math.NaN()
	}
	return out
}

// Knows reports whether a site has sent anything yet.
func (s *State) Knows(site warehouse.Site) bool {
	id, ok := s.coder.sites.find(string(site))
	return ok && s.siteAt(id) != nil
}
