package features

import "math/bits"

// An index is a hash table with open addressing from SKU and location to the
// number of a position. The names lie beside the number, so that a look-up
// reads no position.
type index struct {
	slots []slot // a power of two of them, none at first
	used  int
}

type slot struct {
	sku, location uint32
	number        uint32 // of the position plus one; 0 in a free slot
}

func hash(sku, location uint32) uint32 {
	high, low := bits.Mul64((uint64(sku)<<32|uint64(location))^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return uint32(high ^ low)
}

// find returns the number of a position, if it is in the index.
func (x *index) find(sku, location uint32) (number uint32, ok bool) {
	if len(x.slots) == 0 {
		return 0, false
	}
	s := &x.slots[x.seek(sku, location)]
	return s.number - 1, s.number != 0
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
func (x *index) add(sku, location, number uint32) {
	x.grow()
	x.used++
	x.slots[x.seek(sku, location)] = slot{sku, location, number + 1}
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
