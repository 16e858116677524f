package models

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// rates draws two columns of rates below a fifth, a tenth of them missing.
func rates(rows int) Matrix {
	r := rand.New(rand.NewPCG(31, 32))
	x := Matrix{Rows: rows, Cols: 2, Data: make([]float32, 2*rows)}
	for i := range x.Data {
		x.Data[i] = r.Float32() / 5
		if r.IntN(10) == 0 {
			x.Data[i] = float32(math.NaN())
		}
	}
	return x
}

// halfAStep is the most that a column's log odds are rounded by.
var halfAStep = (logOdds(poolMost) - logOdds(poolLeast)) / (1 << poolDepth) / 2

func TestAPoolAddsLogOddsAlsoBeyondWhatItSaw(t *testing.T) {
	weights := []float64{0.25, 0.75}
	m := PoolRates(rates(400), []string{"a", "b"}, weights)
	for _, row := range [][]float32{{0.05, 0.1}, {0.002, 0.19}, {0.4, 0.7}, {0.89, 0.0021}} {
		want := 0.25*logOdds(float64(row[0])) + 0.75*logOdds(float64(row[1]))
		if got := float64(m.Margin(row)); math.Abs(got-want) > halfAStep+1e-5 {
			t.Errorf("rates %v: margin %.3f, log odds add up to %.3f", row, got, want)
		}
	}
	if low, high := m.Margin([]float32{0, -1}), m.Margin([]float32{1, 7}); !finite(low) || !finite(high) || low > -6 || high < 2 {
		t.Errorf("margins %v and %v where nothing and everything went wrong", low, high)
	}
}

func TestAMissingRateIsTheUsualOne(t *testing.T) {
	x := rates(400)
	m := PoolRates(x, []string{"a", "b"}, []float64{1, 0})
	var sum, present float64
	for r := range x.Rows {
		if v := float64(x.Row(r)[0]); !math.IsNaN(v) {
			sum += logOdds(max(v, poolLeast))
			present++
		}
	}
	nothing := float32(math.NaN())
	if got := float64(m.Margin([]float32{nothing, 0.1})); math.Abs(got-sum/present) > halfAStep+1e-5 {
		t.Errorf("margin %.3f without a rate, the mean log odds are %.3f", got, sum/present)
	}
	empty := PoolRates(Matrix{Rows: 2, Cols: 1, Data: []float32{nothing, nothing}}, []string{"a"}, []float64{1})
	if err := empty.Validate(); err != nil {
		t.Errorf("a column without a value: %v", err)
	}
}

func TestAPoolIsAModelLikeAnyOther(t *testing.T) {
	x := rates(400)
	m := PoolRates(x, []string{"a", "b"}, []float64{0.5, 0.5})
	var file bytes.Buffer
	if err := m.WriteUBJSON(&file); err != nil {
		t.Fatal(err)
	}
	again, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	margins, phi, e := make([]float32, x.Rows), make([]float64, 2), NewExplainer(m)
	again.Margins(x, margins)
	for r := range x.Rows {
		if want := m.Margin(x.Row(r)); margins[r] != want {
			t.Fatalf("row %v: margin %v once read back, was %v", x.Row(r), margins[r], want)
		}
		if sum := e.Explain(x.Row(r), phi) + phi[0] + phi[1]; !(math.Abs(sum-float64(margins[r])) < 1e-4) {
			t.Fatalf("row %v: contributions add up to %v, margin is %v", x.Row(r), sum, margins[r])
		}
	}
}

func TestAnAverageIsTheMeanOfMargins(t *testing.T) {
	d := synthetic(500, 3)
	p := DefaultParams()
	p.Trees, p.Threads = 10, 1
	var all []*Model
	for i, base := range []float64{0.1, 0.3, 0.3} {
		p.BaseScore, p.Depth = base, i+1
		m, _, err := Fit(t.Context(), d, nil, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	mean := Average(all...)
	for r := range d.X.Rows {
		var want float64
		for _, m := range all {
			want += float64(m.Margin(d.X.Row(r))) / float64(len(all))
		}
		if got := float64(mean.Margin(d.X.Row(r))); math.Abs(got-want) > 1e-5 {
			t.Fatalf("row %d: margin %v, the mean is %v", r, got, want)
		}
	}
	if mean.BaseScore == all[0].BaseScore || Average(all[1:]...).BaseScore != all[1].BaseScore {
		t.Errorf("base scores %v, %v of %v, %v, %v", mean.BaseScore, Average(all[1:]...).BaseScore, all[0].BaseScore, all[1].BaseScore, all[2].BaseScore)
	}
	defer func() {
		if recover() == nil {
			t.Error("models of different features are averaged")
		}
	}()
	Average(all[0], PoolRates(rates(1), []string{"a", "b"}, []float64{1, 0}))
}
