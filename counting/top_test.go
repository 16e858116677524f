package counting

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTopIsTheBeginningOfASort(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		values := make([]int, rng.IntN(60))
		for i := range values {
			values[i] = rng.IntN(30)
		}
		order := func(i, j int32) int { return cmp.Or(cmp.Compare(values[i], values[j]), cmp.Compare(i, j)) }
		keep := func(i int32) bool { return values[i]%3 > 0 }
		var want []int32
		for i := range values {
			if keep(int32(i)) {
				want = append(want, int32(i))
			}
		}
		slices.SortFunc(want, order)
		k := rng.IntN(20)
		want = want[:min(k, len(want))]
		if got := top(len(values), k, keep, order); !slices.Equal(got, want) {
			t.Fatalf("top %d of %v is %v, want %v", k, values, got, want)
		}
	}
}
