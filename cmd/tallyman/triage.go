package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"tallyman/triage"
)

// triageCmd trains and uses ticket classifiers on any texts, without a
// warehouse.
type triageCmd struct {
	Train    triageTrainCmd    `cmd:"" help:"Learn labels from examples."`
	Eval     triageEvalCmd     `cmd:"" help:"Measure a model on examples it has not seen."`
	Classify triageClassifyCmd `cmd:"" help:"Label texts."`
	Probe    triageProbeCmd    `cmd:"" help:"Find out what a language model's server really enforces."`
	Suspects triageSuspectsCmd `cmd:"" help:"Labels that people gave and that may be wrong."`
	Refit    triageRefitCmd    `cmd:"" help:"Fit the model of a service anew, as every night; a better one waits for approval."`
}

// Help explains the commands at length.
func (*triageCmd) Help() string {
	return `Examples are a CSV file with the columns text and label, gzipped if the name
ends in .gz. Any labels will do: bring your own taxonomy and history.

  tallyman triage train --csv tickets.csv --out tickets.model
  tallyman triage eval --model tickets.model --csv later.csv --html report.html
  tallyman triage classify --model tickets.model "3 ctns crushed on pallet 4"
  tallyman triage classify --model tickets.model < lines.txt`
}

// outOfScopeLabels are looked for in this order when the user names none.
var outOfScopeLabels = []string{"out_of_scope", "out-of-scope", "oos"}

// triageTrainCmd learns a model.
type triageTrainCmd struct {
	CSV       string  `name:"csv" required:"" placeholder:"FILE" help:"Examples: columns text and label; or a folder of such files."`
	Out       string  `short:"o" required:"" placeholder:"FILE" help:"Where the model goes."`
	OOSLabel  string  `name:"oos-label" placeholder:"LABEL" help:"Label of examples about nothing the others say; out_of_scope or oos when not given. There may be none."`
	Lexicon   string  `placeholder:"FILE" help:"What the trade calls things: a file, default or none. When not given, the default one if all labels are of the default taxonomy."`
	Precision float64 `default:"0.98" help:"Share of labels given without abstaining that should be right."`
	Seed      uint64  `default:"1" help:"Same seed and examples, same bytes."`
	Threads   int     `placeholder:"N" help:"At most; all cores when not given. The model is the same for any number."`
}

// trainReport is written beside a model, as FILE.train.json: the model itself
// is the same bytes each time.
type trainReport struct {
	Examples     int     `json:"examples"`
	Labels       int     `json:"labels"`
	TrainSeconds float64 `json:"train_seconds"`
}

func trainReportOf(model string) string { return model + ".train.json" }

// Run learns and writes.
func (c *triageTrainCmd) Run(ctx context.Context, k *kong.Context) error {
	if err := writable([]string{c.Out}, c.CSV); err != nil {
		return err
	}
	examples, err := readExamples(c.CSV)
	if err != nil {
		return err
	}
	if c.Precision <= 0 || c.Precision >= 1 {
		return fmt.Errorf("--precision is %v, want between 0 and 1", c.Precision)
	}
	s := triage.DefaultSettings()
	s.OutOfScope, s.Precision, s.Seed, s.Threads = outOfScopeLabel(c.OOSLabel, examples), c.Precision, c.Seed, c.Threads
	if s.Lexicon, err = lexiconFor(c.Lexicon, examples); err != nil {
		return err
	}
	if s.Threads <= 0 {
		s.Threads = runtime.GOMAXPROCS(0)
	}
	started := time.Now()
	m, err := triage.Train(ctx, examples, s, func(step string) { fmt.Fprintln(os.Stderr, step) })
	if err != nil {
		return err
	}
	report := trainReport{m.Examples, len(m.Labels), time.Since(started).Seconds()}
	if err := writeFile(c.Out, m.Write); err != nil {
		return err
	}
	if c.Out != "-" {
		if err := writeFile(trainReportOf(c.Out), func(w io.Writer) error { return json.NewEncoder(w).Encode(report) }); err != nil {
			return err
		}
	}
	out := k.Stdout
	if c.Out == "-" {
		out = os.Stderr
	}
	_, err = fmt.Fprintf(out, "%s: %d labels from %d examples in %.1f s\n%s", c.Out, report.Labels, report.Examples, report.TrainSeconds, silence(m, c.Precision))
	return err
}

// silence is a line that says why a model abstains from every text, "" for one that
// does not. precision is what it was trained for.
func silence(m *triage.Model, precision float64) string {
	const fewer = 0.9
	least := triage.LeastExamples(precision)
	switch {
	case !m.Silent():
		return ""
	case m.Examples < least:
		return fmt.Sprintf("it abstains from every text: it takes %d examples or more to see that %v %% of its answers are right, and it has %d; give it more, or ask for less: --precision %v takes %d\n",
			least, math.Round(1000*precision)/10, m.Examples, fewer, triage.LeastExamples(fewer))
	}
	return fmt.Sprintf("it abstains from every text: of its %d examples too few were right when held out, however sure it was; see which labels it confuses (triage eval --html), give those more examples, or ask for less with triage train --precision\n", m.Examples)
}

// outOfScopeLabel is the named label, or the first usual one that examples have.
func outOfScopeLabel(named string, examples []triage.Example) string {
	if named != "" {
		return named
	}
	for _, label := range outOfScopeLabels {
		if slices.ContainsFunc(examples, func(e triage.Example) bool { return e.Label == label }) {
			return label
		}
	}
	return ""
}

// lexiconFor is the named lexicon; without a name, the default one for the
// default taxonomy's labels and none for others.
func lexiconFor(named string, examples []triage.Example) (*triage.Lexicon, error) {
	switch named {
	case "none":
		return nil, nil
	case "default":
		return triage.DefaultLexicon(), nil
	case "":
		taxonomy := triage.DefaultTaxonomy()
		foreign := func(e triage.Example) bool { _, ok := taxonomy.Label(e.Label); return !ok }
		if slices.ContainsFunc(examples, foreign) {
			return nil, nil
		}
		return triage.DefaultLexicon(), nil
	}
	text, err := os.ReadFile(named)
	if err != nil {
		return nil, err
	}
	l, err := triage.ParseLexicon(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", named, err)
	}
	return l, nil
}

// readExamples reads the columns text and label of a file, or of all .csv files
// of a folder in order of their names.
func readExamples(name string) ([]triage.Example, error) {
	files := []string{name}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(name, "*.csv")); err != nil {
			return nil, err
		}
	}
	var examples []triage.Example
	for _, file := range files {
		some, err := readExampleFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		examples = append(examples, some...)
	}
	if len(examples) == 0 {
		return nil, fmt.Errorf("%s: there are no examples", name)
	}
	return examples, nil
}

func readExampleFile(file string) ([]triage.Example, error) {
	var examples []triage.Example
	text, label := -1, -1
	err := readCSV(file, func(header []string) error {
		if text, label = columnNamed(header, "text"), columnNamed(header, "label"); text >= 0 && label >= 0 {
			return nil
		}
		missing := "text"
		if text >= 0 {
			missing = "label"
		}
		return fmt.Errorf("%w: want text and label, so name the column with what people wrote text, and the one with what it is label", noColumn(missing, "", header))
	}, func(_ int, cells []string) error {
		if cells[label] == "" {
			return errors.New("the label is blank")
		}
		examples = append(examples, triage.Example{Text: strings.Clone(cells[text]), Label: strings.Clone(cells[label])})
		return nil
	})
	return examples, err
}

// columnNamed finds a column by its name, else by its name in other letters' case; -1
// for none.
func columnNamed(header []string, name string) int {
	if i := slices.Index(header, name); i >= 0 {
		return i
	}
	return slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(h, name) })
}

// readTriageModel reads a model; without a name, the one of the program.
func readTriageModel(name string) (*triage.Model, error) {
	if name == "" {
		return triage.DefaultModel(), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	m, err := triage.ReadModel(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// triageClassifyCmd labels texts.
type triageClassifyCmd struct {
	Model string   `placeholder:"FILE" help:"Model to use; the one for the default taxonomy when not given."`
	Texts []string `arg:"" optional:"" help:"Texts; without any, each line of the standard input is one."`
}

// classified is one line of output.
type classified struct {
	Text         string       `json:"text"`
	Label        string       `json:"label"`
	P            float64      `json:"p"`
	Abstain      bool         `json:"abstain"`
	Why          string       `json:"why,omitempty"` // it abstains
	Stray        float64      `json:"stray"`         // share of texts in scope that look less strange
	Alternatives []labelledBy `json:"alternatives"`
}

type labelledBy struct {
	Label string  `json:"label"`
	P     float64 `json:"p"`
}

// Run labels, one JSON object a line.
func (c *triageClassifyCmd) Run(k *kong.Context) error {
	m, err := readTriageModel(c.Model)
	if err != nil {
		return err
	}
	out := json.NewEncoder(k.Stdout)
	classify := func(text string) error {
		v := m.Classify(text)
		line := classified{Text: text, Label: v.Label, P: v.P, Abstain: v.Abstain, Why: m.WhyAbstain(v), Stray: v.Stray, Alternatives: []labelledBy{}}
		for _, a := range v.Alternatives[:min(3, len(v.Alternatives))] {
			line.Alternatives = append(line.Alternatives, labelledBy(a))
		}
		return out.Encode(line)
	}
	for _, text := range c.Texts {
		if err := classify(text); err != nil {
			return err
		}
	}
	if len(c.Texts) > 0 {
		return nil
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if err := classify(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}
