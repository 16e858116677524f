package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/alecthomas/kong"

	"tallyman/models"
)

// modelEvalCmd measures a model.
type modelEvalCmd struct {
	Model string  `required:"" placeholder:"FILE" help:"Model to measure."`
	CSV   string  `name:"csv" required:"" placeholder:"FILE" help:"Table with labels."`
	Label string  `placeholder:"COLUMN" help:"Label column; the one of the fit when not given."`
	Cut   float64 `default:"0.5" help:"Probability from which a row counts as positive in the confusion matrix."`
	JSON  string  `name:"json" placeholder:"FILE" help:"Write a report."`
}

// Run measures and prints.
func (c *modelEvalCmd) Run(k *kong.Context) error {
	if err := writable([]string{c.JSON}, c.Model, c.CSV); err != nil {
		return err
	}
	m, err := readModel(c.Model)
	if err != nil {
		return err
	}
	d, _, err := tableOf(m, c.CSV, c.Label, true)
	if err != nil {
		return err
	}
	started := time.Now()
	p := make([]float64, d.X.Rows)
	m.Predictions(d.X, p)
	report := fitReport{
		PredictSeconds: time.Since(started).Seconds(), BestIteration: len(m.Trees),
		Features: len(m.Features), MeasuredOn: c.CSV,
	}
	report.measure(p, d.Y)
	if c.JSON != "" {
		if err := writeFile(c.JSON, report.write); err != nil {
			return err
		}
	}
	confusion, err := models.ConfusionReport(d.Y, p, c.Cut)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(k.Stdout, `%d rows, %d trees, predicted in %.3f s
AUC %s  average precision %s  log loss %.5f  Brier %.5f  ECE %.4f
lift in the first 1 %%: %.2f, 5 %%: %.2f, 10 %%: %.2f

positive from %v:
%s
`, report.MeasuredRows, report.BestIteration, report.PredictSeconds,
		report.AUC, report.AveragePrecision, report.LogLoss, report.Brier, report.ECE,
		models.Lift(p, d.Y, nil, 0.01), models.Lift(p, d.Y, nil, 0.05), models.Lift(p, d.Y, nil, 0.1), c.Cut, confusion)
	return err
}

// modelCompareCmd compares two models on the same rows.
type modelCompareCmd struct {
	A         string `arg:"" help:"First model, the champion."`
	B         string `arg:"" help:"Second model, the challenger."`
	CSV       string `name:"csv" required:"" placeholder:"FILE" help:"Table with labels that neither model was fitted to."`
	Label     string `placeholder:"COLUMN" help:"Label column; the one of the fit when not given."`
	Resamples int    `default:"1000" help:"Bootstrap samples."`
	Seed      uint64 `default:"1" help:"Of the bootstrap."`
}

// Run prints the differences with their 95 % intervals.
func (c *modelCompareCmd) Run(k *kong.Context) error {
	var p [2][]float64
	var labels []float32
	for i, name := range []string{c.A, c.B} {
		m, err := readModel(name)
		if err != nil {
			return err
		}
		d, _, err := tableOf(m, c.CSV, c.Label, true)
		if err != nil {
			return err
		}
		p[i], labels = make([]float64, d.X.Rows), d.Y
		m.Predictions(d.X, p[i])
		if _, err := fmt.Fprintf(k.Stdout, "%s: AUC %.4f, log loss %.5f\n", name, models.AUC(p[i], d.Y, nil), models.LogLoss(p[i], d.Y, nil)); err != nil {
			return err
		}
	}
	d, err := models.PairedBootstrap(p[0], p[1], labels, c.Resamples, rand.New(rand.NewPCG(c.Seed, 0)))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(k.Stdout, "%s - %s on %d rows, 95 %% of %d resamples:\n  AUC      %+.5f (%+.5f to %+.5f)%s\n  log loss %+.5f (%+.5f to %+.5f)%s\n",
		c.B, c.A, len(labels), c.Resamples,
		d.AUC.Value, d.AUC.Low, d.AUC.High, verdict(d.AUC, 1), d.LogLoss.Value, d.LogLoss.Low, d.LogLoss.High, verdict(d.LogLoss, -1))
	return err
}

// verdict says in words what an interval says; good is the sign of an improvement.
func verdict(i models.Interval, good float64) string {
	switch {
	case i.Low*good > 0 && i.High*good > 0:
		return " better"
	case i.Low*good < 0 && i.High*good < 0:
		return " worse"
	}
	return " no clear difference"
}
