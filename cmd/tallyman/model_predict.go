package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"tallyman/models"
)

// modelPredictCmd predicts the rows of a table.
type modelPredictCmd struct {
	Model   string `required:"" placeholder:"FILE" help:"Model to use."`
	CSV     string `name:"csv" required:"" placeholder:"FILE" help:"Table to predict."`
	Out     string `short:"o" required:"" placeholder:"FILE" help:"CSV with a column probability (prediction, of a model that predicts numbers), rows in order; - for the standard output."`
	Explain int    `placeholder:"K" help:"Add the K columns that raise the row's prediction most; at most all columns."`
}

// Run predicts and writes the file.
func (c *modelPredictCmd) Run() error {
	if c.Explain < 0 {
		return fmt.Errorf("--explain %d: want at least 0", c.Explain)
	}
	if err := writable([]string{c.Out}, c.Model, c.CSV); err != nil {
		return err
	}
	m, err := readModel(c.Model)
	if err != nil {
		return err
	}
	d, schema, err := tableOf(m, readOnce(c.CSV), "", false)
	if err != nil {
		return err
	}
	c.Explain = min(c.Explain, len(m.Features))
	p := make([]float64, d.X.Rows)
	m.Predictions(d.X, p)
	return writeFile(c.Out, func(w io.Writer) error {
		out := csv.NewWriter(bufio.NewWriter(w))
		header := []string{"prediction"}
		if m.Probabilistic() {
			header[0] = "probability"
		}
		for k := range c.Explain {
			header = append(header, fmt.Sprintf("reason_%d", k+1))
		}
		_ = out.Write(header)
		x := newExplanation(m, schema, c.Explain)
		for r, v := range p {
			_ = out.Write(append([]string{strconv.FormatFloat(v, 'g', -1, 64)}, x.reasons(d.X.Row(r))...))
		}
		out.Flush()
		return out.Error()
	})
}

// explanation puts the reasons of a row in words.
type explanation struct {
	k         int
	schema    tableSchema
	features  []string
	explainer *models.Explainer
	phi       []float64
	groups    []int
}

func newExplanation(m *models.Model, s tableSchema, k int) *explanation {
	x := &explanation{k: k, schema: s, features: m.Features}
	if k == 0 {
		return x
	}
	x.explainer, x.phi, x.groups = models.NewExplainer(m), make([]float64, len(m.Features)), make([]int, len(m.Features))
	for f := range x.groups {
		x.groups[f] = f
	}
	return x
}

// reasons returns k texts like "lead_time = 8 (+0.42)", blank beyond the last;
// the number is what the column adds to the margin: the log odds of a probability.
func (x *explanation) reasons(row []float32) []string {
	out := make([]string, x.k)
	if x.k == 0 {
		return out
	}
	x.explainer.Explain(row, x.phi)
	for i, r := range models.GroupReasons(x.phi, x.groups, x.k) {
		out[i] = fmt.Sprintf("%s = %s (%+.2f)", x.features[r.Feature], x.value(r.Feature, row[r.Feature]), r.Contribution)
	}
	return out
}

func (x *explanation) value(feature int, v float32) string {
	texts, ok := x.schema.Categories[x.features[feature]]
	switch {
	case v != v: // NaN: missing
		return "missing"
	case ok && int(v) < len(texts):
		return texts[int(v)]
	}
	return strconv.FormatFloat(float64(v), 'g', -1, 32)
}
