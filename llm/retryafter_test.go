package llm

import (
	"net/http"
	"testing"
	"time"
)

// No server can silence the client for more than a day.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, " 90 ": 90 * time.Second, "3600": time.Hour, "99999999": 24 * time.Hour,
		now.Add(time.Minute).Format(http.TimeFormat):     time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat):    0,
		now.AddDate(1, 0, 0).Format(http.TimeFormat):     24 * time.Hour,
		now.Add(time.Hour).Format("2006-01-02 15:04:05"): 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}
