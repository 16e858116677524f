package features

// A site holds the keys of one site. Sites share nothing but the network, to
// which a site only sends [credit]s, so they can be folded side by side.
type site struct {
	id        uint32
	tally     *tally
	positions []position
	index     map[uint64]uint32 // sku and location to position
	items     []item            // SKUs of this site
	itemOf    map[uint32]uint32
	zones     []zone
	zoneOf    map[uint32]uint32
	users     map[uint32]*tally
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
	tally     tally
	positions int32
	negatives int32
	supplier  stamp[uint32] // who delivered last
	cost      stamp[int64]
	pack      stamp[int64]
	attrs     stamp[uint32]
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
	tally networkKey
	day   int32
	m     measure
	n     int32
}

// networkKey names a tally that sites share.
type networkKey struct {
	scope scope
	id    uint32
}

type scope uint8

const (
	scopeAll         scope = iota // all counts
	scopeSKU                      // counts of a SKU
	scopeInbound                  // all inbound lines
	scopeInboundSKU               // … of a SKU
	scopeInboundSite              // … to a site
	scopeSupplier
	scopeCarrier
	scopeAttr // inbound lines with one value of one attribute
)

func newSite(id uint32) *site {
	return &site{
		id: id, tally: new(tally),
		index: map[uint64]uint32{}, itemOf: map[uint32]uint32{}, zoneOf: map[uint32]uint32{},
		users: map[uint32]*tally{}, suppliers: map[uint32]*tally{},
		lines: map[lineKey]*line{}, loads: map[uint32][]*line{},
	}
}

func (s *site) position(c *Coder, sku, location uint32) *position {
	key := uint64(sku)<<32 | uint64(location)
	i, ok := s.index[key]
	if !ok {
		i = uint32(len(s.positions))
		s.index[key] = i
		p := position{sku: sku, location: location, item: s.item(sku), zone: s.zone(c.zoneOf[location])}
		s.positions = append(s.positions, p)
	}
	return &s.positions[i]
}

func (s *site) item(sku uint32) uint32 {
	i, ok := s.itemOf[sku]
	if !ok {
		i = uint32(len(s.items))
		s.itemOf[sku] = i
		s.items = append(s.items, item{sku: sku})
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

// of returns the tally of a key, making it when it is new.
func of(tallies map[uint32]*tally, id uint32) *tally {
	t, ok := tallies[id]
	if !ok {
		t = new(tally)
		tallies[id] = t
	}
	return t
}
