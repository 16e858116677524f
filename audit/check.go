package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Fault is the first thing that is wrong with a log.
type Fault struct { //nolint:errname // it says what is wrong with a log
	Index int64 // first entry of the tree that is wrong; -1 where what is wrong has no place in it
	What  string
}

func (f *Fault) Error() string {
	if f.Index < 0 {
		return "tampered: " + f.What
	}
	return fmt.Sprintf("tampered: index %d: %s", f.Index, f.What)
}

func fault(index int64, format string, args ...any) *Fault {
	return &Fault{Index: index, What: fmt.Sprintf(format, args...)}
}

// Report says what a check covered.
type Report struct {
	Entries     int64 // with a place in the tree
	Waiting     int64 // without one yet: linked in their streams only
	Streams     int
	Late        int // streams whose beginning is not part of a bundle
	Checkpoints int
	Anchors     int // of the checkpoints, those that somebody else keeps
	Last        Checkpoint
}

// Checker verifies a whole log, entry by entry: every body is hashed anew, every
// stream must be without gap and linked, and the tree must pass through every
// checkpoint, which makes all of them consistent with each other.
type Checker struct {
	checkpoints []Checkpoint
	passed      int // checkpoints that the tree has passed
	report      Report
	tree        frontier
	grown       []Hash
	streams     map[string]*tip
	late        bool // streams may begin later than with their first entry
	seen        func(index int64, e Entry)
}

// tip is the last entry of a stream.
type tip struct {
	seq   int
	index int64
	leaf  Hash
}

// NewChecker verifies the signatures of a log's checkpoints, in any order, and
// of anchors, which are checkpoints that somebody else kept. At least one
// verifier key must be known; a checkpoint may introduce further ones.
func NewChecker(keys []string, stored, anchors [][]byte) (*Checker, error) {
	checkpoints, err := openAll(keys, stored, anchors)
	if err != nil {
		return nil, err
	}
	c := &Checker{checkpoints: checkpoints, streams: map[string]*tip{}}
	c.report.Checkpoints, c.report.Anchors = len(stored), len(anchors)
	return c, nil
}

// openAll returns the checkpoints from the smallest on.
func openAll(keys []string, stored, anchors [][]byte) ([]Checkpoint, error) {
	t, err := newTrust(keys)
	if err != nil {
		return nil, err
	}
	type signed struct {
		note []byte
		size int64
		at   time.Time
		ours bool
	}
	all := make([]signed, 0, len(stored)+len(anchors))
	for i, n := range slices.Concat(stored, anchors) {
		c, err := ReadCheckpoint(n)
		if err != nil {
			return nil, fault(-1, "checkpoint %d: %v", i+1, err)
		}
		all = append(all, signed{n, c.Size, c.At, i < len(stored)})
	}
	slices.SortStableFunc(all, func(a, b signed) int {
		return cmp.Or(cmp.Compare(a.size, b.size), a.at.Compare(b.at))
	})
	opened := make([]Checkpoint, len(all))
	lastOurs := int64(0)
	for i, s := range all {
		if opened[i], err = t.open(s.note); err != nil {
			return nil, fault(-1, "%v", err)
		}
		if opened[i].Origin != opened[0].Origin {
			return nil, fault(-1, "checkpoint of %d entries: it is of the log %s, not of %s", s.size, opened[i].Origin, opened[0].Origin)
		}
		if s.ours && s.size == lastOurs {
			return nil, fault(lastCovered(opened[:i], s.size), "there are two checkpoints of %d entries", s.size)
		}
		if s.ours {
			lastOurs = s.size
		}
	}
	return opened, nil
}

// lastCovered is the largest size below size.
func lastCovered(opened []Checkpoint, size int64) int64 {
	for _, c := range slices.Backward(opened) {
		if c.Size < size {
			return c.Size
		}
	}
	return 0
}

// ReadCheckpoint reads a checkpoint without verifying who signed it.
func ReadCheckpoint(signed []byte) (Checkpoint, error) {
	_, err := openNote(signed, note.VerifierList())
	var unknown *note.UnverifiedNoteError
	if !errors.As(err, &unknown) {
		return Checkpoint{}, err
	}
	return parseCheckpoint(unknown.Note.Text)
}

// Record is an entry as it is checked: hashed, and read as far as it links to
// others. It is valid as long as the body that it was made of stays as it is.
type Record struct {
	body   []byte
	leaf   Hash
	stream []byte
	seq    int
	prev   Hash
	err    error // why the body is no entry
}

// Read makes a record of a body. It may be done ahead of the check, and side by side.
func Read(body []byte) Record {
	p := parsers.Get().(*parser)
	defer parsers.Put(p)
	h, err := p.parse(body)
	return Record{body, Leaf(body), h.stream, h.seq, h.prev, err}
}

// Is reports whether the record says that it is this entry of this stream.
func (r *Record) Is(stream []byte, seq int) bool {
	return r.seq == seq && bytes.Equal(r.stream, stream)
}

// Add checks the entry with the next index. Stored are the hashes that the
// log's keeper has for it, the leaf first; there may be fewer or none.
func (c *Checker) Add(r *Record, stored []Hash) error {
	n := c.tree.size
	if len(stored) > 0 && stored[0] != r.leaf {
		return fault(n, "its body does not have the hash under which it stands in the tree: it was changed, or another was put in its place")
	}
	if err := c.follow(r, n); err != nil {
		return err
	}
	c.grown = c.tree.add(r.leaf, c.grown[:0])
	for level, h := range stored {
		if level < len(c.grown) && h != c.grown[level] {
			first := c.tree.size - 1<<level
			return fault(first, "the tree above entries %d to %d does not follow from them", first, n)
		}
	}
	return c.pass()
}

// AddWaiting checks an entry that has no place in the tree yet, after those that have.
func (c *Checker) AddWaiting(r *Record) error {
	c.report.Waiting++
	return c.follow(r, -1)
}

// Last returns the number of a stream's last entry so far, and 0 for none.
func (c *Checker) Last(stream []byte) int {
	if t := c.streams[string(stream)]; t != nil {
		return t.seq
	}
	return 0
}

// Size returns how many entries were added.
func (c *Checker) Size() int64 { return c.tree.size }

func (c *Checker) follow(r *Record, n int64) error {
	if r.err != nil {
		return fault(n, "%v", r.err)
	}
	last := c.streams[string(r.stream)]
	known := last != nil
	if !known {
		last = &tip{}
	}
	if c.late && !known && r.seq > 1 {
		c.report.Late++
	} else if err := last.followedBy(r, n); err != nil {
		return err
	}
	if !known {
		c.streams[string(r.stream)] = last
	}
	*last = tip{r.seq, n, r.leaf}
	if c.seen == nil {
		return nil
	}
	e, err := ParseEntry(r.body)
	if err == nil {
		c.seen(n, e)
	}
	return err
}

func (t *tip) followedBy(r *Record, n int64) error {
	switch {
	case r.seq == t.seq+1 && r.prev == t.leaf:
		return nil
	case r.seq <= t.seq:
		return fault(n, "entry %d of %s comes after entry %d: it is there twice or in another order", r.seq, r.stream, t.seq)
	case r.seq != t.seq+1:
		return fault(n, "entry %d of %s comes after entry %d: entry %d is missing or in another place", r.seq, r.stream, t.seq, t.seq+1)
	case t.seq == 0:
		return fault(n, "entry 1 of %s follows on an entry that is not there", r.stream)
	}
	return fault(t.index, "entry %d of %s is not the one that entry %d was written after: one of the two was changed", t.seq, r.stream, r.seq)
}

// pass compares the tree with the checkpoints of its size.
func (c *Checker) pass() error {
	for ; c.passed < len(c.checkpoints) && c.checkpoints[c.passed].Size == c.tree.size; c.passed++ {
		if p := c.checkpoints[c.passed]; p.Root != c.tree.root() {
			first := lastCovered(c.checkpoints[:c.passed], p.Size)
			return fault(first, "entries %d to %d are not those of the checkpoint of %d entries signed at %s: at least one was changed, or the log was shown in two versions",
				first, p.Size-1, p.Size, p.At.Format(time.RFC3339))
		}
	}
	return nil
}

// Finish says what was covered, when no entry is left.
func (c *Checker) Finish() (Report, error) {
	if c.passed < len(c.checkpoints) {
		p := c.checkpoints[c.passed]
		return c.report, fault(c.tree.size, "the log ends here, and a checkpoint of %d entries was signed at %s: entries were removed from its end",
			p.Size, p.At.Format(time.RFC3339))
	}
	c.report.Entries, c.report.Streams = c.tree.size, len(c.streams)
	if len(c.checkpoints) > 0 {
		c.report.Last = c.checkpoints[len(c.checkpoints)-1]
	}
	return c.report, nil
}
