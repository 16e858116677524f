package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"tallyman/store"
	"tallyman/warehouse"
)

// importCmd loads history.
type importCmd struct {
	database
	Source        string   `placeholder:"NAME" help:"The sending system, such as wms. It overrides the records' own source; (source, id) is what makes an import repeatable."`
	IgnoreUnknown bool     `help:"Skip unknown columns instead of refusing the file."`
	Refused       string   `default:"refused.csv" placeholder:"FILE" help:"Where refused records are listed with line, field and reason."`
	Files         []string `arg:"" optional:"" name:"file" help:"CSV, NDJSON or a JSON array, also gzipped; - or nothing reads the standard input."`
}

// Help explains the command at length.
func (*importCmd) Help() string {
	return `Loads events (see docs/events.md) in batches that are a transaction each. Import the
same files again, also after a crash in the middle, and every event is there
exactly once: what is there already counts as a duplicate. A record that is
malformed, or that another event with the same source and id contradicts, is
refused with its line, field and reason; the records around it are loaded, and
the exit status says that some were refused.

  tallyman import --source wms 2025.csv.gz 2026.csv.gz
  zcat export.gz | tallyman import --source wms`
}

// Run imports the files.
func (c *importCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	refused := &refusals{path: c.Refused}
	files := newEventFiles(c.Files, c.Source, c.IgnoreUnknown, refused.add)
	progress := newProgress(os.Stderr, "events")
	var accepted, duplicates int
	var given places
	next := func() (warehouse.Event, error) {
		e, err := files.next()
		if err == nil {
			given.add(place{files.name, files.reader.Line()})
		}
		return e, err
	}
	err = db.Import(ctx, next, func(b store.Imported) {
		accepted, duplicates = accepted+b.Accepted, duplicates+b.Duplicates
		n := b.Accepted + b.Duplicates + len(b.Conflicts)
		batch := given.take(n)
		for _, x := range b.Conflicts {
			refused.conflict(batch[x.Place], x)
		}
		progress.add(n)
	})
	progress.done()
	fmt.Fprintf(os.Stdout, "%d accepted, %d duplicate, %d refused\n", accepted, duplicates, refused.count)
	if closing := refused.close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("%w; what came before is in: mend the cause and import again", err)
	}
	if refused.count > 0 {
		return fmt.Errorf("%s refused; see %s", plural(refused.count, "record"), c.Refused)
	}
	return nil
}

// place is where a record stands.
type place struct {
	file string
	line int
}

// places are those of the records that are read and not yet saved, in order.
type places struct {
	mu    sync.Mutex
	queue []place
}

func (p *places) add(at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, at)
}

// take removes the next n.
func (p *places) take(n int) []place {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.queue[:n:n]
	p.queue = p.queue[n:]
	return taken
}

// refusals lists refused records in a CSV file that is made with the first.
type refusals struct {
	path  string
	mu    sync.Mutex // reading and saving run side by side
	count int
	file  *os.File
	out   *csv.Writer
	err   error
}

func (r *refusals) add(file string, x *warehouse.Refusal) error {
	return r.write(file, strconv.Itoa(x.Line), x.ID, x.Field, x.Reason)
}

func (r *refusals) conflict(at place, x store.ConflictingEvent) {
	_ = r.write(at.file, strconv.Itoa(at.line), x.ID, "id", fmt.Sprintf("source %s and id %s are those of event %d, which differs; kept for review", x.Source, x.ID, x.Holder))
}

// write adds a record; an error stays, and close says it.
func (r *refusals) write(cells ...string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if r.file == nil && r.err == nil {
		if r.file, r.err = os.Create(r.path); r.err == nil {
			r.out = csv.NewWriter(r.file)
			_ = r.out.Write([]string{"file", "line", "id", "field", "reason"})
		}
	}
	if r.err == nil {
		for i := range cells {
			cells[i] = noFormula(cells[i])
		}
		r.err = r.out.Write(cells)
	}
	return r.err
}

// noFormula puts an apostrophe before what a spreadsheet would take for a formula.
func noFormula(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func (r *refusals) close() error {
	if r.file == nil {
		return r.err
	}
	r.out.Flush()
	if err := r.out.Error(); err != nil {
		return err
	}
	return r.file.Close()
}
