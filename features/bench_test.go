package features

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"tallyman/warehouse"
)

// benchFacts returns n facts over n/10 positions at four sites in a year: the
// mix of a warehouse, half picks, a tenth counts. TALLYMAN_BENCH_EVENTS sets n.
func benchFacts(b *testing.B) []Fact {
	b.Helper()
	n := 1_000_000
	if s := os.Getenv("TALLYMAN_BENCH_EVENTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	const sites, locationsPerSKU = 4, 2
	skus := uint32(max(1, n/10/sites/locationsPerSKU))
	facts := make([]Fact, n)
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	mix := []kind{kindPick, kindPick, kindPick, kindPick, kindPick, kindPutaway, kindReceipt, kindPickException, kindAdjustment, kindCount}
	for i := range facts {
		at := start + int64(i)*(365*dayMicros/int64(n))
		sku := 1 + rng.Uint32N(skus)
		// Two of two hundred locations, in twenty zones, belong to a SKU.
		which := rng.Uint32N(locationsPerSKU)
		place, other := 1+(sku*7+which*101)%200, 1+(sku*7+(1-which)*101)%200
		f := Fact{
			At: at, Known: at, Qty: int64(1+rng.IntN(20)) * 1000, Ref: none,
			Site: 1 + rng.Uint32N(sites), SKU: sku, Place: place, User: 1 + rng.Uint32N(60), Kind: mix[rng.IntN(len(mix))],
		}
		switch f.Kind {
		case kindPutaway:
			f.Qty, f.Other = -f.Qty, other
		case kindPick:
			f.Qty = -f.Qty
		default:
		}
		facts[i] = f
	}
	return facts
}

// benchCoder knows the names of benchFacts.
func benchCoder(facts []Fact) *Coder {
	c := NewCoder()
	for i := range 201 {
		c.location(warehouse.Location(fmt.Sprintf("%d-%d", i/10, i)))
	}
	for i := range facts {
		for uint32(len(c.skus.text)) <= facts[i].SKU {
			c.skus.id(strconv.Itoa(len(c.skus.text)))
		}
	}
	for i := range 4 {
		c.sites.id(strconv.Itoa(i))
	}
	return c
}

// BenchmarkFold folds the facts and reads a vector at every count.
func BenchmarkFold(b *testing.B) {
	facts := benchFacts(b)
	coder := benchCoder(facts)
	schema := NewSchema(PositionSubject)
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			before := cpuTime(b)
			for b.Loop() {
				s := (&State{coder: coder}).Empty()
				examples, err := s.Replay(context.Background(), facts, &schema, threads)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				positions := 0
				for _, site := range s.sites {
					if site != nil {
						positions += int(site.positions.len())
					}
				}
				b.ReportMetric(float64(len(examples)), "vectors")
				b.ReportMetric(float64(positions), "positions")
				b.ReportMetric(memoryOf(s)/float64(positions), "B/position")
				b.StartTimer()
			}
			b.ReportMetric(float64(len(facts))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric((cpuTime(b)-before).Seconds()/float64(b.N), "cpu-s")
		})
	}
}

// cpuTime is what this process has used of the processors.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memoryOf is the live heap that goes when the state goes.
func memoryOf(s *State) float64 {
	var with, without runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&with)
	*s = State{}
	runtime.GC()
	runtime.ReadMemStats(&without)
	return float64(with.HeapAlloc) - float64(without.HeapAlloc)
}
