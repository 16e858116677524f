package features

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What a log was given is what it gives back, whatever the size of numbers.
func TestRecordsHoldWhatWasEntered(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 6))
	number := func() int64 {
		switch rng.IntN(5) {
		case 0:
			return none
		case 1:
			return []int64{math.MaxInt32, math.MinInt32, math.MaxInt32 + 1, math.MinInt32 - 1, math.MaxInt64, -1, 0}[rng.IntN(7)]
		default:
			return int64(rng.Uint64()) >> rng.IntN(64)
		}
	}
	var entries []entry
	var log records
	for range 10_000 {
		e := entry{at: number(), qty: number(), ref: number(), user: rng.Uint32N(1 << 28), kind: kind(rng.IntN(int(kindPosting) + 1))}
		entries, log = append(entries, e), e.write(log)
	}
	for _, want := range entries {
		var got entry
		if got, log = log.next(); got != want {
			t.Fatalf("entered %+v, read %+v", want, got)
		}
	}
	if len(log) != 0 {
		t.Fatalf("%d records are left over", len(log))
	}
}
