package models

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The oracle is XGBoost 1.7.4: testdata/xgboost/make.py made the models there
// and wrote down its margins, predictions and SHAP contributions.

type golden struct {
	Rows        [][]*float32
	Margins     []float32
	Predictions []float32
	Contribs    [][]float64 // one per feature, then the bias
}

func (g golden) row(i int) []float32 {
	row := make([]float32, len(g.Rows[i]))
	for j, v := range g.Rows[i] {
		if v == nil {
			row[j] = float32(math.NaN())
		} else {
			row[j] = *v
		}
	}
	return row
}

func readModel(tb testing.TB, file string) *Model {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := Read(bytes.NewReader(text))
	if err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
	return m
}

func forEachGolden(t *testing.T, f func(t *testing.T, file string, g golden)) {
	t.Helper()
	files, err := filepath.Glob("testdata/xgboost/*.rows.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".rows.json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(text, &g); err != nil {
				t.Fatal(err)
			}
			f(t, name, g)
		})
	}
}

func TestMarginsEqualXGBoostToTheBit(t *testing.T) {
	forEachGolden(t, func(t *testing.T, file string, g golden) {
		t.Helper()
		m := readModel(t, file+".json")
		for i, want := range g.Margins {
			if got := m.Margin(g.row(i)); math.Float32bits(got) != math.Float32bits(want) {
				t.Errorf("row %d %v: margin %v, XGBoost says %v", i, g.row(i), got, want)
			}
			got := m.Predict(g.row(i))
			if want := float64(g.Predictions[i]); math.Abs(got-want) > 3e-7*math.Abs(want) {
				t.Errorf("row %d: prediction %v, XGBoost says %v", i, got, want)
			}
		}
	})
}

func TestContributionsEqualXGBoost(t *testing.T) {
	forEachGolden(t, func(t *testing.T, file string, g golden) {
		t.Helper()
		m := readModel(t, file+".json")
		e := NewExplainer(m)
		phi := make([]float64, len(m.Features))
		for i, want := range g.Contribs {
			bias := e.Explain(g.row(i), phi)
			got := append(slices.Clone(phi), bias)
			for f := range want {
				if math.Abs(got[f]-want[f]) > 1e-5 {
					t.Errorf("row %d, feature %d: contribution %v, XGBoost says %v", i, f, got[f], want[f])
				}
			}
		}
	})
}

func TestJSONAndUBJSONHoldTheSameModel(t *testing.T) {
	forEachGolden(t, func(t *testing.T, file string, g golden) {
		t.Helper()
		if diff := cmp.Diff(readModel(t, file+".json"), readModel(t, file+".ubj")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatIsWrittenReadsBackEqual(t *testing.T) {
	forEachGolden(t, func(t *testing.T, file string, g golden) {
		t.Helper()
		m := readModel(t, file+".json")
		m.Calibrator = Beta{A: 1.25, B: 0.5, C: -0.125}
		var j, u bytes.Buffer
		if err := m.WriteJSON(&j); err != nil {
			t.Fatal(err)
		}
		if err := m.WriteUBJSON(&u); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]*bytes.Buffer{"JSON": &j, "UBJSON": &u} {
			got, err := Read(text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(m, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}
