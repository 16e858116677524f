package scoring

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/warehouse"
)

// asking is an engine with models in force that is asked by a clock that moves.
type asking struct {
	engine *Engine
	load   Request
	calls  atomic.Int64
}

func newAsking(b *testing.B) *asking {
	b.Helper()
	events := world(b)
	return &asking{engine: trained(b, events), load: loadOf(events)}
}

// ask evaluates a load of so many lines.
func (a *asking) ask(lines int) {
	req := a.load
	req.Lines = make([]LineRequest, lines)
	for i := range req.Lines {
		req.Lines[i] = a.load.Lines[i%len(a.load.Lines)]
		req.Lines[i].Line = warehouse.Line(fmt.Sprint(i))
	}
	a.engine.Evaluate(req, now.Add(time.Duration(a.calls.Add(1))*time.Millisecond))
}

// BenchmarkEvaluate answers loads of 40 and 500 lines for one connection and
// for eight at once. docs/bench/risk holds results.
func BenchmarkEvaluate(b *testing.B) {
	a := newAsking(b)
	for _, lines := range []int{40, 500} {
		for _, connections := range []int{1, 8} {
			b.Run(fmt.Sprintf("lines=%d/connections=%d", lines, connections), func(b *testing.B) {
				var asked atomic.Int64
				var all sync.WaitGroup
				b.ReportAllocs()
				for range connections {
					all.Go(func() {
						for asked.Add(1) <= int64(b.N) {
							a.ask(lines)
						}
					})
				}
				all.Wait()
			})
		}
	}
}

// BenchmarkEvaluateBesideLargeLoads answers loads of 40 lines while another
// connection asks for 500 lines all the time: what a dock waits for when another
// has a long load.
func BenchmarkEvaluateBesideLargeLoads(b *testing.B) {
	a := newAsking(b)
	var stop atomic.Bool
	var other sync.WaitGroup
	other.Go(func() {
		for !stop.Load() {
			a.ask(500)
		}
	})
	for b.Loop() {
		a.ask(40)
	}
	stop.Store(true)
	other.Wait()
}
