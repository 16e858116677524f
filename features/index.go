package features

import "math/bits"

// An index is a hash table with open addressing from SKU and location to the
// number of a position. It holds the hash beside the number; whether it is the
// same position, not only the same hash, is for the caller to compare.
type index struct {
	slots []slot // a power of two of them, none at first
	used  int
}

type slot struct {
	hash   uint32
	number uint32 // of the position plus one; 0 in a free slot
}

func hash(sku, location uint32) uint32 {
	high, low := bits.Mul64((uint64(sku)<<32|uint64(location))^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return uint32(high ^ low)
}

// add takes in the number of a position that is not in the index yet.
func (x *index) add(hash, number uint32) {
	x.grow()
	x.used++
	x.place(slot{hash, number + 1})
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
			x.place(s)
		}
	}
}

func (x *index) place(s slot) {
	mask := uint32(len(x.slots) - 1)
	i := s.hash & mask
	for x.slots[i].number != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = s
}
