package store

import (
	"bytes"
	"context"
	"hash/maphash"
	"slices"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
)

const (
	// scanRows and scanBytes bound a chunk of the scan: it ends with the entry that
	// reaches one of them, however large that is.
	scanRows  = 512
	scanBytes = 256 << 10

	// scanAhead is how many entries the scan goes ahead of the places to find one,
	// and scanKept how many chunks of it wait for theirs.
	scanAhead = 64 * scanRows
	scanKept  = 2 * scanAhead / scanRows
)

// entryScan reads all entries in the order in which they are on disk, which is
// nearly that of their places: they are only ever added. That costs a fraction of
// finding each through its index. It keeps a bounded number of those whose place
// has not come; their bytes are bounded only as far as bodies are small.
type entryScan struct {
	chunks chan *entryChunk
	failed error // why the chunks ended, before they are closed

	ahead  int64 // scanAhead
	read   int64 // entries so far
	kept   []*entryChunk
	spent  []*entryChunk // what was taken of them is still used
	unused chan *entryChunk
	at     map[uint64]placeInScan
	seed   maphash.Seed
}

type placeInScan struct {
	chunk *entryChunk
	row   int
}

// entryChunk are some entries as they follow on each other on disk.
type entryChunk struct {
	text []byte // all streams and bodies
	rows []entryRow
	left int // of the rows, those that were not taken
}

type entryRow struct {
	start, mid, end int // of stream and body in text
	seq             int
	key             uint64
	taken           bool
	record          audit.Record
}

func (k *entryChunk) stream(row int) []byte { return k.text[k.rows[row].start:k.rows[row].mid] }

func newEntryScan() *entryScan {
	return &entryScan{
		ahead: scanAhead, chunks: make(chan *entryChunk, 4), unused: make(chan *entryChunk, scanKept),
		at: map[uint64]placeInScan{}, seed: maphash.MakeSeed(),
	}
}

// readAll reads until the last entry. Whoever calls it closes chunks.
func (s *entryScan) readAll(ctx context.Context, tx pgx.Tx) error {
	chunk := s.empty()
	err := readBinary(ctx, tx, `select stream, body, seq from audit_entry`, func(raw [][]byte) error {
		seq, err := number(raw[2], "audit_entry.seq", -1)
		if err != nil {
			return err
		}
		chunk.add(raw[0], raw[1], int(seq))
		if len(chunk.rows) < scanRows && len(chunk.text) < scanBytes {
			return nil
		}
		err = s.send(ctx, chunk)
		chunk = s.empty()
		return err
	})
	if err != nil {
		return err
	}
	return s.send(ctx, chunk)
}

func (s *entryScan) empty() *entryChunk {
	select {
	case k := <-s.unused:
		k.text, k.rows, k.left = k.text[:0], k.rows[:0], 0
		return k
	default:
		return &entryChunk{text: make([]byte, 0, scanBytes+scanBytes/8), rows: make([]entryRow, 0, scanRows)}
	}
}

func (k *entryChunk) add(stream, body []byte, seq int) {
	r := entryRow{start: len(k.text), mid: len(k.text) + len(stream), seq: seq}
	k.text = append(append(k.text, stream...), body...)
	r.end = len(k.text)
	k.rows = append(k.rows, r)
	k.left++
}

// send hashes and reads the entries of a chunk beside the check of those before.
func (s *entryScan) send(ctx context.Context, k *entryChunk) error {
	for i := range k.rows {
		r := &k.rows[i]
		r.key = s.key(k.stream(i), r.seq)
		r.record = audit.Read(k.text[r.mid:r.end:r.end])
	}
	select {
	case s.chunks <- k:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *entryScan) key(stream []byte, seq int) uint64 {
	return maphash.Bytes(s.seed, stream) + uint64(seq)*0x9e3779b97f4a7c15
}

// take returns the entry of a stream with a number, whose place is n, or nil where
// it is not among those that were written about then. It is valid until release.
func (s *entryScan) take(stream []byte, seq int, n int64) (*audit.Record, error) {
	key := s.key(stream, seq)
	for {
		if at, ok := s.at[key]; ok {
			row := &at.chunk.rows[at.row]
			if row.seq != seq || !bytes.Equal(at.chunk.stream(at.row), stream) {
				return nil, nil
			}
			s.drop(at.chunk, at.row)
			return &row.record, nil
		}
		if s.read >= n+s.ahead {
			return nil, nil
		}
		if more, err := s.next(); err != nil || !more {
			return nil, err
		}
	}
}

func (s *entryScan) drop(k *entryChunk, row int) {
	r := &k.rows[row]
	if at := s.at[r.key]; at.chunk == k && at.row == row {
		delete(s.at, r.key)
	}
	r.taken = true
	if k.left--; k.left > 0 {
		return
	}
	i := slices.Index(s.kept, k)
	s.kept = slices.Delete(s.kept, i, i+1)
	s.spent = append(s.spent, k)
}

// next takes in a chunk of the scan, in the place of the oldest one where too many
// wait. It reports whether there was one.
func (s *entryScan) next() (bool, error) {
	k, more := <-s.chunks
	if !more {
		return false, s.failed
	}
	s.read += int64(len(k.rows))
	if len(s.kept) == scanKept {
		oldest := s.kept[0]
		for i := range oldest.rows {
			if !oldest.rows[i].taken {
				s.drop(oldest, i)
			}
		}
	}
	if k.left == 0 {
		return true, nil
	}
	s.kept = append(s.kept, k)
	for i := range k.rows {
		if _, there := s.at[k.rows[i].key]; !there {
			s.at[k.rows[i].key] = placeInScan{k, i}
		}
	}
	return true, nil
}

// release lets go of the entries that were taken.
func (s *entryScan) release() {
	for _, k := range s.spent {
		if cap(k.text) > 2*scanBytes {
			continue // it had a large entry, and few have
		}
		select {
		case s.unused <- k:
		default:
		}
	}
	s.spent = s.spent[:0]
}

// rest reads what is left and returns how many entries there are in all.
func (s *entryScan) rest() (int64, error) {
	for {
		if more, err := s.next(); err != nil || !more {
			return s.read, err
		}
		s.release()
	}
}
