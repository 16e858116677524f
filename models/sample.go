package models

import "math/rand/v2"

// rowSampler decides which rows a tree sees, each row by itself, so that any
// thread can ask for any row.
type rowSampler struct {
	seed  uint64
	share float64
}

// of returns the sampler of one tree.
func (s rowSampler) of(tree int) rowSampler {
	return rowSampler{seed: mix(s.seed + mix(uint64(tree))), share: s.share}
}

func (s rowSampler) takes(row int) bool {
	return float64(mix(s.seed^uint64(row))>>11)*0x1p-53 < s.share
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// sampleColumns marks the columns that a tree may use: the share, rounded, and at
// least one.
func sampleColumns(used []bool, share float64, seed uint64, tree int) {
	if share >= 1 {
		return
	}
	clear(used)
	random := rand.New(rand.NewPCG(seed, uint64(tree)))
	take := max(1, int(share*float64(len(used))+0.5))
	for _, c := range random.Perm(len(used))[:take] {
		used[c] = true
	}
}
