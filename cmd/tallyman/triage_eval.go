package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"tallyman/triage"
)

// triageEvalCmd measures a model.
type triageEvalCmd struct {
	Model    string `placeholder:"FILE" help:"Model to measure; the one for the default taxonomy when not given."`
	CSV      string `name:"csv" required:"" placeholder:"FILE" help:"Examples the model was not trained on."`
	OOSLabel string `name:"oos-label" placeholder:"LABEL" help:"Label of examples out of scope; the model's own when not given."`
	JSON     string `name:"json" placeholder:"FILE" help:"Write the figures."`
	Compare  bool   `help:"Measure golearn's naive Bayes and nearest neighbours beside it, on a sample."`
	Train    string `placeholder:"FILE" help:"What --compare learns from; half of --csv when not given."`
	HTML     string `name:"html" placeholder:"FILE" help:"Write a report with confusions and the risk-coverage curve."`
}

// Run measures and prints.
func (c *triageEvalCmd) Run(k *kong.Context) error {
	if err := writable([]string{c.JSON, c.HTML}, c.Model, c.CSV, c.Train); err != nil {
		return err
	}
	m, err := readTriageModel(c.Model)
	if err != nil {
		return err
	}
	examples, err := readExamples(c.CSV)
	if err != nil {
		return err
	}
	outOfScope := c.OOSLabel
	if outOfScope == "" {
		outOfScope = m.OutOfScope
	}
	judged := judge(m, examples)
	e := triage.Evaluate(judged, outOfScope)
	if ofDefaultTaxonomy(m.Labels) {
		e.Signals = triage.DefaultTaxonomy().ScoreSignals(judged)
	}
	e.TrainSeconds = trainSeconds(c.Model)
	if c.JSON != "" {
		err := writeFile(c.JSON, func(w io.Writer) error {
			out := json.NewEncoder(w)
			out.SetIndent("", "  ")
			return out.Encode(e)
		})
		if err != nil {
			return err
		}
	}
	if c.HTML != "" {
		if err := writeFile(c.HTML, func(w io.Writer) error { return e.WriteHTML(w, c.Model, c.CSV) }); err != nil {
			return err
		}
	}
	if err := writeLines(k.Stdout, func(w *bufio.Writer) {
		printEvaluation(w, e)
		if m.Silent() {
			fmt.Fprintf(w, "it abstains from every text: its %d examples were too few for the precision it was trained for, or mistaken too often; triage train says how many it takes\n", m.Examples)
		}
	}); err != nil || !c.Compare {
		return err
	}
	return c.compare(k.Stdout, m, examples, outOfScope)
}

// compareRows is the most examples that a peer learns from and is measured on.
const compareRows = 2000

// compare measures the model's peers on a sample of the same examples. The order
// of the file does not matter: the sample is drawn.
func (c *triageEvalCmd) compare(w io.Writer, m *triage.Model, test []triage.Example, outOfScope string) error {
	r := rand.New(rand.NewPCG(1, 0))
	test = slices.DeleteFunc(slices.Clone(test), func(e triage.Example) bool { return e.Label == outOfScope })
	r.Shuffle(len(test), func(i, j int) { test[i], test[j] = test[j], test[i] })
	train := test[:len(test)/2]
	if c.Train == "" {
		test = test[len(test)/2:]
	} else {
		var err error
		if train, err = readExamples(c.Train); err != nil {
			return err
		}
		r.Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
	}
	train, test = train[:min(compareRows, len(train))], test[:min(compareRows, len(test))]
	texts := make([]string, len(test))
	for i, e := range test {
		texts[i] = e.Text
	}
	bayes, err := triage.BayesLabels(train, texts)
	if err != nil {
		return err
	}
	neighbours := m.NeighbourLabels(train, texts)
	hits := [3]int{}
	for i, e := range test {
		for k, got := range []string{m.Classify(e.Text).Label, neighbours[i], bayes[i]} {
			if got == e.Label {
				hits[k]++
			}
		}
	}
	_, err = fmt.Fprintf(w, `on %d examples:
  accuracy %.4f  the model
  accuracy %.4f  nearest neighbours, of %d examples
  accuracy %.4f  golearn's naive Bayes, from the same
`, len(test), share(hits[0], test), share(hits[1], test), len(train), share(hits[2], test))
	return err
}

func share(hits int, of []triage.Example) float64 { return float64(hits) / float64(max(len(of), 1)) }

// ofDefaultTaxonomy reports whether all labels are of the default taxonomy.
func ofDefaultTaxonomy(labels []string) bool {
	taxonomy := triage.DefaultTaxonomy()
	return !slices.ContainsFunc(labels, func(l string) bool { _, ok := taxonomy.Label(l); return !ok })
}

// judge classifies each example once and takes the time.
func judge(m *triage.Model, examples []triage.Example) []triage.Judged {
	ours := ofDefaultTaxonomy(m.Labels)
	judged := make([]triage.Judged, len(examples))
	for i, e := range examples {
		started := time.Now()
		v := m.Classify(e.Text)
		judged[i] = triage.Judged{
			Want: e.Label, Got: v.Label, P: v.P, Stray: v.Stray, Abstain: v.Abstain, Took: time.Since(started),
		}
		if ours {
			judged[i].Signals = triage.DefaultTaxonomy().RouteVerdict(v, e.Text, triage.Facts{}).Signals
		}
	}
	return judged
}

// trainSeconds is what "triage train" noted beside the model, 0 if it is gone.
func trainSeconds(model string) float64 {
	var report trainReport
	text, err := os.ReadFile(trainReportOf(model))
	if err != nil || json.Unmarshal(text, &report) != nil {
		return 0
	}
	return report.TrainSeconds
}

func printEvaluation(w io.Writer, e triage.Evaluation) {
	fmt.Fprintf(w, `%d examples in scope
accuracy %.4f  macro-F1 %.4f  ECE %.4f
share answered with 95 %% right: %.3f, with 98 %% right: %.3f
with the model's own thresholds: %.3f answered, %.4f of them right
`, e.Examples, e.Accuracy, e.MacroF1, e.ECE, e.CoverageAt["0.95"], e.CoverageAt["0.98"], e.Abstaining.Coverage, e.Abstaining.Precision)
	for _, id := range slices.Sorted(maps.Keys(e.Signals)) {
		s := e.Signals[id]
		fmt.Fprintf(w, "signal %s: %.4f of %d found, raised on %.4f of the others\n", id, s.Recall, s.Examples, s.Others)
	}
	if e.OOS != nil {
		fmt.Fprintf(w, "%d out of scope: AUROC %.4f, %.3f noticed when 5 %% in scope are rejected, %.3f with the model's own thresholds\n",
			e.OOS.Examples, e.OOS.AUROC, e.OOS.RecallAt5PctRejected, e.OOS.Recall)
	}
	fmt.Fprintf(w, "a verdict takes %.0f µs, 99 %% are below %.0f µs\n", e.LatencyUS.P50, e.LatencyUS.P99)
	if len(e.Confusions) > 0 {
		fmt.Fprintln(w, "most confused:")
	}
	for _, c := range e.Confusions[:min(10, len(e.Confusions))] {
		fmt.Fprintf(w, "  %4d  %s taken for %s\n", c.Examples, c.Want, c.Got)
	}
}
