package warehouse

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readAll drains a reader; a final error ends it.
func readAll(tb testing.TB, input string, opt ReadOptions) (events []Event, refusals []*Refusal, final error) {
	tb.Helper()
	if opt.Now.IsZero() {
		opt.Now = testNow
	}
	r, err := NewReader(strings.NewReader(input), opt)
	if err != nil {
		return nil, nil, err
	}
	for {
		e, err := r.Next()
		var refusal *Refusal
		switch {
		case errors.Is(err, io.EOF):
			return events, refusals, nil
		case errors.As(err, &refusal):
			refusals = append(refusals, refusal)
		case err != nil:
			return events, refusals, err
		default:
			events = append(events, e)
		}
	}
}

func TestFormatsAgree(t *testing.T) {
	csv := "id,type,occurred_at,site,sku,qty,uom,pack,to,load,line,unit_cost,currency,attr.temp\n" +
		"r1,receipt,2026-11-23T06:14:05-06:00,DC-7,\"A \"\"1\"\", red\",12.5,CA,12,A-01,L1,10,4.10,USD,-18\n"
	object := `{"id":"r1","type":"receipt","occurred_at":"2026-11-23T06:14:05-06:00","site":"DC-7","sku":"A \"1\", red",` +
		`"qty":12.5,"uom":"CA","pack":"12","to":"A-01","load":"L1","line":10,"unit_cost":4.10,"currency":"USD","attr":{"temp":-18},"lot":null}`
	envelope := `{"specversion":"1.0","id":"r1","source":"ignored","type":"com.example.receipt.v1","time":"2026-11-23T06:14:05-06:00","traceparent":"x",` +
		`"data":{"site":"DC-7","sku":"A \"1\", red","qty":12.5,"uom":"CA","pack":"12","to":"A-01","load":"L1","line":10,"unit_cost":4.10,"currency":"USD","attr.temp":"-18"}}`
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(zw, csv)
	_ = zw.Close()

	want, refusals, err := readAll(t, csv, ReadOptions{Source: "wms"})
	if err != nil || len(refusals) > 0 || len(want) != 1 {
		t.Fatalf("csv: %d events, %v, %v", len(want), refusals, err)
	}
	if got := want[0].Qty; got != Some(150*Unit) {
		t.Errorf("12.5 cases of 12 are %v, want 150", got)
	}
	for name, input := range map[string]string{
		"crlf": strings.ReplaceAll(csv, "\n", "\r\n"), "bom": "\xef\xbb\xbf" + csv, "no final newline": strings.TrimSpace(csv),
		"gzip": zipped.String(), "ndjson": object + "\n\n", "array": " [" + object + "]", "cloudevents": envelope,
		"cloudevents in an array": "[" + envelope + "\n]", "canonical": string(want[0].AppendJSON(nil)),
	} {
		got, refusals, err := readAll(t, input, ReadOptions{Source: "wms"})
		if err != nil || len(refusals) > 0 {
			t.Errorf("%s: %v %v", name, refusals, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-csv +%s):\n%s", name, name, diff)
		}
	}
}

// Each malformed record names its line and field, and the good records on
// either side of it are read.
func TestRefusals(t *testing.T) {
	good := map[string]string{
		"id": "x", "type": "count", "occurred_at": "2026-11-01T10:00:00Z", "site": "S", "sku": "A", "qty": "5", "book": "6",
		"gtin": "", "expected_qty": "", "expected_at": "", "load": "", "line": "", "pack": "", "unit_cost": "", "currency": "", "location": "", "reason": "", "attr.a": "",
	}
	columns := []string{"id", "type", "occurred_at", "site", "sku", "qty", "book", "gtin", "expected_qty", "expected_at", "load", "line", "pack", "unit_cost", "currency", "location", "reason", "attr.a"}
	tests := []struct{ field, value, wantField string }{
		{"id", "", "id"},
		{"id", strings.Repeat("i", 129), "id"},
		{"type", "", "type"},
		{"type", "recount", "type"},
		{"type", "Count", "type"},
		{"occurred_at", "", "occurred_at"},
		{"occurred_at", "2026-11-01", "occurred_at"},
		{"occurred_at", "2026-11-01 10:00:00", "occurred_at"},
		{"occurred_at", "1989-12-31T23:59:59Z", "occurred_at"},
		{"occurred_at", "2026-11-24T12:00:01Z", "occurred_at"},
		{"occurred_at", "2026-02-30T10:00:00Z", "occurred_at"},
		{"expected_at", "tomorrow", "expected_at"},
		{"site", "", "site"},
		{"site", "S\x00", "site"},
		{"site", "*", "site"},
		{"sku", "", "sku"},
		{"sku", "A\xff", "sku"},
		{"sku", strings.Repeat("s", 257), "sku"},
		{"qty", "", "qty"},
		{"qty", "NaN", "qty"},
		{"qty", "-Inf", "qty"},
		{"qty", "-1", "qty"},
		{"qty", "1.2345", "qty"},
		{"qty", "1000000000001", "qty"},
		{"qty", "five", "qty"},
		{"pack", "0", "pack"},
		{"pack", "0.333", "qty"},
		{"gtin", "4006381333930", "gtin"},
		{"gtin", "12345", "gtin"},
		{"unit_cost", "-1", "unit_cost"},
		{"currency", "usd", "currency"},
		{"expected_qty", "-3", "expected_qty"},
		{"location", "A\x07", "location"},
		{"attr.a", strings.Repeat("v", 513), "attr.a"},
	}
	good["qty"] = "5.001" // so that a pack of 0.333 leaves a part of a thousandth
	var input strings.Builder
	input.WriteString(strings.Join(columns, ",") + "\n")
	row := func(field, value string) {
		for i, c := range columns {
			v := good[c]
			if c == field {
				v = value
			}
			if i > 0 {
				input.WriteByte(',')
			}
			input.WriteString(v)
		}
		input.WriteByte('\n')
	}
	for _, tt := range tests {
		row(tt.field, tt.value)
		row("", "")
	}
	events, refusals, err := readAll(t, input.String(), ReadOptions{Source: "wms"})
	if err != nil || len(events) != len(tests) || len(refusals) != len(tests) {
		t.Fatalf("%d events, %d refusals, %v; want %d of each", len(events), len(refusals), err, len(tests))
	}
	for i, tt := range tests {
		if got := refusals[i]; got.Line != 2+2*i || got.Field != tt.wantField || got.Reason == "" {
			t.Errorf("%s=%.20q: got %v, want line %d, field %s", tt.field, tt.value, got, 2+2*i, tt.wantField)
		}
	}
}

func TestBrokenLines(t *testing.T) {
	const header = "id,type,occurred_at,site,sku,qty\n"
	const good = "g%d,pick,2026-11-01T10:00:00Z,S,A,1\n"
	csvLines := []string{
		"a,pick,2026-11-01T10:00:00Z,S,A",
		"a,pick,2026-11-01T10:00:00Z,S,A,1,2",
		`a,pick,2026-11-01T10:00:00Z,S,"A,1`,
		`a,pick,2026-11-01T10:00:00Z,S,A"B,1`,
		`a,pick,2026-11-01T10:00:00Z,S,"A"B,1`,
		"a" + strings.Repeat(",", 2000),
		strings.Repeat("z", maxLine+10),
	}
	jsonLines := []string{
		`{"id":"a","id":"b"}`, `{"id":"a"`, `{"id":"a"} x`, `{"id":["a"]}`, `{"id":true}`, `"text"`, `nonsense`, `{"nosuch":1}`,
		`{"id":"\ud800"}`, `{"attr":{"a":1,"a":2}}`, `{"attr.a":1,"attr":{"a":2}}`, `{"specversion":"0.3","data":{}}`, `{"specversion":"1.0","id":"x"}`,
		`{"data":{"id":"x"}}`, `{"id":"a","time":"2026-11-01T10:00:00Z"}`,
	}
	check := func(t *testing.T, input string, n int) {
		t.Helper()
		events, refusals, err := readAll(t, input, ReadOptions{Source: "wms"})
		if err != nil || len(events) != n || len(refusals) != n {
			t.Fatalf("%d events, %d refusals, %v; want %d of each: %v", len(events), len(refusals), err, n, refusals)
		}
	}
	var csv, ndjson strings.Builder
	csv.WriteString(header)
	for i, line := range csvLines {
		fmt.Fprintf(&csv, "%s\n"+good, line, i)
	}
	fmt.Fprintf(&ndjson, "{\"id\":\"g\",\"type\":\"pick\",\"occurred_at\":\"2026-11-01T10:00:00Z\",\"site\":\"S\",\"sku\":\"A\",\"qty\":1}\n")
	for _, line := range jsonLines[1:] {
		fmt.Fprintf(&ndjson, "%s\n{\"id\":\"g\",\"type\":\"pick\",\"occurred_at\":\"2026-11-01T10:00:00Z\",\"site\":\"S\",\"sku\":\"A\",\"qty\":1}\n", line)
	}
	ndjson.WriteString(jsonLines[0])
	check(t, csv.String(), len(csvLines))
	check(t, ndjson.String(), len(jsonLines))
}

func TestHeaderFaults(t *testing.T) {
	for name, header := range map[string]string{
		"no header":        "e1,pick,2026-11-01T10:00:00Z,S,A,1\n",
		"unknown column":   "id,type,occurred_at,site,sku,colour\n",
		"column twice":     "id,type,occurred_at,site,sku,qty,qty\n",
		"no id":            "type,occurred_at,site,sku,qty\n",
		"unclosed quote":   "id,\"type\n",
		"nameless attr":    "id,type,occurred_at,site,sku,attr.\n",
		"white space only": strings.Repeat(" ", 100_000),
	} {
		if _, _, err := readAll(t, header, ReadOptions{Source: "s"}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for header, says := range map[string]string{
		"id;type;occurred_at;site;sku;qty\n":                `separated by ";"`,
		"id\ttype\toccurred_at\tsite\tsku\tqty\n":           `separated by "\t"`,
		"ID,Type,Occurred_At,Site,SKU,Qty\n":                `small letters: "id"`,
		"\xff\xfei\x00d\x00,\x00t\x00y\x00p\x00e\x00\n\x00": "UTF-16",
	} {
		for _, ignore := range []bool{false, true} {
			if _, _, err := readAll(t, header, ReadOptions{Source: "s", IgnoreUnknown: ignore}); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%q: %v, want %s", header, err, says)
			}
		}
	}
	events, refusals, err := readAll(t, "id,type,occurred_at,site,sku,qty,colour\na,pick,2026-11-01T10:00:00Z,S,A,1,red\n", ReadOptions{Source: "s", IgnoreUnknown: true})
	if err != nil || len(refusals) > 0 || len(events) != 1 {
		t.Errorf("--ignore-unknown: %v %v %v", events, refusals, err)
	}
	if events, refusals, err := readAll(t, "", ReadOptions{}); err != nil || len(events)+len(refusals) > 0 {
		t.Errorf("an empty file: %v %v %v", events, refusals, err)
	}
}

func TestCSVWriterRoundTrip(t *testing.T) {
	in := "id,source,type,occurred_at,site,sku,qty,pack,expected_at,currency,unit_cost,attr.note\n" +
		"e1,wms,pick,2026-11-01T10:00:00.25+02:00,S,\"A,\"\"B\"\"\",2.5,6,2026-11-02T00:00:00Z,EUR,0.0031,\"x,y\"\n"
	want, _, err := readAll(t, in, ReadOptions{})
	if err != nil || len(want) != 1 {
		t.Fatal(want, err)
	}
	var out bytes.Buffer
	w, err := NewCSVWriter(&out, []string{"id", "source", "type", "occurred_at", "site", "sku", "qty", "pack", "expected_at", "currency", "unit_cost", "attr.note"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&want[0]); err != nil {
		t.Fatal(err)
	}
	got, _, err := readAll(t, out.String(), ReadOptions{})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s\n%s", err, diff, out.String())
	}
}

// Whatever is accepted reads back from its canonical form as the same event.
func FuzzReader(f *testing.F) {
	f.Add("id,type,occurred_at,site,sku,qty\na,pick,2026-11-01T10:00:00Z,S,A,1\n")
	f.Add(`{"id":"a","type":"asn","occurred_at":"2026-11-01T10:00:00.5+01:00","site":"S","sku":"A","expected_qty":3,"load":"L","line":1,"pack":0.5,"attr":{"x":1}}`)
	f.Add(`[{"specversion":"1.0","id":"1","source":"s","type":"count","time":"2026-11-01T10:00:00Z","data":{"site":"S","sku":"A","qty":0}}]`)
	f.Add("\x1f\x8b")
	f.Fuzz(func(t *testing.T, input string) {
		events, _, _ := readAll(t, input, ReadOptions{Source: "fuzz"})
		for _, e := range events {
			back, refusals, err := readAll(t, string(e.AppendJSON(nil)), ReadOptions{})
			if err != nil || len(refusals) > 0 || len(back) != 1 {
				t.Fatalf("%s does not read back: %v %v", e.AppendJSON(nil), refusals, err)
			}
			if diff := cmp.Diff(e, back[0]); diff != "" {
				t.Fatalf("read back (-want +got):\n%s", diff)
			}
		}
	})
}
