package scoring

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/warehouse"
)

// BenchmarkEvaluate answers loads of 40 and 500 lines, with models in force and
// a clock that moves, for one connection and for eight at once. docs/bench/risk
// holds results.
func BenchmarkEvaluate(b *testing.B) {
	events := world(b)
	e := trained(b, events)
	one := loadOf(events)
	for _, lines := range []int{40, 500} {
		req := one
		req.Lines = nil
		for i := range lines {
			l := one.Lines[i%len(one.Lines)]
			l.Line = warehouse.Line(fmt.Sprint(i))
			req.Lines = append(req.Lines, l)
		}
		for _, connections := range []int{1, 8} {
			b.Run(fmt.Sprintf("lines=%d/connections=%d", lines, connections), func(b *testing.B) {
				var asked atomic.Int64
				var all sync.WaitGroup
				b.ReportAllocs()
				for range connections {
					all.Go(func() {
						for n := asked.Add(1); n <= int64(b.N); n = asked.Add(1) {
							e.Evaluate(req, now.Add(time.Duration(n)*time.Millisecond))
						}
					})
				}
				all.Wait()
			})
		}
	}
}
