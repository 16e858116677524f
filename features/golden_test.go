package features

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	goflag "flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"tallyman/warehouse"
)

var update = goflag.Bool("update", false, "write the golden files anew")

// The golden files hold a hash of every feature over every example of a fold,
// a line for each: a change that was not meant shows by the name of what
// changed. Other processors may fuse a multiplication and an addition, which
// changes last bits.
func TestVectorsAreTheSameToTheBit(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the golden files were written on amd64")
	}
	t.Run("random", func(t *testing.T) {
		golden(t, "random.txt", randomEvents(rand.New(rand.NewPCG(5, 5)), 20_000))
	})
	t.Run("clinics", func(t *testing.T) {
		golden(t, "clinics.txt", readEvents(t, dataFile(t, "counts-clinics/events.csv.gz")))
	})
}

func golden(t *testing.T, name string, events []warehouse.Event) {
	t.Helper()
	var got bytes.Buffer
	for _, subject := range []Subject{PositionSubject, LoadSubject} {
		s := NewState()
		facts := encode(s.coder, events)
		SortFacts(facts)
		schema := s.WithAttrs(subject, facts)
		examples, err := s.Replay(context.Background(), facts, &schema, 2)
		if err != nil {
			t.Fatal(err)
		}
		vectors := make([][]float32, len(examples))
		for i := range examples {
			vectors[i] = examples[i].Vector
		}
		hashColumns(&got, "replayed", schema.Names(), vectors)
		if subject == PositionSubject {
			var standing [][]float32
			for p := range s.Positions("", &schema) {
				standing = append(standing, slices.Clone(p.Vector))
			}
			hashColumns(&got, "standing", schema.Names(), standing)
		}
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wants, gots := bytes.Split(want, []byte("\n")), bytes.Split(got.Bytes(), []byte("\n"))
	for i := range max(len(wants), len(gots)) {
		if i >= len(wants) || i >= len(gots) {
			t.Fatalf("%s has %d lines, the fold gives %d; where that is meant, write it anew with -update", path, len(wants), len(gots))
		}
		if !bytes.Equal(wants[i], gots[i]) {
			t.Errorf("%s:%d:\n got %s\nwant %s", path, i+1, gots[i], wants[i])
		}
	}
}

// hashColumns writes the hash of each feature over all vectors; every NaN
// counts as the same.
func hashColumns(out *bytes.Buffer, what string, names []string, vectors [][]float32) {
	fmt.Fprintf(out, "%s: %d vectors\n", what, len(vectors))
	column := make([]byte, 0, 4*len(vectors))
	for i, name := range names {
		column = column[:0]
		for _, v := range vectors {
			x := v[i]
			if x != x {
				x = float32(math.NaN())
			}
			column = binary.LittleEndian.AppendUint32(column, math.Float32bits(x))
		}
		fmt.Fprintf(out, "%s %x\n", name, sha256.Sum256(column))
	}
}
