package features

import "math/bits"

// An index is a hash table with open addressing from SKU and location to a
// position. What is looked up lies in the table, so that no position is read.
type index struct {
	slots []slot // a power of two of them, none at first
	used  int
}

type slot struct {
	sku, location uint32
	number        uint32 // of the position plus one; 0 in a free slot
	item          uint32 // of the position
}

func hash(sku, location uint32) uint32 {
	high, low := bits.Mul64((uint64(sku)<<32|uint64(location))^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return uint32(high ^ low)
}

// find returns the slot of a position, if it is in the index.
func (x *index) find(sku, location uint32) (at slot, ok bool) {
	if len(x.slots) == 0 {
		return slot{}, false
	}
	at = x.slots[x.seek(sku, location)]
	return at, at.number != 0
}

// seek returns the slot of a position, or the free one where it would be.
func (x *index) seek(sku, location uint32) uint32 {
	mask := uint32(len(x.slots) - 1)
	i := hash(sku, location) & mask
	for s := &x.slots[i]; s.number != 0 && (s.sku != sku || s.location != location); s = &x.slots[i] {
		i = (i + 1) & mask
	}
	return i
}

// add takes in a position that is not in the index yet.
func (x *index) add(at slot) {
	x.grow()
	x.used++
	x.slots[x.seek(at.sku, at.location)] = at
}

// grow makes room for one more.
func (x *index) grow() {
	if x.used < len(x.slots)/4*3 {
		return
	}
	old := x.slots
	x.slots = make([]slot, max(16, 2*len(old)))
	for _, s := range old {
		if s.number != 0 {
			x.slots[x.seek(s.sku, s.location)] = s
		}
	}
}

// warm reads the slot where the search for a position begins.
func (x *index) warm(sku, location uint32) int64 {
	if len(x.slots) == 0 {
		return 0
	}
	return int64(x.slots[hash(sku, location)&uint32(len(x.slots)-1)].number)
}
