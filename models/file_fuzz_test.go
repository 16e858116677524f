package models

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What Read accepts must be usable: valid, predictable by every path without a
// panic, and equal after a round trip. What it refuses must cost no more
// memory than a small multiple of the file.

func FuzzReadJSON(f *testing.F)   { fuzzRead(f, "*.json") }
func FuzzReadUBJSON(f *testing.F) { fuzzRead(f, "*.ubj") }

func fuzzRead(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata/xgboost", pattern))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && len(text) < 12<<10 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Read(bytes.NewReader(file))
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(64*len(file)+8<<20); got > most {
			t.Errorf("reading %d bytes allocated %d, at most %d is allowed", len(file), got, most)
		}
		if err != nil {
			return
		}
		use(t, m)
		var written bytes.Buffer
		if err := m.WriteUBJSON(&written); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&written)
		if err != nil {
			t.Fatalf("what was written does not read back: %v", err)
		}
		if diff := cmp.Diff(m, again, cmp.Comparer(sameFloat)); diff != "" {
			t.Errorf("changed by a round trip: %s", diff)
		}
	})
}

func sameFloat(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

// use predicts and explains a row of zeros and a row of missing values.
func use(t *testing.T, m *Model) {
	t.Helper()
	x := Matrix{Rows: 2, Cols: len(m.Features), Data: make([]float32, 2*len(m.Features))}
	for f := range x.Cols {
		x.Data[f] = float32(math.NaN())
	}
	got := make([]float32, 2)
	m.Margins(x, got)
	for i := range got {
		if want := m.Margin(x.Row(i)); !sameFloat(got[i], want) && want == want { // NaN from overflow may differ
			t.Errorf("row %d: predictor says %v, the model %v", i, got[i], want)
		}
	}
	phi := make([]float64, x.Cols)
	NewExplainer(m).Explain(x.Row(0), phi)
}
