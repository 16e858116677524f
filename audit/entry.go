// Package audit makes a record that shows tampering: entries that link to the
// one before in their stream, and a Merkle tree over all of them (RFC 6962) with
// signed checkpoints. It is pure: whoever calls it stores the bytes, holds the
// keys and says what time it is.
//
// It proves that an entry was there before a checkpoint that somebody else
// holds, that nothing at or before such a checkpoint was changed, removed or put
// in another order, and the order within a stream. It cannot prove that an entry
// is true, nor that something was written down at all.
package audit

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a hash of the tree.
type Hash = tlog.Hash

// Entry says one thing that happened.
type Entry struct {
	Stream string // whose history it belongs to, such as a step's id
	Seq    int    // from 1, without a gap within the stream
	Prev   Hash   // leaf of the entry before; zero for the first
	At     time.Time
	Event  string
	Actor  string // such as "person:7", "person:7 for person:3", "model:12", "worker"
	Facts  []Fact // in a fixed order for each event
}

// Fact is a named value. Numbers are decimal integers, hashes hexadecimal.
type Fact struct{ Name, Value string }

// Body returns the canonical bytes of the entry, which are what is stored,
// hashed and exported.
func (e *Entry) Body() ([]byte, error) {
	if e.Stream == "" || e.Seq < 1 || e.Event == "" || e.Actor == "" {
		return nil, fmt.Errorf("audit entry %d of %q: stream, number, event and actor must be there", e.Seq, e.Stream)
	}
	b := []byte(`{"v":1`)
	head := []Fact{
		{"stream", e.Stream},
		{"seq", strconv.Itoa(e.Seq)},
		{"prev", hex.EncodeToString(e.Prev[:])},
		{"at", e.At.UTC().Format(time.RFC3339Nano)},
		{"event", e.Event},
		{"actor", e.Actor},
	}
	var err error
	for _, f := range head {
		if b, err = appendFact(b, f); err != nil {
			return nil, err
		}
	}
	b = append(b, `,"facts":{"`...)
	b = b[:len(b)-1]
	for i, f := range e.Facts {
		if slices.ContainsFunc(e.Facts[:i], func(other Fact) bool { return other.Name == f.Name }) {
			return nil, fmt.Errorf("audit fact %q: it is there twice", f.Name)
		}
		if b, err = appendFact(b, f); err != nil {
			return nil, err
		}
	}
	return append(b, "}}"...), nil
}

func appendFact(b []byte, f Fact) ([]byte, error) {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b, err := jsontext.AppendQuote(b, f.Name)
	if err == nil {
		b, err = jsontext.AppendQuote(append(b, ':'), f.Value)
	}
	if err != nil {
		return nil, fmt.Errorf("audit fact %q: %w", f.Name, err)
	}
	return b, nil
}

// Leaf is the hash by which an entry stands in the tree.
func Leaf(body []byte) Hash { return tlog.RecordHash(body) }

// CheckStream verifies that the bodies are the entries of one stream from its
// first, each linked to the one before, and returns the leaf of the last.
func CheckStream(stream string, bodies [][]byte) (Hash, error) {
	var prev Hash
	for i, body := range bodies {
		e, err := ParseEntry(body)
		switch {
		case err != nil:
			return prev, fmt.Errorf("entry %d of %s: %w", i+1, stream, err)
		case e.Stream != stream || e.Seq != i+1:
			return prev, fmt.Errorf("entry %d of %s: it says it is entry %d of %s", i+1, stream, e.Seq, e.Stream)
		case e.Prev != prev:
			return prev, fmt.Errorf("entry %d of %s: it does not follow on the one before", i+1, stream)
		}
		prev = Leaf(body)
	}
	return prev, nil
}
