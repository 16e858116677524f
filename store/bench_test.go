package store_test

import (
	"fmt"
	"testing"

	"tallyman/store"
	"tallyman/store/storetest"
)

// One receipt of forty lines and sixty features, on as many connections as
// there are benchmark goroutines. The test server does not wait for its disk.
func BenchmarkSaveEvaluation(b *testing.B) {
	db := storetest.DB(b)
	e := evaluation(40)
	for i := range e.Lines {
		e.Lines[i].Vector = make([]float32, 60)
		for j := range e.Lines[i].Vector {
			e.Lines[i].Vector[j] = float32(i*j) / 7
		}
	}
	e.Answer = make([]byte, 3400)
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mine := e
			mine.ID = store.NewEvaluationID()
			if _, err := db.SaveEvaluation(b.Context(), &mine, asker(string(mine.ID), "r"), nil); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkReplaceQueue(b *testing.B) {
	const n = 5000
	db := storetest.DB(b)
	if _, err := db.Ingest(b.Context(), counts("e", 3)); err != nil {
		b.Fatal(err)
	}
	rows := queue(n, 0)
	for i := range rows {
		rows[i].Vector = make([]float32, 60)
	}
	for b.Loop() {
		if _, err := db.ReplaceQueue(b.Context(), store.Ranking{Site: "DC-1", AsOf: noon, Watermark: 1}, rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/row")
}

func BenchmarkIngest(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			db := storetest.DB(b)
			i := 0
			for b.Loop() {
				i++
				if _, err := db.Ingest(b.Context(), counts(fmt.Sprint(i), size)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
