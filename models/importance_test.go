package models

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestImportances(t *testing.T) {
	m := smallModel()
	m.Trees = append(m.Trees, m.Trees[0])
	// The split is worth ±: its mean is 0.5, so a row below is 1.5 lower.
	x := Matrix{Rows: 2, Cols: 2, Data: []float32{0, 0, 0, 1}}
	want := []Importance{{}, {Splits: 2, Gain: 2, Cover: 8, MeanAbs: 2 * (1.5 + 0.5) / 2}}
	if diff := cmp.Diff(want, m.Importances(x)); diff != "" {
		t.Error(diff)
	}
}

func TestImportanceOfShapAddsUpOverRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	m := randomModel(r, 5, 6, 4, true)
	x := randomRows(r, m, 20)
	got := m.Importances(x)
	e, phi := NewExplainer(m), make([]float64, 5)
	for f := range got {
		want := 0.0
		for i := range x.Rows {
			e.Explain(x.Row(i), phi)
			want += math.Abs(phi[f]) / 20
		}
		if math.Abs(got[f].MeanAbs-want) > 1e-9 {
			t.Errorf("feature %d: %v, want %v", f, got[f].MeanAbs, want)
		}
	}
}
