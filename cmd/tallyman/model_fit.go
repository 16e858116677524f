package main

import (
	"cmp"
	"context"
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

	"tallyman/models"
)

// modelFitCmd fits a model to a table.
type modelFitCmd struct {
	CSV             string   `name:"csv" required:"" placeholder:"FILE" help:"Table to fit, in time order."`
	Label           string   `required:"" placeholder:"COLUMN" help:"Column to predict: 0 or 1, No or Yes, false or true."`
	Out             string   `short:"o" required:"" placeholder:"FILE" help:"Where the model goes: JSON, or UBJSON if the name ends in .ubj."`
	Trees           int      `default:"500" help:"Trees at most."`
	Depth           int      `default:"6" help:"Splits from root to leaf."`
	Eta             float64  `default:"0.1" help:"Learning rate."`
	L2              float64  `name:"l2" default:"1" help:"Penalty on leaf weights."`
	Bins            int      `default:"255" help:"Bins of each feature."`
	MinChildWeight  float64  `default:"1" help:"Least sum of Hessians in a leaf."`
	Monotone        []string `placeholder:"A:+,B:-" help:"Columns whose effect may only rise (+) or fall (-)."`
	Categorical     []string `placeholder:"C,D" help:"Columns of numbers that are categories; texts always are."`
	EarlyStopping   *int     `xor:"stopping" placeholder:"N" help:"Stop when the later rows have not improved for so many trees, 0 for never; 30 when not given."`
	NoEarlyStopping bool     `xor:"stopping" help:"Grow all trees."`
	Calibration     *string  `enum:"beta,isotonic,none" xor:"calibration" placeholder:"HOW" help:"How margins become probabilities: beta, isotonic or none; beta when not given."`
	NoCalibration   bool     `xor:"calibration" help:"Same as --calibration none."`
	Valid           string   `placeholder:"FILE" help:"Later rows to stop, calibrate and measure on. Without it, the last fifth of --csv, if needed."`
	Seed            uint64   `default:"1" help:"Same seed and data, same bytes."`
	Threads         int      `placeholder:"N" help:"At most; all cores when not given. The model is the same for any number."`
	JSON            string   `name:"json" placeholder:"FILE" help:"Write a report."`
}

// Run fits, writes the model and prints the report.
func (c *modelFitCmd) Run(ctx context.Context, k *kong.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	table, remove, err := readTwice(c.CSV)
	if err != nil {
		return err
	}
	defer remove()
	features, schema, err := scanTable(table, c.Label, c.Categorical)
	if err != nil {
		return fmt.Errorf("%s: %w", c.CSV, err)
	}
	params, err := c.params(features)
	if err != nil {
		return err
	}
	train, later, measuredOn, err := c.tables(table, features, schema)
	if err != nil {
		return err
	}
	started := time.Now()
	m, fitted, err := models.Fit(ctx, train, later, params, treeProgress(os.Stderr, c.Trees))
	if err != nil {
		return err
	}
	treesDone(os.Stderr)
	report := fitReport{
		FitSeconds: time.Since(started).Seconds(), BestIteration: fitted.BestIteration,
		Rows: train.X.Rows, Features: len(features), MeasuredOn: measuredOn,
	}
	measured := train
	if later != nil {
		measured = *later
	}
	if err := c.calibrate(m, measured); err != nil {
		return err
	}
	if m.Attributes == nil {
		m.Attributes = map[string]string{}
	}
	if m.Attributes[tableAttribute], err = schema.attribute(); err != nil {
		return err
	}
	return c.finish(k.Stdout, m, &report, measured)
}

// finish measures the model on rows, and writes it and the report.
func (c *modelFitCmd) finish(out io.Writer, m *models.Model, report *fitReport, measured models.Dataset) error {
	started := time.Now()
	p := make([]float64, measured.X.Rows)
	m.Predictions(measured.X, p)
	report.PredictSeconds = time.Since(started).Seconds()
	report.measure(p, measured.Y)
	if err := writeModel(c.Out, m); err != nil {
		return err
	}
	if c.JSON != "" {
		if err := writeFile(c.JSON, writeIndented(report)); err != nil {
			return err
		}
	}
	if c.Out == "-" || c.JSON == "-" {
		out = os.Stderr
	}
	return report.print(out)
}

// patience is how many trees without an improvement stop the fit, 0 for never.
func (c *modelFitCmd) patience() int {
	switch {
	case c.NoEarlyStopping:
		return 0
	case c.EarlyStopping != nil:
		return *c.EarlyStopping
	}
	return 30
}

func (c *modelFitCmd) calibration() string {
	switch {
	case c.NoCalibration:
		return "none"
	case c.Calibration != nil:
		return *c.Calibration
	}
	return "beta"
}

// check refuses flags that contradict one another.
func (c *modelFitCmd) check() error {
	switch {
	case c.Out == "-" && c.JSON == "-":
		return errors.New("--out and --json are both the standard output; name a file for one of them")
	case c.CSV == stdin && c.Valid == stdin:
		return errors.New("--csv and --valid are both the standard input; name a file for one of them")
	case slices.Contains(c.Categorical, c.Label):
		return fmt.Errorf("--categorical %s: it is the label, which is to be predicted", c.Label)
	}
	return writable([]string{c.Out, c.JSON}, c.CSV, c.Valid)
}

// writable fails if a file could not be written for want of its folder, or would
// take the place of one that is read or of another output, before a long fit is in
// vain. Outputs that are not asked for are "" or "-".
func writable(outputs []string, inputs ...string) error {
	taken := inputs
	for _, file := range outputs {
		if file == "" || file == "-" {
			continue
		}
		folder := filepath.Dir(file)
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return fmt.Errorf("%s cannot be written: there is no folder %s; make it first", file, folder)
		}
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			return fmt.Errorf("%s cannot be written: it is a folder; name a file in it", file)
		}
		if slices.ContainsFunc(taken, func(other string) bool { return sameFile(file, other) }) {
			return fmt.Errorf("%s would be overwritten, but it is read or written for something else too; choose another name", file)
		}
		taken = append(taken, file)
	}
	return nil
}

func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

func (c *modelFitCmd) params(features []string) (models.Params, error) {
	p := models.DefaultParams()
	p.Trees, p.Depth, p.Eta, p.L2, p.Bins = c.Trees, c.Depth, c.Eta, c.L2, c.Bins
	p.MinChildWeight, p.EarlyStopping, p.Seed = c.MinChildWeight, c.patience(), c.Seed
	p.Threads = cmp.Or(c.Threads, runtime.GOMAXPROCS(0))
	if len(c.Monotone) == 0 {
		return p, nil
	}
	p.Monotone = make([]int8, len(features))
	for _, sign := range c.Monotone {
		at := strings.LastIndex(sign, ":")
		if at < 0 {
			return p, fmt.Errorf("--monotone %s: want COLUMN:+ or COLUMN:-", sign)
		}
		name, sign := sign[:at], sign[at+1:]
		i := slices.Index(features, name)
		if i < 0 {
			return p, fmt.Errorf("--monotone: %w", noColumn(name, "", features))
		}
		direction, ok := map[string]int8{"+": 1, "-": -1}[sign]
		switch {
		case !ok:
			return p, fmt.Errorf("--monotone %s:%s: want + or -", name, sign)
		case p.Monotone[i] == -direction:
			return p, fmt.Errorf("--monotone says both %s:+ and %s:-; say one of them", name, name)
		}
		p.Monotone[i] = direction
	}
	return p, nil
}

// tables returns the rows to fit and the later ones, nil if none are needed.
func (c *modelFitCmd) tables(table source, features []string, schema tableSchema) (train models.Dataset, later *models.Dataset, measuredOn string, err error) {
	kinds := schema.kinds(features)
	if train, err = schema.read(table, features, kinds, true); err != nil {
		return train, nil, "", fmt.Errorf("%s: %w", c.CSV, err)
	}
	switch {
	case c.Valid != "":
		valid, err := schema.read(readOnce(c.Valid), features, kinds, true)
		if err != nil {
			return train, nil, "", fmt.Errorf("%s: %w", c.Valid, err)
		}
		return train, &valid, "the rows of --valid", nil
	case c.patience() == 0 && c.calibration() == "none":
		return train, nil, "the rows of the fit", nil
	}
	if train.X.Rows < 10 {
		return train, nil, "", fmt.Errorf("%s has %d rows, too few to keep a fifth for stopping and calibration; pass --no-early-stopping --no-calibration", c.CSV, train.X.Rows)
	}
	cut := train.X.Rows - train.X.Rows/5
	valid := train
	valid.X = models.Matrix{Rows: train.X.Rows - cut, Cols: train.X.Cols, Data: train.X.Data[cut*train.X.Cols:]}
	valid.Y = train.Y[cut:]
	train.X = models.Matrix{Rows: cut, Cols: train.X.Cols, Data: train.X.Data[:cut*train.X.Cols]}
	train.Y = train.Y[:cut]
	return train, &valid, "the last fifth of the rows, which stopped and calibrated the fit", nil
}

func (c *modelFitCmd) calibrate(m *models.Model, d models.Dataset) error {
	if c.calibration() == "none" {
		return nil
	}
	margins := make([]float32, d.X.Rows)
	m.Margins(d.X, margins)
	var err error
	if c.calibration() == "isotonic" {
		warnFewPositives(os.Stderr, d.Y)
		m.Calibrator, err = models.FitIsotonic(margins, d.Y, nil)
	} else {
		m.Calibrator, err = models.FitBeta(margins, d.Y, nil)
	}
	if err != nil {
		return fmt.Errorf("%w; or pass --no-calibration", err)
	}
	return nil
}

// warnFewPositives tells of labels that are too few for isotonic calibration.
func warnFewPositives(w io.Writer, labels []float32) {
	const enough = 1000
	positives := 0
	for _, y := range labels {
		positives += int(y)
	}
	if positives < enough {
		fmt.Fprintf(w, "isotonic calibration has %d positive rows; below %d --calibration beta is the safer choice\n", positives, enough)
	}
}

// treeProgress shows the trees on a terminal.
func treeProgress(f *os.File, trees int) func(models.Round) {
	w := newProgress(f, "trees").w
	return func(r models.Round) {
		line := fmt.Sprintf("\rtree %d of at most %d", r.Tree, trees)
		if !math.IsNaN(r.ValidLoss) {
			line += fmt.Sprintf(", loss on later rows %.5f", r.ValidLoss)
		}
		_, _ = io.WriteString(w, line) // a terminal that is gone is no reason to stop
	}
}

// treesDone ends the line of treeProgress.
func treesDone(f *os.File) { _, _ = io.WriteString(newProgress(f, "trees").w, "\n") }
