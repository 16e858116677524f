package features

// A site holds the keys of one site. Sites share nothing but the network, to
// which a site only sends [credit]s, so they can be folded side by side.
type site struct {
	id        uint32
	tally     *tally
	positions pages[position]
	index     index
	words     []record    // of a late entry being logged
	outcomes  []outcome   // that entries brought and the site has not taken yet
	items     pages[item] // SKUs of this site
	itemOf    map[uint32]uint32
	zones     []zone
	zoneOf    map[uint32]uint32
	users     []*tally // by number, nil where one did nothing here
	suppliers map[uint32]*tally
	lines     map[lineKey]*line
	loads     map[uint32][]*line
	timers    timers
	negatives int32 // positions whose book is below zero now
	received  int32 // positions that received stock since their last count
	counted   int32 // positions that were ever counted
	offset    stamp[int16]
	outbox    []credit
}

type lineKey struct{ load, number uint32 }

// An item is one SKU at one site.
type item struct {
	sku       uint32
	listed    bool // a fact without a position named it
	tally     tally
	positions int32
	negatives int32
	supplier  stamp[uint32] // who delivered last
	cost      stamp[int64]
	pack      stamp[int64]
	attrs     stamp[uint32]
}

// heard reports whether the fold has come to a fact of the SKU. A replay makes
// the items of all facts ahead of folding them.
func (it *item) heard() bool { return it.listed || it.positions > 0 }

// describe takes in what a fact says of the SKU itself.
func (it *item) describe(f *Fact) {
	d := f.detail()
	if d.cost != none {
		it.cost.set(f.At, d.cost)
	}
	if d.pack != 0 {
		it.pack.set(f.At, d.pack)
	}
	if d.attrs != 0 {
		it.attrs.set(f.At, d.attrs)
	}
}

// A zone is the locations that share a prefix.
type zone struct {
	tally     tally
	negatives int32
}

// A stamp is a value with the time that it was true; the newest wins, whatever
// the order they come in. Among equal times the later intake wins.
type stamp[T any] struct {
	at    int64
	known bool
	value T
}

func (s *stamp[T]) set(at int64, v T) {
	if !s.known || at >= s.at {
		*s = stamp[T]{at, true, v}
	}
}

// A credit is an addition to a tally of the network.
type credit struct {
	scope scope
	id    uint32
	day   int32
	sums  sums
}

type scope uint8

const (
	scopeAll         scope = iota // all counts
	scopeSKU                      // counts of a SKU
	scopeInbound                  // all inbound lines
	scopeInboundSKU               // … of a SKU
	scopeInboundSite              // … to a site
	scopeSupplier
	scopeOpen // a supplier's lines still to come
	scopeCarrier
	scopeAttr // inbound lines with one value of one attribute
	numScopes
)

func newSite(id uint32) *site {
	return &site{
		id: id, tally: new(tally),
		itemOf: map[uint32]uint32{}, zoneOf: map[uint32]uint32{}, suppliers: map[uint32]*tally{},
		lines: map[lineKey]*line{}, loads: map[uint32][]*line{},
	}
}

// A touch is the positions that a fact touches, by their number plus one, 0
// for none, and the item of them.
type touch struct{ place, other, item uint32 }

// touch returns the positions that a fact touches, making those that are new.
func (s *site) touch(c *Coder, f *Fact) (t touch) {
	if f.Place != 0 {
		at := s.position(c, f.SKU, f.Place)
		t.place, t.item = at.number, at.item
	}
	if f.Other != 0 {
		t.other = s.position(c, f.SKU, f.Other).number
	}
	return t
}

// position finds a position, making it when it is new.
func (s *site) position(c *Coder, sku, location uint32) slot {
	at, ok := s.index.find(sku, location)
	if !ok {
		p, i := s.positions.add()
		*p = position{sku: sku, location: location, home: home{s.item(sku), s.zone(c.zoneOf[location])}}
		at = slot{sku, location, i + 1, p.home.item}
		s.index.add(at)
	}
	return at
}

func (s *site) item(sku uint32) uint32 {
	i, ok := s.itemOf[sku]
	if !ok {
		var it *item
		it, i = s.items.add()
		it.sku = sku
		s.itemOf[sku] = i
	}
	return i
}

func (s *site) zone(id uint32) uint32 {
	i, ok := s.zoneOf[id]
	if !ok {
		i = uint32(len(s.zones))
		s.zoneOf[id] = i
		s.zones = append(s.zones, zone{})
	}
	return i
}

// user returns the tally of a user, nil when there is none.
func (s *site) user(id uint32) *tally {
	if int(id) >= len(s.users) {
		return nil
	}
	return s.users[id]
}

// userOf returns the tally of a user, making it when it is new.
func (s *site) userOf(id uint32) *tally {
	for int(id) >= len(s.users) {
		s.users = append(s.users, nil)
	}
	if s.users[id] == nil {
		s.users[id] = new(tally)
	}
	return s.users[id]
}

// supplierOf returns the tally of a supplier, making it when it is new.
func (s *site) supplierOf(id uint32) *tally {
	t, ok := s.suppliers[id]
	if !ok {
		t = new(tally)
		s.suppliers[id] = t
	}
	return t
}
