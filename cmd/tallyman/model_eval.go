package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"tallyman/models"
)

// modelEvalCmd measures a model.
type modelEvalCmd struct {
	Model string   `required:"" placeholder:"FILE" help:"Model to measure."`
	CSV   string   `name:"csv" required:"" placeholder:"FILE" help:"Table with labels."`
	Label string   `placeholder:"COLUMN" help:"Label column; the one of the fit when not given."`
	Cut   *float64 `placeholder:"P" help:"Probability from which a row counts as positive in the confusion matrix; 0.5 when not given."`
	JSON  string   `name:"json" placeholder:"FILE" help:"Write a report."`
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
	cut := 0.5
	if c.Cut != nil {
		cut = *c.Cut
	}
	switch {
	case c.Cut != nil && !m.Probabilistic():
		return fmt.Errorf("--cut is of probabilities; %s predicts numbers (%s)", c.Model, m.Objective)
	case !(cut >= 0 && cut <= 1):
		return fmt.Errorf("--cut is %v, want a probability: 0 to 1", cut)
	}
	d, _, err := tableOf(m, readOnce(c.CSV), c.Label, true)
	if err != nil {
		return err
	}
	started := time.Now()
	p := make([]float64, d.X.Rows)
	m.Predictions(d.X, p)
	took := time.Since(started).Seconds()
	out := k.Stdout
	if c.JSON == "-" {
		out = os.Stderr
	}
	if !m.Probabilistic() {
		report := errorReport{PredictSeconds: took, Objective: string(m.Objective), Trees: len(m.Trees), Features: len(m.Features), MeasuredOn: c.CSV}
		report.measure(p, d.Y)
		if err := c.writeJSON(report); err != nil {
			return err
		}
		return report.print(out)
	}
	report := fitReport{PredictSeconds: took, BestIteration: len(m.Trees), Features: len(m.Features), MeasuredOn: c.CSV}
	report.measure(p, d.Y)
	if err := c.writeJSON(report); err != nil {
		return err
	}
	return printProbabilities(out, &report, p, d.Y, cut)
}

func (c *modelEvalCmd) writeJSON(report any) error {
	if c.JSON == "" {
		return nil
	}
	return writeFile(c.JSON, writeIndented(report))
}

func printProbabilities(w io.Writer, r *fitReport, p []float64, labels []float32, cut float64) error {
	confusion, err := models.ConfusionReport(labels, p, cut)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `%d rows, %d trees, predicted in %.3f s
AUC %s  average precision %s  log loss %.5f  Brier %.5f  ECE %.4f
lift in the first 1 %%: %.2f, 5 %%: %.2f, 10 %%: %.2f

positive from %v:
%s
`, r.MeasuredRows, r.BestIteration, r.PredictSeconds, r.AUC, r.AveragePrecision, r.LogLoss, r.Brier, r.ECE,
		models.Lift(p, labels, nil, 0.01), models.Lift(p, labels, nil, 0.05), models.Lift(p, labels, nil, 0.1), cut, confusion)
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
	var all [2]*models.Model
	for i, name := range []string{c.A, c.B} {
		var err error
		if all[i], err = readModel(name); err != nil {
			return err
		}
	}
	if all[0].Probabilistic() != all[1].Probabilistic() {
		return fmt.Errorf("%s (%s) and %s (%s) cannot be compared: one predicts probabilities, the other numbers", c.A, all[0].Objective, c.B, all[1].Objective)
	}
	table, remove, err := readTwice(c.CSV)
	if err != nil {
		return err
	}
	defer remove()
	var p [2][]float64
	var labels []float32
	for i := range all {
		d, _, err := tableOf(all[i], table, c.Label, true)
		if err != nil {
			return err
		}
		p[i], labels = make([]float64, d.X.Rows), d.Y
		all[i].Predictions(d.X, p[i])
	}
	random := rand.New(rand.NewPCG(c.Seed, 0))
	if all[0].Probabilistic() {
		d, err := models.PairedBootstrap(p[0], p[1], labels, c.Resamples, random)
		if err != nil {
			return err
		}
		return c.print(k.Stdout, p, labels, compared{"AUC", models.AUC, d.AUC, 1}, compared{"log loss", models.LogLoss, d.LogLoss, -1})
	}
	d, err := models.PairedErrorBootstrap(p[0], p[1], labels, c.Resamples, random)
	if err != nil {
		return err
	}
	return c.print(k.Stdout, p, labels, compared{"RMSE", models.RMSE, d.RMSE, -1}, compared{"MAE", models.MAE, d.MAE, -1})
}

// compared is a metric, how much the second model's exceeds the first one's, and the
// sign of an improvement.
type compared struct {
	name       string
	of         func(p []float64, labels, weights []float32) float64
	difference models.Interval
	good       float64
}

func (c *modelCompareCmd) print(w io.Writer, p [2][]float64, labels []float32, metrics ...compared) error {
	return writeLines(w, func(w *bufio.Writer) {
		for i, name := range []string{c.A, c.B} {
			fmt.Fprintf(w, "%s:", name)
			for _, m := range metrics {
				fmt.Fprintf(w, "  %s %.5f", m.name, m.of(p[i], labels, nil))
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s - %s on %d rows, 95 %% of %d resamples:\n", c.B, c.A, len(labels), c.Resamples)
		for _, m := range metrics {
			d := m.difference
			fmt.Fprintf(w, "  %-8s %+.5f (%+.5f to %+.5f)%s\n", m.name, d.Value, d.Low, d.High, verdict(d, m.good))
		}
	})
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
