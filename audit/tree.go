package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Grow returns the hashes to store, in order, for leaves that follow on the
// first size of the tree, whose stored hashes r reads. The hash at position i of
// the result has the index tlog.StoredHashIndex(0, size) + i.
func Grow(size int64, leaves []Hash, r tlog.HashReader) ([]Hash, error) {
	var grown []Hash
	begin := tlog.StoredHashIndex(0, size)
	if size == 0 {
		begin = 0
	}
	read := tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		hashes := make([]Hash, len(indexes))
		var old, at []int64
		for i, n := range indexes {
			if n >= begin {
				hashes[i] = grown[n-begin]
			} else {
				old, at = append(old, n), append(at, int64(i))
			}
		}
		if len(old) == 0 {
			return hashes, nil
		}
		stored, err := r.ReadHashes(old)
		if err != nil {
			return nil, err
		}
		for i, h := range stored {
			hashes[at[i]] = h
		}
		return hashes, nil
	})
	for i, leaf := range leaves {
		hashes, err := tlog.StoredHashesForRecordHash(size+int64(i), leaf, read)
		if err != nil {
			return nil, fmt.Errorf("leaf %d of the audit tree: %w", size+int64(i), err)
		}
		grown = append(grown, hashes...)
	}
	return grown, nil
}

// frontier is the right edge of a growing tree: the roots of its complete
// subtrees, the largest first.
type frontier struct {
	size  int64
	roots []Hash
}

// add appends a leaf and returns the hashes that are complete with it, in the
// order in which they are stored. They are valid until the next call.
func (f *frontier) add(leaf Hash, stored []Hash) []Hash {
	stored = append(stored, leaf)
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.roots) - 1
		leaf = nodeHash(&f.roots[last], &leaf)
		f.roots = f.roots[:last]
		stored = append(stored, leaf)
	}
	f.roots = append(f.roots, leaf)
	f.size++
	return stored
}

// nodeHash is [tlog.NodeHash] without an allocation.
func nodeHash(left, right *Hash) Hash {
	var b [1 + 2*tlog.HashSize]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+tlog.HashSize:], right[:])
	return sha256.Sum256(b[:])
}

// root is the hash of the whole tree (RFC 6962, section 2.1).
func (f *frontier) root() Hash {
	last := len(f.roots) - 1
	if last < 0 {
		return sha256.Sum256(nil)
	}
	root := f.roots[last]
	for i := last - 1; i >= 0; i-- {
		root = tlog.NodeHash(f.roots[i], root)
	}
	return root
}

// Checkpoint says what the whole tree was at a time.
type Checkpoint struct {
	Origin string // name of the log
	Size   int64
	Root   Hash
	At     time.Time
	Keys   []string // verifier keys of everybody who signs it
}

// text is the checkpoint in the format of C2SP (tlog-checkpoint), with time and
// keys as extension lines.
func (c *Checkpoint) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\ntime %s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]), c.At.UTC().Format(time.RFC3339Nano))
	for _, k := range c.Keys {
		fmt.Fprintf(&b, "key %s\n", k)
	}
	return b.String()
}

// OpenCheckpoint verifies a signed checkpoint: one of the verifiers must know
// its signature.
func OpenCheckpoint(signed []byte, verifiers note.Verifiers) (Checkpoint, error) {
	n, err := openNote(signed, verifiers)
	if unknown, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		c, err := parseCheckpoint(unknown.Note.Text)
		if err != nil {
			return c, err
		}
		return c, fmt.Errorf("checkpoint of %d entries: none of its signatures is by a key that is trusted here", c.Size)
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	return parseCheckpoint(n.Text)
}

// openNote is [note.Open], but takes a signature in one spelling only: base64 has
// bits to spare at its end.
func openNote(signed []byte, verifiers note.Verifiers) (*note.Note, error) {
	n, err := note.Open(signed, verifiers)
	read := n
	if unknown, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		read = unknown.Note
	}
	if read == nil {
		return nil, err
	}
	for _, s := range slices.Concat(read.Sigs, read.UnverifiedSigs) {
		if _, wrong := base64.StdEncoding.Strict().DecodeString(s.Base64); wrong != nil {
			return nil, fmt.Errorf("signature of %s: %w", s.Name, wrong)
		}
	}
	return n, err
}

func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 5 {
		return c, errors.New("checkpoint: lines are missing")
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 1 {
		return c, fmt.Errorf("checkpoint: its size %q is not a number of entries", lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return c, errors.New("checkpoint: its root is not a hash")
	}
	copy(c.Root[:], root)
	if c.At, err = time.Parse(time.RFC3339Nano, strings.TrimPrefix(lines[3], "time ")); err != nil {
		return c, fmt.Errorf("checkpoint: %w", err)
	}
	for _, line := range lines[4 : len(lines)-1] {
		c.Keys = append(c.Keys, strings.TrimPrefix(line, "key "))
	}
	if c.text() != text {
		return c, errors.New("checkpoint: it is not in canonical form")
	}
	return c, nil
}
