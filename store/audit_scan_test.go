package store

import (
	"math/rand/v2"
	"testing"

	"tallyman/audit"
)

// filled is a scan of n entries of one stream, as they are on disk.
func filled(t *testing.T, n int) *entryScan {
	t.Helper()
	s := newEntryScan()
	s.chunks = make(chan *entryChunk, n/scanRows+1)
	k := s.empty()
	for i := range n {
		e := audit.Entry{Stream: "st", Seq: i + 1, Event: "approved", Actor: "person:7"}
		body, err := e.Body()
		if err != nil {
			t.Fatal(err)
		}
		if k.add([]byte("st"), body, e.Seq); len(k.rows) == scanRows || i == n-1 {
			for row := range k.rows {
				k.rows[row].key = s.key(k.stream(row), k.rows[row].seq)
				k.rows[row].record = audit.Read(k.text[k.rows[row].mid:k.rows[row].end])
			}
			s.chunks <- k
			k = s.empty()
		}
	}
	close(s.chunks)
	return s
}

// Whatever the order of the places is, the scan gives the entry that was asked for
// or none, all of those that are near, and never keeps more than it may.
func TestTheScanKeepsABoundedNumberOfEntries(t *testing.T) {
	const n = 4 * scanAhead
	const seed = 11
	r := rand.New(rand.NewPCG(seed, 0))
	for name, tt := range map[string]struct {
		order       func(i int) int
		least, most int // found
	}{
		"as on disk":     {func(i int) int { return i }, n, n},
		"in other pairs": {func(i int) int { return i ^ 1 }, n, n},
		"blocks swapped": {func(i int) int { return i ^ scanAhead/2 }, n, n},
		"backwards":      {func(i int) int { return n - 1 - i }, 0, n/2 + scanAhead},
		"anyhow":         {func(int) int { return r.IntN(n) }, 0, n / 2},
		"one came late":  {func(i int) int { return (i + 1) % n }, n - 1, n},
		"none is there":  {func(i int) int { return n + i }, 0, 0},
	} {
		s, found := filled(t, n), 0
		for i := range n {
			want := tt.order(i) + 1
			got, err := s.take([]byte("st"), want, int64(i))
			if err != nil {
				t.Fatal(err)
			}
			if got != nil {
				found++
				if !got.Is([]byte("st"), want) {
					t.Fatalf("%s, seed %d: place %d is not of entry %d", name, seed, i, want)
				}
			}
			if len(s.kept) > scanKept || len(s.at) > scanKept*scanRows || len(s.unused) > scanKept {
				t.Fatalf("%s, seed %d: %d chunks and %d entries are kept", name, seed, len(s.kept), len(s.at))
			}
			if i%100 == 0 {
				s.release()
			}
		}
		if all, err := s.rest(); all != n || err != nil || found < tt.least || found > tt.most {
			t.Errorf("%s, seed %d: %d of %d found, want %d to %d; %v", name, seed, found, all, tt.least, tt.most, err)
		}
	}
}
