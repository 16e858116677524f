package triage

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/fixtures"
)

// The oracle: what the corpus says of texts that were held out, and the model
// itself before it was written.

func corpusExamples(tickets []fixtures.Ticket) []Example {
	var out []Example
	for _, t := range tickets {
		out = append(out, Example(t))
	}
	return out
}

// small is a model of a few labels, quickly trained.
var small = sync.OnceValue(func() *Model {
	m, err := trainSmall(1)
	if err != nil {
		panic(err)
	}
	return m
})

func trainSmall(threads int) (*Model, error) {
	var few []Example
	for i, e := range corpusExamples(fixtures.Tickets()) {
		if i%4 > 0 {
			continue
		}
		if strings.HasPrefix(e.Label, "return.") || strings.HasPrefix(e.Label, "pack.") || e.Label == "out_of_scope" {
			few = append(few, e)
		}
	}
	s := DefaultSettings()
	s.Threads = threads
	return Train(context.Background(), few, s, nil)
}

func written(tb testing.TB, m *Model) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestAModelIsTheSameBytesForAnyNumberOfThreads(t *testing.T) {
	again, err := trainSmall(3)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written(t, small()), written(t, again)) {
		t.Error("one thread and three give different models")
	}
}

func TestAModelSaysTheSameAfterItWasRead(t *testing.T) {
	m, err := ReadModel(bytes.NewReader(written(t, small())))
	if err != nil {
		t.Fatal(err)
	}
	for _, ticket := range fixtures.Tickets()[:300] {
		if diff := cmp.Diff(small().Classify(ticket.Text), m.Classify(ticket.Text)); diff != "" {
			t.Fatalf("%q (-written +read):\n%s", ticket.Text, diff)
		}
	}
	if !bytes.Equal(written(t, small()), written(t, m)) {
		t.Error("a model that was read writes other bytes")
	}
}

func TestADamagedFileIsRefused(t *testing.T) {
	whole := written(t, small())
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"nothing", nil},
		{"one of an earlier version", append([]byte("tallyman triage 3\n"), whole[len(fileMagic):]...)},
		{"another file", []byte("PK\x03\x04 something else altogether")},
		{"half of it", whole[:len(whole)/2]},
		{"a flipped bit", append(append(bytes.Clone(whole[:900]), whole[900]^1), whole[901:]...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ReadModel(bytes.NewReader(c.file)); !errors.Is(err, ErrModelFile) {
				t.Errorf("got %v, want ErrModelFile", err)
			}
		})
	}
}

func TestClassifyTextsNobodyWouldWrite(t *testing.T) {
	for _, text := range []string{"", " ", "\xff\xfe", "\u200b\u202e", strings.Repeat("x", 1<<20), strings.Repeat("ä ", 50000), "日本語だけ", "🙂🙂🙂"} {
		v := small().Classify(text)
		if v.P < 0 || v.P > 1 || v.Stray < 0 || v.Stray > 1 {
			t.Errorf("%.20q: %+v", text, v)
		}
	}
	if v := small().Classify(""); !v.Abstain {
		t.Errorf("about nothing the model says %+v, want it to abstain", v)
	}
}

func TestAFileOfAnEarlierVersionSaysSo(t *testing.T) {
	if _, err := ReadModel(strings.NewReader("tallyman triage 3\nand so on")); !errors.Is(err, ErrOldModel) {
		t.Errorf("got %v, want ErrOldModel", err)
	}
}

// FuzzParseModel changes the inflated fields, behind the checksum.
// Labels of which none can be held out are refused; alerts of one template, all
// alike, are learned.
func TestExamplesThatAreUnlikeOrAllAlike(t *testing.T) {
	s := DefaultSettings()
	var single, alerts []Example
	for i := range 40 {
		c := string(rune('a' + i%26))
		single = append(single, Example{fmt.Sprintf("text number %d zebra %s", i, strings.Repeat(c, 5)), fmt.Sprint("label ", i)})
		what := []string{"jam", "lift", "scan", "belt"}[i%4]
		alerts = append(alerts, Example{fmt.Sprintf("ALERT station %d of line 7 reports status code %s, see the log of the shift", i, what), what})
	}
	if _, err := Train(t.Context(), single, s, nil); err == nil || !strings.Contains(err.Error(), "give labels more examples") {
		t.Errorf("one example each: %v", err)
	}
	m, err := Train(t.Context(), alerts, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v := m.Classify("ALERT station 9 of line 7 reports status code jam, see the log of the shift"); v.Label != "jam" {
		t.Errorf("an alert is taken for %s", v.Label)
	}
}

func FuzzParseModel(f *testing.F) {
	body := written(f, small())[len(fileMagic)+4:]
	var fields bytes.Buffer
	if _, err := fields.ReadFrom(flate.NewReader(bytes.NewReader(body))); err != nil {
		f.Fatal(err)
	}
	f.Add(fields.Bytes()[:2000])
	f.Fuzz(func(t *testing.T, fields []byte) {
		m, err := parseModel(bytes.NewReader(fields))
		if err != nil {
			return
		}
		m.Classify("3 cartons came back without a number")
	})
}

func FuzzReadModel(f *testing.F) {
	f.Add(written(f, small()))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > len(fileMagic)+4 {
			binary.LittleEndian.PutUint32(file[len(fileMagic):], crc32.ChecksumIEEE(file[len(fileMagic)+4:]))
		}
		if m, err := ReadModel(bytes.NewReader(file)); err == nil {
			m.Classify("3 cartons came back without a number")
		}
	})
}

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"full width becomes plain", "Ｐａｌｌｅｔ １２", "pallet 12"},
		{"what nobody sees goes", "dam\u200bage\u202ed\u0000", "damaged"},
		{"space is one space", " a\t\n b\u00a0c ", "a b c"},
		{"a lookalike among Latin letters is Latin", "dаmаged", "damaged"},
		{"a Russian word stays Russian", "груз", "груз"},
	} {
		if got := Normalize(c.text); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
