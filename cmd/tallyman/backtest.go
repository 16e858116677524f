package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"tallyman/features"
	"tallyman/scoring"
	"tallyman/training"
	"tallyman/warehouse"
)

// backtestCmd answers what a model would have found.
type backtestCmd struct {
	Subject       string    `enum:"position,load" required:"" help:"position: stock to count; load: inbound lines to check."`
	Outcome       string    `enum:"variance,discrepancy,late" required:"" help:"variance of a position; discrepancy or late of a load."`
	Events        []string  `sep:"none" required:"" placeholder:"FILE" help:"CSV, NDJSON or a JSON array, also gzipped; may be given several times."`
	TrainUntil    time.Time `format:"2006-01-02" required:"" help:"Fit on what was known by the end of this day (UTC)."`
	TestUntil     time.Time `format:"2006-01-02" required:"" help:"Judge what was scored after it, to the end of this day."`
	Tolerance     string    `default:"0" help:"Differences up to this many units do not count."`
	IgnoreUnknown bool      `help:"Skip unknown columns instead of refusing the file."`
	Seed          uint64    `default:"1" help:"Same seed, same result."`
	Threads       int       `default:"0" help:"0 uses every core; the result does not depend on it."`
	JSON          string    `name:"json" placeholder:"FILE" help:"Write every figure as JSON; - for the standard output."`
	HTML          string    `name:"html" placeholder:"FILE" help:"Write a report for people."`
	More          []string  `arg:"" optional:"" name:"file" help:"More files of events."`
}

// Help explains the command at length.
func (*backtestCmd) Help() string {
	return `Replays your events, learns from what was known until the first date, and scores
every later count (or load line) as it would have been just before it happened.
The answer says how many of the differences a counting budget would have found,
within each calendar month, beside what simple rules would have found with the
same budget. Settings are chosen inside the training period.

Files may overlap: of records with the same source and id the first counts. A
record that cannot be read ends the command. At least 200 outcomes, 20 of them
positive, are needed to learn from.

  tallyman backtest --subject position --outcome variance --events events.csv.gz \
    --train-until 2018-06-30 --test-until 2019-06-30 --html report.html`
}

// Run replays, fits, judges and reports.
func (c *backtestCmd) Run(ctx context.Context) error {
	growHeap()
	tolerance, err := warehouse.ParseQty(c.Tolerance)
	if err != nil {
		return fmt.Errorf("--tolerance: %w", err)
	}
	if !c.TestUntil.After(c.TrainUntil) {
		return fmt.Errorf("--test-until %s is not after --train-until %s", c.TestUntil.Format(time.DateOnly), c.TrainUntil.Format(time.DateOnly))
	}
	if err := writable([]string{c.JSON, c.HTML}, append(c.Events, c.More...)...); err != nil {
		return err
	}
	events, err := c.read(ctx)
	if err != nil {
		return err
	}
	threads := c.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	endOf := func(day time.Time) time.Time { return day.AddDate(0, 0, 1).Add(-time.Microsecond) }
	plan := training.Plan{
		Target:     training.Target{Subject: features.Subject(c.Subject), Outcome: scoring.Outcome(c.Outcome), Tolerance: tolerance},
		TrainUntil: endOf(c.TrainUntil), TestUntil: endOf(c.TestUntil), Seed: c.Seed, Threads: threads,
	}
	result, err := plan.Run(ctx, events)
	if err != nil {
		return err
	}
	if c.JSON != "" {
		if err := writeFile(c.JSON, func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(result)
		}); err != nil {
			return err
		}
	}
	if c.HTML != "" {
		if err := writeFile(c.HTML, result.WriteHTML); err != nil {
			return err
		}
	}
	if c.JSON == "-" {
		return nil
	}
	return summarise(os.Stdout, result)
}

// read reads every file; a refused record is an error here, because a backtest
// on part of the truth misleads. What is there twice counts once.
func (c *backtestCmd) read(ctx context.Context) ([]warehouse.Event, error) {
	files := newEventFiles(append(c.Events, c.More...), "", c.IgnoreUnknown, func(file string, r *warehouse.Refusal) error {
		return fmt.Errorf("%s: %w", file, r)
	})
	files.options.Unnamed = "backtest"
	progress := newProgress(os.Stderr, "events read")
	defer progress.done()
	read := newOnce()
	for ctx.Err() == nil {
		e, err := files.next()
		if errors.Is(err, io.EOF) {
			read.tell(os.Stderr)
			return read.events, nil
		}
		if err != nil {
			return nil, err
		}
		read.add(e, files.name, files.reader.Line())
		progress.add(1)
	}
	return nil, ctx.Err()
}

func summarise(w io.Writer, b *training.Backtest) error {
	fmt.Fprintf(w, "%s of %s, %d events\nlearned from %d outcomes (%d positive) until %s; judged on %d (%d positive) until %s\n\n",
		b.Outcome, b.Subject, b.Events, b.Train.Examples, b.Train.Positives, b.TrainUntil.Format(time.DateOnly),
		b.Test.Examples, b.Test.Positives, b.TestUntil.Format(time.DateOnly))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tAUC\tlift at 5 %\tlift at 10 %\tunits found at 10 %\t")
	row := func(name string, m training.Metrics) {
		fmt.Fprintf(t, "%s\t%.3f\t%.2f\t%.2f\t%.0f %%\t\n", name, m.AUC, m.Lift["0.05"], m.Lift["0.10"], 100*m.VarianceShare["0.10"])
	}
	row("Tallyman", b.Metrics)
	for _, name := range b.BaselineNames() {
		row(name, b.Baselines[name])
	}
	if part := b.WithoutNegativeBook; part != nil {
		row("Tallyman, without books below zero", part.Metrics)
	}
	if part := b.AtReceipt; part != nil {
		row("Tallyman, at receipt", part.Metrics)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\ncalibration error %.3f, Brier score %.4f\n", *b.Metrics.ECE, *b.Metrics.Brier)
	return err
}
