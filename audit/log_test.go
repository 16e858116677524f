package audit

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// noon is a time like any other.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// log is what an operator keeps.
type log struct {
	signer *Signer
	bodies [][]byte
	hashes []Hash // of the tree
	notes  [][]byte
}

func newSigner(tb testing.TB) *Signer {
	tb.Helper()
	secret, _, err := NewKey(rand.Reader, "tallyman.test/log")
	if err != nil {
		tb.Fatal(err)
	}
	s, err := NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// newLog has n entries of several streams, and a checkpoint now and then and at the end.
func newLog(tb testing.TB, n, streams int) *log {
	tb.Helper()
	l := &log{signer: newSigner(tb)}
	last := map[string]Entry{}
	leaves := map[string]Hash{}
	for i := range n {
		stream := fmt.Sprintf("st_%d", i*7%streams)
		e := Entry{
			Stream: stream, Seq: last[stream].Seq + 1, Prev: leaves[stream], At: noon.Add(time.Duration(i) * time.Second),
			Event: "approved", Actor: "person:7",
			Facts: []Fact{
				{"from", "pending"},
				{"to", "approved"},
				{"binding", strings.Repeat("ab", 32)},
				{"reason", `counted "twice", and Zoë agreed`},
			},
		}
		body, err := e.Body()
		if err != nil {
			tb.Fatal(err)
		}
		last[stream], leaves[stream] = e, Leaf(body)
		l.bodies = append(l.bodies, body)
		if i%5 == 4 || i == n-1 {
			l.checkpoint(tb, l.signer)
		}
	}
	return l
}

func (l *log) ReadHashes(indexes []int64) ([]Hash, error) {
	hashes := make([]Hash, len(indexes))
	for i, n := range indexes {
		hashes[i] = l.hashes[n]
	}
	return hashes, nil
}

// checkpoint gives every entry its place and signs.
func (l *log) checkpoint(tb testing.TB, s *Signer) {
	tb.Helper()
	size := int64(0)
	for tlog.StoredHashCount(size) < int64(len(l.hashes)) {
		size++
	}
	var leaves []Hash
	for _, body := range l.bodies[size:] {
		leaves = append(leaves, Leaf(body))
	}
	grown, err := Grow(size, leaves, l)
	if err != nil {
		tb.Fatal(err)
	}
	l.hashes = append(l.hashes, grown...)
	size = int64(len(l.bodies))
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		tb.Fatal(err)
	}
	note, err := s.Sign(Checkpoint{Size: size, Root: root, At: noon.Add(time.Duration(size) * time.Second)})
	if err != nil {
		tb.Fatal(err)
	}
	l.notes = append(l.notes, note)
}

// check verifies as the operator's own program does, stored hashes included.
func (l *log) check(anchors ...[]byte) (Report, error) {
	c, err := NewChecker(l.signer.Public(), l.notes, anchors)
	if err != nil {
		return Report{}, err
	}
	next := 0
	for i, body := range l.bodies {
		end := min(int(tlog.StoredHashCount(int64(i)+1)), len(l.hashes))
		r := Read(body)
		if err := c.Add(&r, l.hashes[min(next, end):end]); err != nil {
			return Report{}, err
		}
		next = end
	}
	return c.Finish()
}

// bundle writes the log, or the part of it that keep says.
func (l *log) bundle(tb testing.TB, keep func(i int) bool) []byte {
	tb.Helper()
	var out bytes.Buffer
	n := 0
	for i := range l.bodies {
		if keep == nil || keep(i) {
			n++
		}
	}
	b, err := NewBundle(&out, keep != nil, len(l.notes), int64(n))
	must(tb, err)
	size := int64(len(l.bodies))
	for i, note := range l.notes {
		must(tb, b.Checkpoint(note))
		if keep != nil && i > 0 {
			from, _ := ReadCheckpoint(l.notes[i-1])
			to, _ := ReadCheckpoint(note)
			proof, err := tlog.ProveTree(to.Size, from.Size, l)
			must(tb, err)
			must(tb, b.Consistency(from.Size, to.Size, proof))
		}
	}
	for i, body := range l.bodies {
		if keep == nil {
			must(tb, b.Entry(int64(i), record(body), nil))
		} else if keep(i) {
			proof, err := tlog.ProveRecord(size, int64(i), l)
			must(tb, err)
			must(tb, b.Entry(int64(i), record(body), proof))
		}
	}
	must(tb, b.Close())
	return out.Bytes()
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func record(body []byte) *Record {
	r := Read(body)
	return &r
}

func hexOf(h Hash) string { return hex.EncodeToString(h[:]) }

func oneStream(i int) bool { return i*7%4 == 2 }
