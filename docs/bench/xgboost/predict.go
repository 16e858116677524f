//go:build ignore

// Command predict is our side of predict.sh, one thread.
//
//	predict fit ROWS.x LABELS.y COLUMNS MODEL            fits 200 trees of depth 6
//	predict run MODEL ROWS.x COLUMNS                     prints our speeds
//	predict check MODEL ROWS.x COLUMNS MARGINS SHAP      compares with XGBoost's output
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"math"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"tallyman/models"
)

func main() {
	log.SetFlags(0)
	a := os.Args
	switch {
	case len(a) == 6 && a[1] == "fit":
		fit(table(a[2], a[4]), floats(a[3]), a[5])
	case len(a) == 5 && a[1] == "run":
		run(read(a[2]), table(a[3], a[4]))
	case len(a) == 7 && a[1] == "check":
		check(read(a[2]), table(a[3], a[4]), floats(a[5]), floats(a[6]))
	default:
		log.Fatal("usage: see the source")
	}
}

func cpu() float64 {
	var r syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)*1e-6
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func floats(file string) []float32 {
	text, err := os.ReadFile(file)
	must(err)
	out := make([]float32, len(text)/4)
	must(binary.Read(bytes.NewReader(text), binary.LittleEndian, out))
	return out
}

func table(file, columns string) models.Matrix {
	cols, err := strconv.Atoi(columns)
	must(err)
	data := floats(file)
	return models.Matrix{Rows: len(data) / cols, Cols: cols, Data: data}
}

func read(file string) *models.Model {
	f, err := os.Open(file)
	must(err)
	defer f.Close()
	m, err := models.Read(f)
	must(err)
	return m
}

func fit(x models.Matrix, y []float32, file string) {
	d := models.Dataset{X: x, Y: y, Names: make([]string, x.Cols)}
	for i := range d.Names {
		d.Names[i] = "f" + strconv.Itoa(i)
	}
	p := models.DefaultParams()
	p.Threads = 1
	m, _, err := models.Fit(context.Background(), d, nil, p, nil)
	must(err)
	f, err := os.Create(file)
	must(err)
	must(m.WriteJSON(f))
	must(f.Close())
}

// least is the least CPU time of some repetitions.
func least(times int, f func()) float64 {
	best := math.Inf(1)
	for range times {
		start := cpu()
		f()
		best = min(best, cpu()-start)
	}
	return best
}

func run(m *models.Model, x models.Matrix) {
	p, err := models.NewPredictor(m)
	must(err)
	out := make([]float32, x.Rows)
	batch := least(3, func() { p.Margins(x, out) })
	took := make([]time.Duration, 5000)
	for k := range took {
		start := time.Now()
		out[k] = p.Margin(x.Row(k))
		took[k] = time.Since(start)
	}
	slices.Sort(took)
	e, phi := models.NewExplainer(m), make([]float64, x.Cols)
	const rows = 4000
	shap := least(3, func() {
		for r := range rows {
			e.Explain(x.Row(r), phi)
		}
	})
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	fmt.Printf("tallyman batch %.0f rows/s, one row p50 %.2f us p99 %.2f us, shap %.0f rows/s\n",
		float64(x.Rows)/batch, us(took[2500]), us(took[4950]), rows/shap)
}

func check(m *models.Model, x models.Matrix, margins, shap []float32) {
	got := make([]float32, x.Rows)
	m.Margins(x, got)
	equal := 0
	for r, want := range margins {
		if math.Float32bits(got[r]) == math.Float32bits(want) {
			equal++
		}
	}
	e, phi, worst := models.NewExplainer(m), make([]float64, x.Cols), 0.0
	rows := len(shap) / (x.Cols + 1)
	for r := range rows {
		bias := e.Explain(x.Row(r), phi)
		for f, v := range append(slices.Clone(phi), bias) {
			worst = max(worst, math.Abs(v-float64(shap[r*(x.Cols+1)+f])))
		}
	}
	fmt.Printf("margins equal to the bit on %d of %d rows; largest difference of a contribution %.1e on %d rows\n", equal, len(margins), worst, rows)
}
