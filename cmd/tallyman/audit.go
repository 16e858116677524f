package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tallyman/audit"
	"tallyman/store"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check that nothing was changed, removed or reordered."`
	Export auditExportCmd `cmd:"" help:"Write a file that proves itself without this database."`
	Prove  auditProveCmd  `cmd:"" help:"Show what happened to a step, each entry with its proof."`
	Key    auditKeyCmd    `cmd:"" help:"The key that signs the log."`
}

// exitError ends the program with a status of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// judged is an outcome of a check: 1 where the log was tampered with, 2 where it
// could not be checked.
func judged(err error) error {
	var f *audit.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return &exitError{1, err}
	}
	return &exitError{2, fmt.Errorf("could not check: %w", err)}
}

// trusted are the verifier keys that a check begins with.
type trusted struct {
	AuditKey string   `env:"TALLYMAN_AUDIT_KEY" placeholder:"FILE" help:"The log's secret key, where no --key is given (audit.key in --dir)."`
	Key      []string `name:"key" sep:"none" placeholder:"KEY" help:"Verifier key that you hold, or a file with some; it may be given again."`
}

func (t *trusted) keys(dir string) ([]string, error) {
	if len(t.Key) == 0 {
		signer, err := readAuditKey((&auditSettings{AuditKey: t.AuditKey}).keyFile(dir), false)
		if err != nil {
			return nil, fmt.Errorf("no --key is given, and %w", err)
		}
		return signer.Public(), nil
	}
	var keys []string
	for _, k := range t.Key {
		text, err := os.ReadFile(k)
		if errors.Is(err, os.ErrNotExist) {
			text, err = []byte(k), nil
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, strings.Fields(string(text))...)
	}
	return keys, nil
}

func readAnchors(files []string) ([][]byte, error) {
	var all [][]byte
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		notes, err := audit.ReadAnchors(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, notes...)
	}
	return all, nil
}

type auditVerifyCmd struct {
	database
	trusted
	Bundle  string   `placeholder:"FILE" help:"Check an exported file instead of the database; needs --key."`
	Anchors []string `sep:"none" placeholder:"FILE" help:"Checkpoints that somebody else kept; it may be given again."`
}

// Help explains the command at length.
func (*auditVerifyCmd) Help() string {
	return `Hashes every entry anew, follows every stream, rebuilds the tree and compares it with
every signed checkpoint and every anchor. The status is 0 when the log is intact, 1
when it was tampered with (the first bad entry is named), 2 when it could not be checked.

What it proves: every entry was there when a checkpoint over it was signed; nothing at
or before a checkpoint was changed, removed or reordered; all checkpoints are of one
history; the order within each stream.

What it cannot prove: that an entry is true, or that something was written down at all;
that nothing newer than the last anchor was removed by an administrator of the database
(about ten minutes); times of day, beyond the order; that others were not shown another
history, unless their checkpoints are among --anchors; anything, if one person holds the
signing key and every anchor. So keep anchors where that administrator cannot write.`
}

// Run verifies.
func (c *auditVerifyCmd) Run(ctx context.Context) error {
	growHeap()
	report, err := c.verify(ctx)
	if err != nil {
		return judged(err)
	}
	fmt.Fprintf(os.Stdout, "intact: %s in %s, %s, %s\n", entries(report.Entries), plural(report.Streams, "stream"),
		plural(report.Checkpoints, "checkpoint"), plural(report.Anchors, "anchor"))
	if report.Last.Size > 0 {
		fmt.Fprintf(os.Stdout, "last checkpoint: %d entries of %s, signed %s\n", report.Last.Size, report.Last.Origin, report.Last.At.Format(time.RFC3339))
	}
	if report.Waiting > 0 {
		fmt.Fprintf(os.Stdout, "%s not in the tree yet: linked in their streams only\n", entries(report.Waiting))
	}
	if report.Late > 0 {
		fmt.Fprintf(os.Stdout, "streams that began before this file does: %d\n", report.Late)
	}
	if report.Anchors == 0 {
		fmt.Fprintln(os.Stdout, "no anchors were given: that the end was not cut off is not shown")
	}
	return nil
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

func (c *auditVerifyCmd) verify(ctx context.Context) (audit.Report, error) {
	if c.Bundle != "" && len(c.Key) == 0 {
		return audit.Report{}, errors.New("--bundle needs --key: a file cannot vouch for its own key. Ask the auditee for it over another way (tallyman audit key show)")
	}
	keys, err := c.keys(c.Dir)
	if err != nil {
		return audit.Report{}, err
	}
	anchors, err := readAnchors(c.Anchors) // before the database is read, which may only have more
	if err != nil {
		return audit.Report{}, err
	}
	if c.Bundle != "" {
		f, err := os.Open(c.Bundle)
		if err != nil {
			return audit.Report{}, err
		}
		defer func() { _ = f.Close() }()
		return audit.CheckBundle(f, keys, anchors, nil)
	}
	db, closeAll, err := c.openToRead(ctx, quiet())
	if err != nil {
		return audit.Report{}, err
	}
	defer closeAll()
	p := newProgress(os.Stderr, "entries")
	defer p.done()
	before := int64(0)
	return db.VerifyAudit(ctx, keys, anchors, func(done, _ int64) {
		p.add(int(done - before))
		before = done
	})
}

type auditExportCmd struct {
	database
	Out     string   `required:"" placeholder:"FILE" help:"File to write, in JSON Lines; - for the standard output."`
	Step    string   `placeholder:"ID" xor:"part" help:"One step, refused attempts included."`
	From    string   `placeholder:"DATE" help:"First day (UTC), such as 2026-11-01."`
	To      string   `placeholder:"DATE" help:"Last day (UTC)."`
	Anchors []string `sep:"none" placeholder:"FILE" help:"Checkpoints that somebody keeps: with proofs that what is exported is their history."`
}

// Help explains the command at length.
func (*auditExportCmd) Help() string {
	return `Writes the whole log, or with --step, --from or --to a part with a proof for each entry
that the newest checkpoint includes it. "tallyman audit verify --bundle FILE --key KEY"
checks the file on any machine. A part proves that its entries were logged, not that
there are no others: for that export the whole.`
}

// Run exports.
func (c *auditExportCmd) Run(ctx context.Context) error {
	growHeap()
	part := store.AuditPart{}
	var err error
	if c.Step != "" {
		part.Streams = []string{c.Step, c.Step + "/refused"}
	}
	if part.From, err = day(c.From); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	if part.To, err = day(c.To); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if !part.To.IsZero() {
		part.To = part.To.AddDate(0, 0, 1)
	}
	if part.Anchors, err = readAnchors(c.Anchors); err != nil {
		return err
	}
	db, closeAll, err := c.openToRead(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	n, err := c.write(ctx, db, part)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s written\n", entries(n))
	if n == 0 && c.Step != "" {
		return fmt.Errorf("step %s has no entries that are signed for yet", c.Step)
	}
	return nil
}

// write leaves no half file behind.
func (c *auditExportCmd) write(ctx context.Context, db *store.DB, part store.AuditPart) (int64, error) {
	if c.Out == "-" {
		return db.ExportAudit(ctx, os.Stdout, part)
	}
	f, err := os.CreateTemp(filepath.Dir(c.Out), "."+filepath.Base(c.Out)+"-*")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	n, err := db.ExportAudit(ctx, f, part)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	return n, os.Rename(f.Name(), c.Out)
}

func day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.DateOnly, text)
}

type auditProveCmd struct {
	database
	trusted
	Step string `arg:"" help:"The step's id."`
}

// Run shows a step's history and checks its proofs.
func (c *auditProveCmd) Run(ctx context.Context) error {
	keys, err := c.keys(c.Dir)
	if err != nil {
		return judged(err)
	}
	db, closeAll, err := c.openToRead(ctx, quiet())
	if err != nil {
		return judged(err)
	}
	defer closeAll()
	var file bytes.Buffer
	part := store.AuditPart{Streams: []string{c.Step, c.Step + "/refused"}}
	if _, err := db.ExportAudit(ctx, &file, part); err != nil {
		return judged(err)
	}
	proved := map[int64]bool{}
	report, err := audit.CheckBundle(&file, keys, nil, func(index int64, _ audit.Entry) { proved[index] = true })
	if err != nil {
		return judged(err)
	}
	shown := 0
	for _, stream := range part.Streams {
		history, err := db.AuditStream(ctx, stream)
		if err != nil {
			return judged(err)
		}
		for _, e := range history {
			showEntry(os.Stdout, &e, proved[e.Index])
			shown++
		}
	}
	if shown == 0 {
		return judged(fmt.Errorf("step %s has no audit entries: look at its id", c.Step))
	}
	fmt.Fprintf(os.Stdout, "%d of %s proved against the checkpoint of %d entries of %s, signed %s\n",
		report.Entries, entries(int64(shown)), report.Last.Size, report.Last.Origin, report.Last.At.Format(time.RFC3339))
	return nil
}

func showEntry(w io.Writer, e *store.AuditedEntry, proved bool) {
	place := fmt.Sprintf("index %d, proved", e.Index)
	if !proved {
		place = "not signed for yet"
	}
	fmt.Fprintf(w, "%s  %s by %s (%s)\n", e.At.Format(time.RFC3339), e.Event, printable(e.Actor), place)
	for _, f := range e.Facts {
		if f.Value != "" {
			fmt.Fprintf(w, "    %s: %s\n", f.Name, printable(f.Value))
		}
	}
	fmt.Fprintf(w, "    leaf: %x\n", e.Leaf[:])
}
