package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"tallyman/store"
)

// load40 is a load of 40 lines, the first of them short.
var load40 = loadOf(40, "920")

func loadOf(lines int, scanned string) string {
	var b strings.Builder
	b.WriteString(`{"kind":"inbound_load","site":"DC-1","event_id":"urn:uuid:1","occurred_at":"2026-11-23T06:14:05-06:00",
		"references":{"asn":"ASN-1","po":"PO-1"},"parties":{"supplier":"SUP-881","carrier_scac":"ABCD"},"lines":[`)
	for i := range lines {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"line":"%d","sku":"A-%d","qty_ordered":"1000","qty_asn":"1000","qty_scanned":"%s","uom":"EA","pack":1,"unit_cost":{"amount":"4.10","currency":"USD"},"attributes":{"weight":12.5,"term":"DAP"}}`, i, i, scanned)
		scanned = "1000"
	}
	b.WriteString(`],"options":{"explain":true,"top_reasons":1}}`)
	return b.String()
}

type answer struct {
	ID      string
	Signals map[string]struct {
		Score        float64
		ExpectedLoss map[string]string `json:"expected_loss"`
	}
	Lines []struct {
		Line    string
		Reasons []struct{ Direction, Text string }
	}
	Action   string `json:"recommended_action"`
	Workflow *struct {
		StepID string `json:"step_id"`
	}
	Missing  []string `json:"missing_features"`
	Degraded bool
}

// A receiving system says more than is used. That must not cost it the answer.
func TestWhatIsNotUsedIsTaken(t *testing.T) {
	s := start(t)
	a := read[answer](t, s.call("POST", "/v1/risk-evaluations", s.key(store.Scopes), `{
		"kind":"inbound_load","site":"DC-07","event_id":"urn:uuid:1","occurred_at":"2026-11-23T06:14:05-06:00",
		"references":{"asn":"ASN-1","po":"PO-1","bol":"BOL-1","sscc":["006141411234567890"],"dock_door":"D12"},
		"parties":{"supplier":"SUP-881","supplier_gln":"0614141000005","carrier_scac":"ABCD"},
		"lines":[{"line":"10","sku":"A-1","gtin":"00614141000029","lot":"L1","serials":[],
			"qty_ordered":"1000","qty_asn":"1000","qty_scanned":"920","uom":"EA","unit_cost":{"amount":"4.10","currency":"USD"}}],
		"options":{"explain":true,"top_reasons":5}}`, "Idempotency-Key", "k", "Tallyman-Version", "2026-11-01"))
	if len(a.Lines) != 1 || a.Action != "verify" {
		t.Errorf("%+v", a)
	}
}

func TestALoadIsEvaluatedOnce(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	first := s.call("POST", "/v1/risk-evaluations", key, load40, "Idempotency-Key", "k-1")
	a := read[answer](t, first)
	if len(a.Lines) != 40 || a.Lines[39].Line != "39" || len(a.Lines[0].Reasons) != 1 || a.Lines[0].Reasons[0].Direction != "up" {
		t.Errorf("lines: %+v", a.Lines)
	}
	if a.Action != "verify" || a.Workflow == nil || len(a.Missing) == 0 || a.Signals["discrepancy"].ExpectedLoss["amount"] == "" || !a.Degraded {
		t.Errorf("answer: %+v", a)
	}
	if step, err := s.db.VerifyStep(t.Context(), "DC-1", "ASN-1"); err != nil || string(step.ID) != a.Workflow.StepID {
		t.Errorf("step %q: %v, answer names %q", step.ID, err, a.Workflow.StepID)
	}
	again := s.call("POST", "/v1/risk-evaluations", key, load40, "Idempotency-Key", "k-1")
	stored := s.call("GET", "/v1/risk-evaluations/"+a.ID, key, "")
	for name, w := range map[string]*bytes.Buffer{"again": again.Body, "stored": stored.Body} {
		if !bytes.Equal(first.Body.Bytes(), w.Bytes()) {
			t.Errorf("%s: other bytes:\n%s\n%s", name, first.Body, w)
		}
	}
	if got := stored.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	w := s.call("POST", "/v1/risk-evaluations", key, loadOf(39, "920"), "Idempotency-Key", "k-1")
	if code, field := problem(t, w); w.Code != http.StatusUnprocessableEntity || code != "idempotency_key_reused" || field != "Idempotency-Key" {
		t.Errorf("another body under the key: %d %s %s", w.Code, code, field)
	}
	other := read[answer](t, s.call("POST", "/v1/risk-evaluations", s.key(store.Scopes), loadOf(39, "1000"), "Idempotency-Key", "k-1"))
	if other.ID == a.ID || other.Workflow != nil || other.Action == "verify" {
		t.Errorf("the same key of another caller: %+v", other)
	}
}

func TestTheSameRequestAtOnceIsAnsweredAlike(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	bodies := make([]string, 8)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() {
			bodies[i] = s.call("POST", "/v1/risk-evaluations", key, load40, "Idempotency-Key", "race").Body.String()
		})
	}
	wg.Wait()
	for _, b := range bodies[1:] {
		if b != bodies[0] {
			t.Fatalf("two answers:\n%s\n%s", bodies[0], b)
		}
	}
	var a answer
	if err := json.Unmarshal([]byte(bodies[0]), &a); err != nil || a.ID == "" {
		t.Errorf("answer %s: %v", bodies[0], err)
	}
}

func TestUnknownNamesAreAnswered(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	for i, body := range []string{
		`{"kind":"inbound_load","site":"ATLANTIS","references":{"asn":"?"},"parties":{"supplier":"nobody"},"lines":[{"line":"1","sku":"no such thing"}]}`,
		`{"kind":"stock_position","site":"ATLANTIS","lines":[{"sku":"X"},{"sku":"X","location":"B"}],"options":{"explain":false}}`,
	} {
		a := read[answer](t, s.call("POST", "/v1/risk-evaluations", key, body, "Idempotency-Key", fmt.Sprint(i)))
		if len(a.Missing) == 0 {
			t.Errorf("nothing is missing in the answer to %s", body)
		}
	}
}

func TestMalformedRiskRequests(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	good := `{"kind":"inbound_load","site":"S","references":{"asn":"A"},"lines":[{"line":"1","sku":"X","qty_asn":"1"}]}`
	with := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in the request", old)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	for _, c := range []struct {
		name, body, field string
		status            int
	}{
		{"nothing", ``, "", 400},
		{"not JSON", `kind=inbound_load`, "", 400},
		{"half", good[:40], "", 400},
		{"text after it", good + ` {}`, "", 400},
		{"an array", `[` + good + `]`, "", 400},
		{"null", `null`, "site", 400},
		{"an empty object", `{}`, "site", 400},
		{"an unknown field", with(`"site"`, `"color":1,"site"`), "color", 400},
		{"an unknown field of a line", with(`"sku"`, `"colour":1,"sku"`), "lines[0].colour", 400},
		{"another case", with(`"site"`, `"Site"`), "Site", 400},
		{"a repeated field", with(`"site":"S"`, `"site":"S","site":"T"`), "site", 400},
		{"a repeated field of a line", with(`"sku":"X"`, `"sku":"X","sku":"Y"`), "lines[0].sku", 400},
		{"U+0000", with(`"S"`, `"S\u0000"`), "site", 400},
		{"invalid UTF-8", with(`"S"`, "\"S\xff\""), "", 400},
		{"half a surrogate", with(`"S"`, `"\ud800"`), "", 400},
		{"a number for text", with(`"S"`, `12`), "site", 400},
		{"no site", with(`"S"`, `""`), "site", 400},
		{"every site", with(`"S"`, `"*"`), "site", 400},
		{"a long site", with(`"S"`, `"`+strings.Repeat("S", 257)+`"`), "site", 400},
		{"another kind", with(`inbound_load`, `outbound_load`), "kind", 400},
		{"no load", with(`"asn":"A"`, `"po":"P"`), "references.asn", 400},
		{"no lines", with(`[{"line":"1","sku":"X","qty_asn":"1"}]`, `[]`), "lines", 400},
		{"null lines", with(`[{"line":"1","sku":"X","qty_asn":"1"}]`, `null`), "lines", 400},
		{"no line", with(`"line":"1",`, ``), "lines[0].line", 400},
		{"no SKU", with(`"sku":"X",`, ``), "lines[0].sku", 400},
		{"the line twice", with(`[`, `[{"line":"1","sku":"Z"},`), "lines[1].line", 400},
		{"NaN", with(`"1"}`, `"NaN"}`), "lines[0].qty_asn", 400},
		{"an exponent", with(`"qty_asn":"1"`, `"qty_asn":1e3`), "lines[0].qty_asn", 400},
		{"four places", with(`"qty_asn":"1"`, `"qty_asn":"0.0001"`), "lines[0].qty_asn", 400},
		{"a negative quantity", with(`"qty_asn":"1"`, `"qty_asn":-1`), "lines[0].qty_asn", 400},
		{"too much", with(`"qty_asn":"1"`, `"qty_asn":"1000000000001"`), "lines[0].qty_asn", 400},
		{"too many packs", with(`"qty_asn":"1"`, `"qty_asn":"1000000000","pack":"1000000000"`), "lines[0].qty_asn", 400},
		{"a pack of nothing", with(`"qty_asn":"1"`, `"pack":0`), "lines[0].pack", 400},
		{"true for a quantity", with(`"qty_asn":"1"`, `"qty_asn":true`), "lines[0].qty_asn", 400},
		{"a cost without digits", with(`"qty_asn":"1"`, `"unit_cost":{"amount":"much"}`), "lines[0].unit_cost", 400},
		{"a currency in words", with(`"qty_asn":"1"`, `"unit_cost":{"amount":"1","currency":"dollar"}`), "lines[0].unit_cost", 400},
		{"a nested attribute", with(`"qty_asn":"1"`, `"attributes":{"a":{"b":1}}`), "lines[0].attributes.a", 400},
		{"a time without offset", with(`"site"`, `"occurred_at":"2026-11-23T06:14:05","site"`), "occurred_at", 400},
		{"a time ahead", with(`"site"`, `"occurred_at":"2027-11-23T06:14:05Z","site"`), "occurred_at", 400},
		{"a time long past", with(`"site"`, `"occurred_at":"1989-11-23T06:14:05Z","site"`), "occurred_at", 400},
		{"no reasons", with(`"site"`, `"options":{"top_reasons":0},"site"`), "options.top_reasons", 400},
		{"10,000 brackets", with(`"S"`, strings.Repeat(`[`, 10_000)), "", 400},
		{"10,000 brackets in an attribute", with(`"qty_asn":"1"`, `"attributes":{"a":`+strings.Repeat(`[`, 10_001)), "", 400},
		{"1,001 lines", loadOf(1001, "1000"), "lines", 400},
		{"more than 256 KiB", good + strings.Repeat(" ", 256<<10), "", 413},
	} {
		w := s.call("POST", "/v1/risk-evaluations", key, c.body, "Idempotency-Key", "k")
		if code, field := problem(t, w); w.Code != c.status || field != c.field || code == "" {
			t.Errorf("%s: %d %s at %q, want %d at %q: %s", c.name, w.Code, code, field, c.status, c.field, w.Body)
		}
	}
	read[answer](t, s.call("POST", "/v1/risk-evaluations", key, good, "Idempotency-Key", "k"))
}

func TestIdempotencyKeysOfWhichNoneCanBe(t *testing.T) {
	s := start(t)
	key := s.key(store.Scopes)
	for _, k := range []string{"", strings.Repeat("k", 256), "with space", "\xff"} {
		w := s.call("POST", "/v1/risk-evaluations", key, load40, "Idempotency-Key", k)
		if _, field := problem(t, w); w.Code != 400 || field != "Idempotency-Key" {
			t.Errorf("idempotency key %q: %d at %q: %s", k, w.Code, field, w.Body)
		}
	}
}
