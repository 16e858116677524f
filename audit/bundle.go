package audit

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"
)

// line is one line of a bundle, which is a file in JSON Lines: first what it is,
// then checkpoints from the smallest on, then entries from the lowest index on. A
// bundle of the whole log is proved by hashing all of it; a part has consistency
// proofs between its checkpoints and, with each entry, the proof that it is
// included in the last of them.
type line struct {
	Kind        string         `json:"kind"`
	Version     int            `json:"v,omitzero"`
	Part        bool           `json:"part,omitzero"`
	Entries     int64          `json:"entries,omitzero"`
	Checkpoints int            `json:"checkpoints,omitzero"`
	Note        string         `json:"note,omitzero"`
	From        int64          `json:"from,omitzero"`
	To          int64          `json:"to,omitzero"`
	Index       int64          `json:"index,omitzero"`
	Leaf        Hash           `json:"leaf,omitzero"`
	Body        jsontext.Value `json:"body,omitzero"`
	Proof       []Hash         `json:"proof,omitempty"`
}

// What stands between the members of an entry of the whole log.
const (
	beforeIndex = `{"kind":"entry","index":`
	beforeLeaf  = `,"leaf":"`
	beforeBody  = `","body":`
)

const (
	kindBundle      = "tallyman-audit"
	kindCheckpoint  = "checkpoint"
	kindConsistency = "consistency"
	kindEntry       = "entry"
)

// BundleWriter writes a bundle. The caller writes checkpoints and
// their proofs before entries, each from the lowest number on.
type BundleWriter struct {
	w    *bufio.Writer
	text []byte // of a line
}

// NewBundle begins a bundle of so many checkpoints and entries. A part is not the
// whole log from its first entry to the last checkpoint.
func NewBundle(w io.Writer, part bool, checkpoints int, entries int64) (*BundleWriter, error) {
	b := &BundleWriter{w: bufio.NewWriterSize(w, 1<<16)}
	return b, b.write(&line{Kind: kindBundle, Version: 1, Part: part, Checkpoints: checkpoints, Entries: entries})
}

// Checkpoint writes a signed checkpoint.
func (b *BundleWriter) Checkpoint(signed []byte) error {
	return b.write(&line{Kind: kindCheckpoint, Note: string(signed)})
}

// Consistency writes the proof that the tree of from entries is the beginning of
// that of to entries.
func (b *BundleWriter) Consistency(from, to int64, proof []Hash) error {
	return b.write(&line{Kind: kindConsistency, From: from, To: to, Proof: proof})
}

// Entry writes an entry; the proof is left out where the whole log is written.
func (b *BundleWriter) Entry(index int64, r *Record, proof []Hash) error {
	if index == 0 || len(proof) > 0 || r.err != nil {
		return b.write(&line{Kind: kindEntry, Index: index, Leaf: r.leaf, Body: r.body, Proof: proof})
	}
	// What a canonical body is written as is known without encoding it.
	b.text = append(strconv.AppendInt(append(b.text[:0], beforeIndex...), index, 10), beforeLeaf...)
	b.text = append(base64.StdEncoding.AppendEncode(b.text, r.leaf[:]), beforeBody...)
	b.text = append(append(b.text, r.body...), "}\n"...)
	_, err := b.w.Write(b.text)
	return err
}

// Close writes out what is buffered.
func (b *BundleWriter) Close() error { return b.w.Flush() }

func (b *BundleWriter) write(l *line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = b.w.Write(append(text, '\n'))
	return err
}

// longestLine bounds what one line of a bundle may take: an entry is some
// hundreds of bytes.
const longestLine = 4 << 20

// bundleReader reads lines, each exactly as [BundleWriter] writes it.
type bundleReader struct {
	r *bufio.Reader
	n int // number of the line
}

// next returns io.EOF after the last line. What it refuses is a [*Fault].
func (b *bundleReader) next() (line, error) {
	b.n++
	var l line
	text, err := b.read()
	if err != nil {
		return l, err
	}
	if l, ok := parseEntryLine(text); ok {
		return l, nil
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fault(-1, "line %d: %v", b.n, err)
	}
	again, err := json.Marshal(&l)
	if err != nil || !bytes.Equal(again, text) {
		return l, fault(-1, "line %d is not as it was written", b.n)
	}
	return l, nil
}

// parseEntryLine reads the line of an entry of the whole log, which is several times
// quicker than reading any line and writing it anew to compare. Whether the body is
// as it was written is left to [ParseEntry].
func parseEntryLine(text []byte) (line, bool) {
	l := line{Kind: kindEntry}
	rest, isEntry := bytes.CutPrefix(text, []byte(beforeIndex))
	digits, rest, _ := bytes.Cut(rest, []byte(beforeLeaf))
	leaf, rest, _ := bytes.Cut(rest, []byte(beforeBody))
	if !isEntry || !bytes.HasSuffix(rest, []byte("}}}")) || len(digits) == 0 || digits[0] < '1' || digits[0] > '9' {
		return l, false
	}
	var err error
	if l.Index, err = strconv.ParseInt(string(digits), 10, 64); err != nil {
		return l, false
	}
	if l.Leaf, isEntry = parseLeaf(leaf); !isEntry {
		return l, false
	}
	l.Body = rest[:len(rest)-1]
	return l, true
}

// strictBase64 takes each hash in one spelling only.
var strictBase64 = base64.StdEncoding.Strict()

func parseLeaf(text []byte) (leaf Hash, ok bool) {
	if len(text) != base64.StdEncoding.EncodedLen(tlog.HashSize) {
		return leaf, false
	}
	var decoded [tlog.HashSize + 1]byte
	n, err := strictBase64.Decode(decoded[:], text)
	return Hash(decoded[:tlog.HashSize]), err == nil && n == tlog.HashSize
}

// read returns the text of a line, which is valid until the next call.
func (b *bundleReader) read() ([]byte, error) {
	var text []byte
	for {
		part, err := b.r.ReadSlice('\n')
		if err == nil && text == nil && len(part) <= longestLine {
			return part[:len(part)-1], nil
		}
		text = append(text, part...)
		switch {
		case len(text) > longestLine:
			return nil, fault(-1, "line %d is longer than %d bytes", b.n, longestLine)
		case err == nil:
			return text[:len(text)-1], nil
		case errors.Is(err, io.EOF) && len(text) > 0:
			return nil, fault(-1, "line %d breaks off: the file was cut", b.n)
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// ErrNoBundle says that a file is something else.
var ErrNoBundle = errors.New("not a bundle of an audit log")

// CheckBundle verifies a bundle by itself, with keys that the caller holds and
// perhaps anchors. A [*Fault] says what is wrong with it; another error, that it
// could not be checked. Each entry that was checked goes to seen, unless nil.
func CheckBundle(r io.Reader, keys []string, anchors [][]byte, seen func(index int64, e Entry)) (Report, error) {
	b := &bundleReader{r: bufio.NewReaderSize(r, 1<<16)}
	head, err := b.next()
	var f *Fault
	switch {
	case errors.As(err, &f) || errors.Is(err, io.EOF):
		return Report{}, fmt.Errorf("%w: %v", ErrNoBundle, err) //nolint:errorlint // what is no bundle was not tampered with
	case err != nil:
		return Report{}, err
	case head.Kind != kindBundle:
		return Report{}, ErrNoBundle
	case head.Version != 1:
		return Report{}, fmt.Errorf("%w that this program can read: version %d", ErrNoBundle, head.Version)
	}
	var notes [][]byte
	proofs := map[[2]int64]tlog.TreeProof{}
	l, err := b.next()
	for ; err == nil && l.Kind != kindEntry; l, err = b.next() {
		switch l.Kind {
		case kindCheckpoint:
			notes = append(notes, []byte(l.Note))
		case kindConsistency:
			proofs[[2]int64{l.From, l.To}] = l.Proof
		default:
			return Report{}, fault(-1, "line %d: a %q does not belong here", b.n, l.Kind)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return Report{}, err
	}
	if len(notes) == 0 || len(notes) != head.Checkpoints {
		return Report{}, fault(-1, "the file says that it has %d checkpoints and has %d; nothing is proved without one", head.Checkpoints, len(notes))
	}
	c, unsigned := NewChecker(keys, notes, anchors)
	if unsigned != nil {
		return Report{}, unsigned
	}
	c.seen = seen
	if head.Part {
		return c.part(b, head.Entries, proofs, l, err)
	}
	return c.whole(b, head.Entries, l, err)
}

func (c *Checker) whole(b *bundleReader, entries int64, l line, err error) (Report, error) {
	for ; err == nil; l, err = b.next() {
		if l.Kind != kindEntry || l.Index != c.tree.size || len(l.Proof) > 0 {
			return c.report, fault(c.tree.size, "line %d is not the entry with this index: it is missing or in another place", b.n)
		}
		r, stored := Read(l.Body), [1]Hash{l.Leaf}
		if err := c.Add(&r, stored[:]); err != nil {
			return c.report, err
		}
	}
	if !errors.Is(err, io.EOF) {
		return c.report, err
	}
	report, err := c.Finish()
	if err == nil && report.Entries != entries {
		err = fault(report.Entries, "the file says that it has %d entries and has %d", entries, report.Entries)
	}
	return report, err
}

func (c *Checker) part(b *bundleReader, entries int64, proofs map[[2]int64]tlog.TreeProof, l line, err error) (Report, error) {
	c.late = true
	if err := c.consistent(proofs); err != nil {
		return c.report, err
	}
	last, next := c.report.Last, int64(0)
	for ; err == nil; l, err = b.next() {
		if l.Kind != kindEntry || l.Index < next {
			return c.report, fault(next, "line %d is not an entry with this index or a later one: it is in another place", b.n)
		}
		r := Read(l.Body)
		if r.leaf != l.Leaf || tlog.CheckRecord(l.Proof, last.Size, last.Root, l.Index, r.leaf) != nil {
			return c.report, fault(l.Index, "it is not the entry that the checkpoint of %d entries includes here", last.Size)
		}
		if err := c.follow(&r, l.Index); err != nil {
			return c.report, err
		}
		c.report.Entries++
		next = l.Index + 1
	}
	if !errors.Is(err, io.EOF) {
		return c.report, err
	}
	if c.report.Entries != entries {
		return c.report, fault(next, "the file says that it has %d entries and has %d", entries, c.report.Entries)
	}
	c.report.Streams = len(c.streams)
	return c.report, nil
}

// consistent verifies that each checkpoint's tree is the beginning of the next one's.
func (c *Checker) consistent(proofs map[[2]int64]tlog.TreeProof) error {
	used := 0
	for i, p := range c.checkpoints[1:] {
		before := c.checkpoints[i]
		proof, there := proofs[[2]int64{before.Size, p.Size}]
		if there {
			used++
		}
		switch {
		case before.Size == p.Size && before.Root == p.Root:
		case before.Size == p.Size:
			return fault(lastCovered(c.checkpoints[:i], p.Size), "there are two trees of %d entries: the log was shown in two versions", p.Size)
		case !there:
			return fmt.Errorf("the file has no proof that the tree of %d entries is the beginning of that of %d: "+
				"export it anew with these checkpoints as anchors, or export the whole log", before.Size, p.Size)
		case tlog.CheckTree(proof, p.Size, p.Root, before.Size, before.Root) != nil:
			return fault(lastCovered(c.checkpoints[:i], before.Size), "the tree of %d entries is not the beginning of that of %d: the log was rewritten", before.Size, p.Size)
		}
	}
	if used != len(proofs) {
		return fault(-1, "it has proofs between checkpoints that it does not have")
	}
	c.report.Last = c.checkpoints[len(c.checkpoints)-1]
	return nil
}

// FormatAnchor writes a checkpoint as one line of a file of anchors.
func FormatAnchor(signed []byte) ([]byte, error) {
	text, err := json.Marshal(&line{Kind: kindCheckpoint, Note: string(signed)})
	return append(text, '\n'), err
}

// ReadAnchors reads the checkpoints of a file of anchors, or of a bundle.
func ReadAnchors(r io.Reader) ([][]byte, error) {
	b := &bundleReader{r: bufio.NewReaderSize(r, 1<<16)}
	var notes [][]byte
	for {
		l, err := b.next()
		if errors.Is(err, io.EOF) {
			return notes, nil
		}
		if err != nil {
			return nil, fmt.Errorf("anchors: %w", err)
		}
		if l.Kind == kindCheckpoint {
			notes = append(notes, []byte(l.Note))
		}
	}
}
