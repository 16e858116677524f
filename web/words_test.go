package web

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// What somebody says yes to is said to the last cent.
func TestAmountsAreExactWhereTheyAreApproved(t *testing.T) {
	for minor, want := range map[int64]string{
		1: "0.01 USD", 9_999: "99.99 USD", 10_001: "100.01 USD", 123_456: "1\u202f234.56 USD", -123_456_789: "-1\u202f234\u202f567.89 USD", 0: "nothing",
	} {
		if got := amount(minor, "USD"); got != want {
			t.Errorf("%d is %q, want %q", minor, got, want)
		}
	}
	got, err := membersOf([]byte(`{"amount_minor":123456,"currency":"USD"}`))
	want := []pair{{"amount", "1\u202f234.56 USD"}, {"currency", "USD"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if got := limitWord(guardrails.Limit{Minor: 250_050}); got != "2\u202f500.50" {
		t.Errorf("a limit is %q", got)
	}
	for minor, want := range map[int64]string{9_925: "99.25", 10_001: "100", 128_437: "1\u202f284"} {
		if got := grouped(warehouse.Money{Minor: minor, Currency: "USD"}); got != want {
			t.Errorf("an estimate of %d is %q, want %q", minor, got, want)
		}
	}
}

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "it is late": "It is late.", "über Nacht": "Über Nacht.", "ёлка": "Ёлка.", "数が合わない": "数が合わない.", "It ends.": "It ends.", "why?": "Why?", "x": "X.",
	} {
		if got := sentence(text); got != want {
			t.Errorf("%q is said as %q, want %q", text, got, want)
		}
	}
}

func TestEvidenceKeepsItsOrder(t *testing.T) {
	step := &store.Step{EvidenceBytes: []byte(`{"signals":{"late":{"score":0.1},"discrepancy":{"score":0.2},"size":{"score":0.3},"variance":{"score":0.4},"a":{"score":0.5}}}`)}
	want := []pair{{"chance of a", "50 %"}, {"chance of discrepancy", "20 %"}, {"chance of late", "10 %"}, {"chance of size", "30 %"}, {"chance of variance", "40 %"}}
	for range 20 {
		if diff := cmp.Diff(want, evidenceOf(step).Facts); diff != "" {
			t.Fatal(diff)
		}
	}
}

// A reason that lowers a risk is not read as one that raises it.
func TestReasonsAgainstAreMarked(t *testing.T) {
	step := &store.Step{EvidenceBytes: []byte(`{"reasons":[{"text":"Late before.","contribution":0.4},{"text":"Counted yesterday.","contribution":-0.9},
		{"text":"It is March.","direction":"down"},{"text":"What is known about its pack lowers the risk.","direction":"down"}]}`)}
	want := []string{"Late before.", "Against it: Counted yesterday.", "Against it: It is March.", "What is known about its pack lowers the risk."}
	if diff := cmp.Diff(want, evidenceOf(step).Reasons); diff != "" {
		t.Error(diff)
	}
	row := rowOf(&store.QueueRow{Reasons: []store.Reason{{Code: "SEASON", Text: "It is March.", Contribution: -1}}}, time.Time{}, time.UTC)
	if len(row.Reasons) != 1 || row.Reasons[0] != "Against it: It is March." {
		t.Errorf("the queue says %q", row.Reasons)
	}
}
