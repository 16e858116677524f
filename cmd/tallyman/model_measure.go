package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"tallyman/models"
)

// fitReport is the report of a fit. MeasuredOn says on which rows: a figure on
// the rows of the fit, or ece on those of the calibration, flatters.
type fitReport struct {
	FitSeconds       float64 `json:"fit_seconds"`
	PredictSeconds   float64 `json:"predict_seconds"`
	AUC              ranking `json:"auc"`
	AveragePrecision ranking `json:"average_precision"`
	LogLoss          float64 `json:"logloss"`
	Brier            float64 `json:"brier"`
	ECE              float64 `json:"ece"`
	BestIteration    int     `json:"best_iteration"`
	Rows             int     `json:"rows"` // fitted to
	Features         int     `json:"features"`
	MeasuredRows     int     `json:"measured_rows"`
	MeasuredOn       string  `json:"measured_on"`
}

const eceBins = 20

func (r *fitReport) measure(p []float64, labels []float32) {
	r.MeasuredRows = len(labels)
	r.AUC = ranking(models.AUC(p, labels, nil))
	r.AveragePrecision = ranking(models.AveragePrecision(p, labels, nil))
	r.LogLoss = models.LogLoss(p, labels, nil)
	r.Brier = models.Brier(p, labels, nil)
	r.ECE = models.ECE(p, labels, nil, eceBins)
}

// ranking is a metric that rows of one class leave undefined, NaN.
type ranking float64

// MarshalJSON writes null for an undefined one.
func (r ranking) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(r)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(r))
}

func (r ranking) String() string {
	if math.IsNaN(float64(r)) {
		return "undefined (one class)"
	}
	return strconv.FormatFloat(float64(r), 'f', 4, 64)
}

func (r *fitReport) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, `%d trees on %d rows of %d features in %.2f s
measured on %s (%d):
  AUC %s  average precision %s  log loss %.5f  Brier %.5f  ECE %.4f
`, r.BestIteration, r.Rows, r.Features, r.FitSeconds, r.MeasuredOn, r.MeasuredRows,
		r.AUC, r.AveragePrecision, r.LogLoss, r.Brier, r.ECE)
	return err
}

// errorReport is how good a model is that predicts numbers, in the unit of the label.
type errorReport struct {
	PredictSeconds float64 `json:"predict_seconds"`
	Objective      string  `json:"objective"`
	RMSE           float64 `json:"rmse"`
	MAE            float64 `json:"mae"`
	LabelDeviation float64 `json:"label_deviation"` // RMSE of always saying the mean label
	Trees          int     `json:"trees"`
	Features       int     `json:"features"`
	MeasuredRows   int     `json:"measured_rows"`
	MeasuredOn     string  `json:"measured_on"`
}

func (r *errorReport) measure(p []float64, labels []float32) {
	r.MeasuredRows, r.RMSE, r.MAE = len(labels), models.RMSE(p, labels, nil), models.MAE(p, labels, nil)
	sum := 0.0
	for _, y := range labels {
		sum += float64(y)
	}
	mean := make([]float64, len(labels))
	for i := range mean {
		mean[i] = sum / float64(len(labels))
	}
	r.LabelDeviation = models.RMSE(mean, labels, nil)
}

func (r *errorReport) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, `%d rows, %d trees of %s, predicted in %.3f s
RMSE %.6g  MAE %.6g  (always saying the mean label has an RMSE of %.6g)
`, r.MeasuredRows, r.Trees, r.Objective, r.PredictSeconds, r.RMSE, r.MAE, r.LabelDeviation)
	return err
}

// writeIndented writes a report as JSON.
func writeIndented(report any) func(io.Writer) error {
	return func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
}
