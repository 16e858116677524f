package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
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

// Checkpoint says what the whole tree was at a time.
type Checkpoint struct {
	Origin string // name of the log
	Size   int64
	Root   Hash
	At     time.Time
}

// text is the checkpoint in the format of C2SP (tlog-checkpoint), with the time
// as an extension line.
func (c *Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\ntime %s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]), c.At.UTC().Format(time.RFC3339Nano))
}

// Sign returns the signed note of a checkpoint.
func (c *Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.text()}, signers...)
}

// OpenCheckpoint verifies a signed checkpoint: one of the verifiers must know
// its signature.
func OpenCheckpoint(signed []byte, verifiers note.Verifiers) (Checkpoint, error) {
	n, err := note.Open(signed, verifiers)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 5 {
		return Checkpoint{}, errors.New("checkpoint: it does not have four lines")
	}
	c := Checkpoint{Origin: lines[0]}
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: size: %w", err)
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(c.Root) {
		return Checkpoint{}, errors.New("checkpoint: its root is not a hash")
	}
	copy(c.Root[:], root)
	if c.At, err = time.Parse(time.RFC3339Nano, strings.TrimPrefix(lines[3], "time ")); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	if c.text() != n.Text {
		return Checkpoint{}, errors.New("checkpoint: it is not in canonical form")
	}
	return c, nil
}
