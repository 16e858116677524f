package scoring

import (
	"testing"
	"time"

	"tallyman/features"
)

// An answer says when the facts lie behind; where nobody follows there is nothing
// to lie behind.
func TestTheFactsLagBehind(t *testing.T) {
	e := NewEngine(features.NewState())
	for outcome, c := range e.champions {
		e.Adopt(outcome, 7, c.Scorer)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	degraded := func(now time.Time) bool {
		got, _ := e.Evaluate(Request{Kind: StockPosition, Site: "DC-1", Lines: []LineRequest{{SKU: "A", Location: "L"}}}, now)
		return got.Degraded
	}
	if degraded(now) {
		t.Error("nobody follows")
	}
	e.Heard(now)
	e.Heard(now.Add(-time.Hour)) // later said, and earlier
	for after, want := range map[time.Duration]bool{0: false, maxLag: false, maxLag + time.Millisecond: true} {
		if got := degraded(now.Add(after)); got != want {
			t.Errorf("after %s it is degraded: %v", after, got)
		}
	}
}
