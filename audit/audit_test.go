package audit

// The oracles are the test vectors of RFC 6962 as its reference implementation
// has them, and the property that nothing can be done to a log unnoticed.

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestTheTreeIsThatOfRFC6962(t *testing.T) {
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var f frontier
	var l log
	if got := hexOf(f.root()); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("the empty tree is %s", got)
	}
	for i, leaf := range leaves {
		data, err := hex.DecodeString(leaf)
		must(t, err)
		grown, err := Grow(int64(i), []Hash{Leaf(data)}, &l)
		must(t, err)
		l.hashes = append(l.hashes, grown...)
		if added := f.add(Leaf(data), nil); !slices.Equal(added, grown) {
			t.Errorf("leaf %d: the frontier completes %x and the stored tree %x", i, added, grown)
		}
		root, err := tlog.TreeHash(int64(i+1), &l)
		must(t, err)
		if got := hexOf(f.root()); got != roots[i] || f.root() != root {
			t.Errorf("root of %d leaves: %s, want %s", i+1, got, roots[i])
		}
	}
}

func TestAnIntactLogIsIntact(t *testing.T) {
	for n := 1; n < 70; n++ {
		l := newLog(t, n, 4)
		report, err := l.check(l.notes[0], l.notes[len(l.notes)-1])
		if err != nil || report.Entries != int64(n) || report.Streams != min(n, 4) || report.Checkpoints != len(l.notes) || report.Last.Size != int64(n) {
			t.Fatalf("%d entries: %+v, %v", n, report, err)
		}
		whole, err := CheckBundle(bytes.NewReader(l.bundle(t, nil)), l.signer.Public(), l.notes[:1], nil)
		if err != nil || whole.Entries != int64(n) {
			t.Fatalf("bundle of %d entries: %+v, %v", n, whole, err)
		}
		seen := 0
		part, err := CheckBundle(bytes.NewReader(l.bundle(t, oneStream)), l.signer.Public(), l.notes[:1], func(int64, Entry) { seen++ })
		if err != nil || part.Entries != int64(seen) || part.Late != 0 || part.Streams > 1 {
			t.Fatalf("a stream of %d entries: %+v, %d seen, %v", n, part, seen, err)
		}
	}
}

// Whoever can change the database can change entries and the tree as well.
func TestTamperingIsFoundAndNamed(t *testing.T) {
	const n = 40
	for name, tt := range map[string]struct {
		tamper func(l *log)
		index  int64
		says   string
	}{
		"an edited body":          {func(l *log) { l.bodies[17] = bytes.Replace(l.bodies[17], []byte("person:7"), []byte("person:8"), 1) }, 17, "was changed"},
		"a bit of the tree":       {func(l *log) { l.hashes[tlog.StoredHashIndex(0, 17)][3] ^= 4 }, 17, "was changed"},
		"a bit higher up":         {func(l *log) { l.hashes[tlog.StoredHashIndex(2, 4)][3] ^= 4 }, 16, "does not follow from them"},
		"two that changed places": {func(l *log) { l.bodies[9], l.bodies[11] = l.bodies[11], l.bodies[9] }, 9, "was changed"},
		"one that is gone":        {func(l *log) { l.bodies = slices.Delete(l.bodies, 20, 21) }, 20, "was changed"},
		"an end that is gone":     {func(l *log) { l.bodies = l.bodies[:n-3]; l.hashes = l.hashes[:tlog.StoredHashCount(n-3)] }, n - 3, "removed from its end"},
		"a body and its tree": {func(l *log) {
			l.bodies[17] = bytes.Replace(l.bodies[17], []byte("person:7"), []byte("person:8"), 1)
			l.hashes = nil
		}, 15, "at least one was changed"},
		"a body and its tree before the only checkpoint": {func(l *log) {
			l.bodies[17] = bytes.Replace(l.bodies[17], []byte("person:7"), []byte("person:8"), 1)
			l.hashes, l.notes = nil, l.notes[len(l.notes)-1:]
		}, 17, "one of the two was changed"},
		"the last of its stream and its tree": {func(l *log) {
			l.bodies[38] = bytes.Replace(l.bodies[38], []byte("person:7"), []byte("person:8"), 1)
			l.hashes = nil
		}, 35, "at least one was changed"},
		"a stream without its second": {func(l *log) { l.bodies, l.hashes = slices.Delete(l.bodies, 5, 6), nil }, 8, "entry 2 is missing"},
		"a checkpoint less":           {func(l *log) { l.notes = l.notes[:6]; l.bodies, l.hashes = l.bodies[:33], nil }, 33, "removed from its end"},
		"two checkpoints of one size": {func(l *log) { l.notes = append(l.notes, l.notes[3]) }, 15, "two checkpoints of 20"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, n, 4)
			anchor := l.notes[len(l.notes)-1]
			tt.tamper(l)
			_, err := l.check(anchor)
			var f *Fault
			if !errors.As(err, &f) || f.Index != tt.index || !strings.Contains(f.What, tt.says) {
				t.Errorf("got %v, want index %d and %q", err, tt.index, tt.says)
			}
		})
	}
}

func TestTwoHistoriesAreFound(t *testing.T) {
	l := newLog(t, 12, 3)
	other := newLog(t, 12, 4)
	other.signer, other.notes = l.signer, nil
	other.checkpoint(t, l.signer)
	_, err := l.check(other.notes[0])
	var f *Fault
	if !errors.As(err, &f) || f.Index != 10 || !strings.Contains(f.What, "two versions") {
		t.Errorf("whole: %v", err)
	}
	_, err = CheckBundle(bytes.NewReader(l.bundle(t, oneStream)), l.signer.Public(), other.notes, nil)
	if !errors.As(err, &f) || !strings.Contains(f.What, "two versions") {
		t.Errorf("part: %v", err)
	}
}

// Any bit of a bundle, any line, any pair of lines.
func TestAnyChangeOfABundleIsFound(t *testing.T) {
	l := newLog(t, 6, 4)
	for name, keep := range map[string]func(int) bool{"whole": nil, "part": oneStream} {
		bundle := l.bundle(t, keep)
		refused := func(what string, changed []byte) {
			t.Helper()
			report, err := CheckBundle(bytes.NewReader(changed), l.signer.Public(), nil, nil)
			if err == nil {
				t.Errorf("%s, %s: nobody noticed: %+v", name, what, report)
			}
		}
		for i := range bundle {
			changed := slices.Clone(bundle)
			changed[i] ^= 1 << (i % 8)
			refused(fmt.Sprintf("bit %d of byte %d", i%8, i), changed)
		}
		for i := range len(bundle) {
			refused(fmt.Sprintf("cut after %d bytes", i), bundle[:i])
		}
		lines := bytes.SplitAfter(bundle, []byte("\n"))
		lines = lines[:len(lines)-1]
		for i := range lines {
			refused(fmt.Sprintf("without line %d", i+1), bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
			for j := range i {
				if bytes.Contains(lines[i], []byte(`"kind":"con`)) || bytes.Contains(lines[j], []byte(`"kind":"c`)) {
					continue // proofs are found by their sizes
				}
				swapped := slices.Clone(lines)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				refused(fmt.Sprintf("lines %d and %d swapped", j+1, i+1), bytes.Join(swapped, nil))
			}
		}
	}
}

// Random tampering with everything that an operator could rewrite but the
// checkpoints that somebody else holds.
func TestAnyTamperingWithAnAnchoredLogIsFound(t *testing.T) {
	seed := mathrand.Uint64()
	r := mathrand.New(mathrand.NewPCG(seed, 0))
	for range 400 {
		l := newLog(t, 1+r.IntN(60), 1+r.IntN(6))
		anchors := slices.Clone(l.notes[len(l.notes)-1:])
		before := slices.Clone(l.bodies)
		i := r.IntN(len(l.bodies))
		switch r.IntN(4) {
		case 0:
			l.bodies[i] = slices.Clone(l.bodies[i])
			l.bodies[i][r.IntN(len(l.bodies[i]))] ^= 1 << r.IntN(8)
		case 1:
			l.bodies = slices.Delete(l.bodies, i, i+1)
		case 2:
			l.bodies = l.bodies[:i]
		case 3:
			j := r.IntN(len(l.bodies))
			l.bodies[i], l.bodies[j] = l.bodies[j], l.bodies[i]
		}
		if slices.EqualFunc(before, l.bodies, bytes.Equal) {
			continue
		}
		l.hashes, l.notes = nil, nil
		if len(l.bodies) > 0 {
			l.checkpoint(t, l.signer)
		}
		_, err := l.check(anchors...)
		if _, ok := errors.AsType[*Fault](err); !ok {
			t.Fatalf("seed %d: nobody noticed: %v", seed, err)
		}
	}
}

func TestKeysAreReplacedWithOverlap(t *testing.T) {
	l := newLog(t, 3, 2)
	oldSecret, oldPublic, err := NewKey(rand.Reader, "tallyman.test/log")
	must(t, err)
	newSecret, newPublic, err := NewKey(rand.Reader, "tallyman.test/log")
	must(t, err)
	signerOf := func(secrets ...string) *Signer {
		s, err := NewSigner(strings.Join(secrets, "\n"))
		must(t, err)
		return s
	}
	if s := signerOf(oldSecret, newSecret); !slices.Equal(s.Public(), []string{oldPublic, newPublic}) {
		t.Errorf("public keys %v, want %v", s.Public(), []string{oldPublic, newPublic})
	}
	grow := func(bodies [][]byte, signers ...*Signer) *log {
		g := &log{signer: signerOf(oldSecret)}
		for i, s := range signers {
			g.bodies = append(g.bodies, bodies[i])
			g.checkpoint(t, s)
		}
		return g
	}
	if _, err := grow(l.bodies, signerOf(oldSecret), signerOf(oldSecret, newSecret), signerOf(newSecret)).check(); err != nil {
		t.Errorf("who holds the old key alone cannot follow: %v", err)
	}
	for name, bad := range map[string]*log{
		"a new key from nowhere":               grow(l.bodies, signerOf(oldSecret), signerOf(newSecret)),
		"an old key that was taken out":        grow(l.bodies, signerOf(oldSecret, newSecret), signerOf(newSecret), signerOf(oldSecret)),
		"a key that is named and did not sign": grow(l.bodies, &Signer{origin: "tallyman.test/log", signers: signerOf(oldSecret).signers, public: []string{oldPublic, newPublic}}),
	} {
		if _, err := bad.check(); err == nil {
			t.Errorf("%s signs", name)
		}
	}
	if _, err := NewChecker(nil, l.notes, nil); err == nil {
		t.Error("a log vouches for its own key")
	}
}

func FuzzCheckBundle(f *testing.F) {
	l := newLog(f, 5, 2)
	whole, part := l.bundle(f, nil), l.bundle(f, oneStream)
	f.Add(whole)
	f.Add(part)
	f.Add([]byte(`{"kind":"tallyman-audit","v":1}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := CheckBundle(bytes.NewReader(data), l.signer.Public(), nil, nil)
		if err == nil && !bytes.Equal(data, whole) && !bytes.Equal(data, part) {
			t.Errorf("nobody noticed:\n%s", data)
		}
	})
}

// The whole of a check: bodies, streams, tree and stored hashes.
func BenchmarkVerify(b *testing.B) {
	const n = 20_000
	l := newLog(b, n, n/6)
	l.notes = l.notes[len(l.notes)-1:]
	b.ResetTimer()
	for b.Loop() {
		if _, err := l.check(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "entries/s")
}
