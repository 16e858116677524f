package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/fixtures"
	"tallyman/store"
	"tallyman/warehouse"
)

type eventsAnswer struct {
	Accepted, Duplicate, Conflict, Refused int
	Results                                []eventResult
}

type eventResult struct {
	Index                     int
	ID, Status, Field, Reason string
	Seq                       int64
}

// event is a count without a source.
func event(id, site string) string {
	return fmt.Sprintf(`{"id":%q,"type":"count","occurred_at":"2026-11-23T06:14:05-06:00","site":%q,"sku":"A-1","location":"L-1","qty":"7","book":8}`, id, site)
}

func TestABatchIsAnsweredRecordByRecord(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	first := s.call("POST", "/v1/events?source=wms", key, event("1", "DC-1"))
	if a := read[eventsAnswer](t, first); a.Accepted != 1 {
		t.Fatalf("first: %+v", a)
	}
	body := strings.Join([]string{
		event("2", "DC-1"),
		event("1", "DC-1"),
		strings.Replace(event("1", "DC-1"), `"7"`, `"6"`, 1),
		strings.Replace(event("3", "DC-1"), `"7"`, `"NaN"`, 1),
		strings.Replace(event("4", "DC-1"), `"qty"`, `"quantity"`, 1),
		strings.Replace(event("5", "DC-1"), `"A-1"`, `"A\u0000"`, 1),
		`{"specversion":"1.0","id":"6","source":"urn:x","type":"com.example.count","time":"2026-11-23T06:14:05Z","data":{"site":"DC-1","sku":"A","qty":1}}`,
		`{"id":"7","id":"8"}`,
	}, "\n")
	a := read[eventsAnswer](t, s.call("POST", "/v1/events?source=wms", key, body, "Content-Type", "application/x-ndjson"))
	if a.Accepted != 2 || a.Duplicate != 1 || a.Conflict != 1 || a.Refused != 4 {
		t.Errorf("counts: %+v", a)
	}
	var got []string
	for i, r := range a.Results {
		if r.Index != i || (r.Status != "accepted" && r.Status != "duplicate") == (r.Reason == "") {
			t.Errorf("result %d: %+v", i, r)
		}
		got = append(got, fmt.Sprintf("%s %s %s %d", r.ID, r.Status, r.Field, r.Seq))
	}
	want := []string{
		"2 accepted  2", "1 duplicate  1", "1 conflict id 1", "3 refused qty 0", " refused quantity 0", "5 refused sku 0",
		"6 accepted  3", " refused  0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Every kind of malformed record stands many times between good ones: each is
// answered with field and reason, and every good one is in.
func TestMalformedRecordsAreRefusedOneByOne(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	accepted, refused := 0, 0
	for batch := range 5 {
		var lines, want []string
		for i := range 2000 {
			id := fmt.Sprintf("%d-%d", batch, i)
			if i%5 == 0 {
				lines, want = append(lines, fixtures.GoodRecord("good-"+id)), append(want, "accepted ")
			}
			kind := &fixtures.MalformedKinds[i%len(fixtures.MalformedKinds)]
			lines, want = append(lines, kind.Record("bad-"+id)), append(want, "refused "+kind.Field)
		}
		a := read[eventsAnswer](t, s.call("POST", "/v1/events", key, strings.Join(lines, "\n"), "Content-Type", "application/x-ndjson"))
		accepted, refused = accepted+a.Accepted, refused+a.Refused
		var got []string
		for _, r := range a.Results {
			got = append(got, r.Status+" "+r.Field)
			if (r.Status == "refused") != (r.Reason != "") {
				t.Errorf("%+v", r)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	if seq, err := s.db.Watermark(t.Context()); err != nil || accepted != 2000 || refused != 10_000 || int(seq) != accepted {
		t.Errorf("%d accepted, %d refused, %d events in: %v", accepted, refused, seq, err)
	}
}

// A key that is limited to a source cannot take the ids of another's events.
func TestAKeyKeepsToItsSources(t *testing.T) {
	s := start(t)
	secret, _, err := s.db.CreateKey(t.Context(), store.APIKey{
		Name: "wms-dc1", Env: "test", Scopes: store.Scopes, Sites: []warehouse.Site{"DC-1"}, Sources: []warehouse.Source{"wms-dc1"},
	}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	a := read[eventsAnswer](t, s.call("POST", "/v1/events?source=wms-dc2", secret, event("1", "DC-1")))
	if a.Refused != 1 || a.Results[0].Field != "source" {
		t.Errorf("another's source: %+v", a)
	}
	a = read[eventsAnswer](t, s.call("POST", "/v1/events?source=wms-dc2", s.key(store.Scopes, "DC-2"), event("1", "DC-2")))
	if a.Accepted != 1 {
		t.Errorf("whose id it is: %+v", a)
	}
	a = read[eventsAnswer](t, s.call("POST", "/v1/events?source=wms-dc1", secret, event("1", "DC-1")))
	if a.Accepted != 1 {
		t.Errorf("its own source: %+v", a)
	}
}

// A few kilobytes of gzip can hold millions of records.
func TestTooManyRecords(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	send := func(records int) (int, string) {
		w := s.call("POST", "/v1/events", key, zipped(t, strings.NewReader("["+strings.Repeat("1,", records-1)+"1]")), "Content-Encoding", "gzip")
		if w.Code == 200 {
			return read[eventsAnswer](t, w).Refused, ""
		}
		code, _ := problem(t, w)
		return w.Code, code
	}
	if n, code := send(50_000); n != 50_000 || code != "" {
		t.Errorf("as many as are allowed: %d %s", n, code)
	}
	for _, records := range []int{50_001, 4_000_000} {
		if status, code := send(records); status != 413 || code != "too_many_records" {
			t.Errorf("%d records: %d %s", records, status, code)
		}
	}
}

func TestBodiesOfEventsThatCannotBeRead(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	good := event("1", "DC-1")
	bomb := zipped(t, strings.NewReader(strings.Repeat(" ", 64<<20)+good))
	for _, c := range []struct {
		name, body, encoding, code string
		status                     int
	}{
		{"nothing", "", "", "invalid_request", 400},
		{"white space", " \n ", "", "unreadable_body", 400},
		{"CSV", "id,type\n1,count\n", "", "unreadable_body", 400},
		{"a number", "12", "", "unreadable_body", 400},
		{"an array that does not end", "[" + good, "", "unreadable_body", 400},
		{"an array with text after it", "[" + good + "] 1", "", "unreadable_body", 400},
		{"an array of nonsense", "[" + good + ",nonsense]", "", "unreadable_body", 400},
		{"10,000 brackets", strings.Repeat("[", 10_001), "", "unreadable_body", 400},
		{"not gzip", good, "gzip", "unreadable_body", 400},
		{"half of a gzip", zipped(t, strings.NewReader(good))[:40], "gzip", "unreadable_body", 400},
		{"gzip in gzip", zipped(t, strings.NewReader(zipped(t, strings.NewReader(good)))), "gzip", "unreadable_body", 400},
		{"another encoding", good, "br", "unsupported_encoding", 415},
		{"a bomb", bomb, "gzip", "body_too_large", 413},
		{"a bomb that does not say so", bomb, "", "body_too_large", 413},
		{"more than 8 MiB", strings.Repeat(" ", 8<<20) + good, "", "body_too_large", 413},
	} {
		w := s.call("POST", "/v1/events?source=wms", key, c.body, "Content-Encoding", c.encoding)
		if code, _ := problem(t, w); w.Code != c.status || code != c.code {
			t.Errorf("%s: %d %s, want %d %s: %s", c.name, w.Code, code, c.status, c.code, w.Body)
		}
	}
	if seq, err := s.db.Watermark(t.Context()); seq != 0 || err != nil {
		t.Errorf("something was taken: %d, %v", seq, err)
	}
	for _, encoding := range []string{"gzip", ""} {
		w := s.call("POST", "/v1/events?source=wms", key, zipped(t, strings.NewReader("["+good+"]")), "Content-Encoding", encoding)
		if a := read[eventsAnswer](t, w); a.Accepted+a.Duplicate != 1 {
			t.Errorf("gzip, encoding %q: %+v", encoding, a)
		}
	}
}
