package audit

import (
	"bytes"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// What is known of most times without reading them holds as when they are read.
func TestUsualTimesAreTimes(t *testing.T) {
	for _, text := range []string{
		"2026-11-23T12:00:00Z", "2026-11-23T12:00:00.5Z", "2026-11-23T12:00:00.123456789Z", "2026-02-28T23:59:59Z", "2024-02-29T00:00:00Z",
		"2026-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2026-12-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-11-00T00:00:00Z",
		"2026-11-23T24:00:00Z", "2026-11-23T12:60:00Z", "2026-11-23T12:00:60Z", "2026-11-23T12:00:00.50Z", "2026-11-23T12:00:00.Z", "2026-11-23T12:00:00.0Z",
		"2026-11-23T12:00:00.1234567891Z", "2026-11-23T12:00:00,5Z", "2026-11-23 12:00:00Z", "2026-11-23T12:00:00+00:00", "2026-11-23T12:00:00z",
		"2026-11-23T12:00:00", "0000-01-01T00:00:00Z", "2026-1a-23T12:00:00Z", "Z", "", "2026-11-23T12:00:00Z ",
	} {
		at, err := time.Parse(time.RFC3339Nano, text)
		is := err == nil && at.UTC().Format(time.RFC3339Nano) == text
		if isTime([]byte(text)) != is || usualTime([]byte(text)) && !is {
			t.Errorf("%q is a time: %v", text, is)
		}
	}
}

// A line of the whole log is as any line is encoded.
func TestAnEntryIsWrittenAsAnyLine(t *testing.T) {
	for i, body := range newLog(t, 5, 2).bodies {
		var out bytes.Buffer
		b, err := NewBundle(&out, false, 0, 0)
		must(t, err)
		must(t, b.Close())
		out.Reset()
		must(t, b.Entry(int64(i), record(body), nil))
		must(t, b.Close())
		want, err := json.Marshal(&line{Kind: kindEntry, Index: int64(i), Leaf: Leaf(body), Body: body})
		if err != nil || out.String() != string(want)+"\n" {
			t.Errorf("%s is not %s: %v", out.String(), want, err)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	for _, body := range newLog(f, 3, 2).bodies {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseEntry(body)
		if err != nil {
			return
		}
		if again, err := e.Body(); err != nil || !bytes.Equal(again, body) {
			t.Errorf("%q was read and is written as %q, %v", body, again, err)
		}
	})
}
