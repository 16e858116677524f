package counting

import (
	"slices"

	"tallyman/warehouse"
)

// top returns the first k, in order, of the numbers below n that keep allows;
// a nil keep allows all. It takes time in n and k log k for any usual order,
// not n log n.
func top(n, k int, keep func(i int32) bool, order func(i, j int32) int) []int32 {
	if k <= 0 {
		return nil
	}
	best := make([]int32, 0, min(n, 2*k))
	full := false // best[k-1] is the k-th of what was seen
	for i := range int32(n) {
		if keep != nil && !keep(i) || full && order(i, best[k-1]) > 0 {
			continue
		}
		best = append(best, i)
		if len(best) == 2*k {
			slices.SortFunc(best, order)
			best, full = best[:k], true
		}
	}
	slices.SortFunc(best, order)
	return best[:min(k, len(best))]
}

// hash mixes a position and a seed: FNV-1a over the names, each ended by a
// byte that no name holds, and the finalizer of splitmix64, whose bits are
// uniform enough to draw by.
func hash(seed uint64, p *warehouse.Position) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := offset ^ mix(seed)
	for _, name := range [...]string{string(p.Site), string(p.Location), string(p.SKU)} {
		for i := range len(name) {
			h = (h ^ uint64(name[i])) * prime
		}
		h = (h ^ 0xff) * prime
	}
	return mix(h)
}

func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
