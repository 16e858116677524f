package main

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"tallyman/fixtures"
	"tallyman/warehouse"
)

// simulateCmd writes the events of warehouses that never existed.
type simulateCmd struct {
	Sites int       `default:"3" help:"Distribution centres."`
	SKUs  int       `name:"skus" default:"600" help:"Articles in the catalogue; each site stocks about nine in ten."`
	Days  int       `default:"240" help:"Length of the history in days."`
	Seed  uint64    `default:"1" help:"Same seed and options, same bytes."`
	End   time.Time `format:"2006-01-02" help:"Last day of the history; yesterday when not given."`
	Out   string    `short:"o" default:"-" placeholder:"FILE" help:"Where the events go: a name ending in .csv, .ndjson, .csv.gz or .ndjson.gz, or - for CSV on the standard output."`
	Truth string    `placeholder:"FILE" help:"Also write what really went wrong, as CSV: one line for each injected error."`
}

// Help explains the command at length.
func (*simulateCmd) Help() string {
	return `Simulates a distributor with several sites: purchase orders, receipts, putaway,
picks, shipments, returns, transfers, cycle counts and adjustments, with people
who err, thieves, and suppliers who send too little. Book stock and real stock
are simulated side by side; the events show only what a WMS would know.

  tallyman simulate --out demo.csv.gz --truth truth.csv
  tallyman simulate --sites 1 --skus 50 --days 30 | head
  tallyman simulate --seed 7 --out s.ndjson && tallyman import --source wms s.ndjson

The default makes some 300,000 events. Events come in the order in which they
are posted, so that a few have an earlier time than those before them. Results
on this data are results on a simulation: say so when you show them.`
}

// Run simulates and writes the files.
func (c *simulateCmd) Run() error {
	cfg := fixtures.Config{Sites: c.Sites, SKUs: c.SKUs, Days: c.Days, Seed: c.Seed, End: c.End}
	if cfg.End.IsZero() {
		cfg.End = time.Now().UTC().AddDate(0, 0, -1)
	}
	world, err := fixtures.New(cfg)
	if err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	progress := newProgress(os.Stderr, "events")
	err = writeFile(c.Out, func(w io.Writer) error {
		write, err := eventWriter(w, c.Out)
		if err != nil {
			return err
		}
		for e := range world.Events() {
			if err := write(&e); err != nil {
				return err
			}
			progress.add(1)
		}
		return nil
	})
	progress.done()
	if err != nil || c.Truth == "" {
		return err
	}
	return writeFile(c.Truth, func(w io.Writer) error { return writeTruth(w, world) })
}

// eventWriter chooses the format by the file's name.
func eventWriter(w io.Writer, name string) (func(*warehouse.Event) error, error) {
	switch base := strings.TrimSuffix(name, ".gz"); {
	case name == "-" || strings.HasSuffix(base, ".csv"):
		cw, err := warehouse.NewCSVWriter(w, fixtures.Columns)
		if err != nil {
			return nil, err
		}
		return cw.Write, nil
	case strings.HasSuffix(base, ".ndjson"):
		var line []byte
		return func(e *warehouse.Event) error {
			line = append(e.AppendJSON(line[:0]), '\n')
			_, err := w.Write(line)
			return err
		}, nil
	}
	return nil, fmt.Errorf("%s: unknown kind of file; the name must end in .csv, .ndjson, .csv.gz or .ndjson.gz, or be - for CSV on the standard output", name)
}

// writeFile lets write fill the named file, gzipped where the name says so. A
// file that could not be written whole is not left behind.
func writeFile(name string, write func(io.Writer) error) (err error) {
	if name == "-" {
		out := bufio.NewWriter(os.Stdout)
		return cmp.Or(write(out), out.Flush())
	}
	part := name + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	defer func() {
		if err = cmp.Or(err, f.Close()); err == nil {
			err = os.Rename(part, name)
		} else {
			_ = os.Remove(part)
		}
	}()
	out := bufio.NewWriterSize(f, 1<<20)
	if !strings.HasSuffix(name, ".gz") {
		return cmp.Or(write(out), out.Flush())
	}
	zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	return cmp.Or(write(zip), zip.Close(), out.Flush())
}

func writeTruth(w io.Writer, world *fixtures.World) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"mechanism", "site", "sku", "location", "at", "qty", "unit_cost_eur", "closed", "found"})
	for e := range world.Errors() {
		closed := ""
		if !e.Closed.IsZero() {
			closed = e.Closed.Format(time.RFC3339)
		}
		_ = out.Write([]string{
			string(e.Mechanism), string(e.Position.Site), string(e.Position.SKU), string(e.Position.Location),
			e.At.Format(time.RFC3339), e.Qty.String(), strconv.FormatFloat(e.UnitCost, 'f', 4, 64), closed, strconv.FormatBool(e.Found),
		})
	}
	out.Flush()
	return out.Error()
}

// progress counts on one line of a terminal; elsewhere it is silent.
type progress struct {
	w     io.Writer
	what  string
	count int
}

func newProgress(f *os.File, what string) *progress {
	p := &progress{w: io.Discard, what: what}
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		p.w = f
	}
	return p
}

func (p *progress) add(n int) {
	const step = 50_000
	if p.count/step != (p.count+n)/step {
		fmt.Fprintf(p.w, "\r%d %s", p.count+n, p.what)
	}
	p.count += n
}

func (p *progress) done() { fmt.Fprintf(p.w, "\r%d %s\n", p.count, p.what) }
