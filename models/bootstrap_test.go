package models

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestRankingAgreesWithTheMetrics(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	p, labels, weights := make([]float64, 200), make([]float32, 200), make([]float32, 200)
	draws := make([]float64, 200)
	for i := range p {
		p[i], labels[i], weights[i] = float64(r.IntN(20)+1)/22, float32(r.IntN(2)), float32(r.IntN(4))
		draws[i] = float64(weights[i])
	}
	k := newRanking(p, labels)
	if got, want := k.auc(draws), AUC(p, labels, weights); math.Abs(got-want) > 1e-12 {
		t.Errorf("AUC %v, want %v", got, want)
	}
	for i := range draws {
		draws[i] = 1
	}
	if got, want := k.logLoss(draws), LogLoss(p, labels, nil); math.Abs(got-want) > 1e-12 {
		t.Errorf("log loss %v, want %v", got, want)
	}
}

func TestPairedBootstrapFindsTheBetterModel(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 6))
	n := 2000
	good, bad, labels := make([]float64, n), make([]float64, n), make([]float32, n)
	for i := range n {
		good[i] = 0.1 + 0.8*r.Float64()
		bad[i] = min(max(good[i]+0.3*r.NormFloat64(), 0.05), 0.95)
		if r.Float64() < good[i] {
			labels[i] = 1
		}
	}
	d, err := PairedBootstrap(bad, good, labels, 300, r)
	if err != nil {
		t.Fatal(err)
	}
	if !(d.AUC.Low > 0 && d.AUC.Low < d.AUC.Value && d.AUC.Value < d.AUC.High) || !(d.LogLoss.High < 0) {
		t.Errorf("%+v does not favour the better model", d)
	}
	same, err := PairedBootstrap(good, good, labels, 50, r)
	if err != nil || same != (Difference{}) {
		t.Errorf("a model differs from itself by %+v, %v", same, err)
	}
}

func TestPairedErrorBootstrapFindsTheBetterModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 6))
	n := 500
	good, bad, labels := make([]float64, n), make([]float64, n), make([]float32, n)
	for i := range n {
		labels[i] = float32(100 * r.Float64())
		good[i] = float64(labels[i]) + r.NormFloat64()
		bad[i] = float64(labels[i]) + 3*r.NormFloat64()
	}
	d, err := PairedErrorBootstrap(bad, good, labels, 200, r)
	if err != nil {
		t.Fatal(err)
	}
	if !(d.RMSE.High < 0 && d.RMSE.Low < d.RMSE.Value && d.RMSE.Value < d.RMSE.High) || !(d.MAE.High < 0) {
		t.Errorf("%+v does not favour the better model", d)
	}
	if same, err := PairedErrorBootstrap(good, good, labels, 20, r); err != nil || same != (ErrorDifference{}) {
		t.Errorf("a model differs from itself by %+v, %v", same, err)
	}
	if _, err := PairedErrorBootstrap(good, good[1:], labels, 20, r); err == nil {
		t.Error("predictions of fewer rows are compared")
	}
}
