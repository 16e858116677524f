package web

import (
	"testing"
	"time"
)

// SetPatience changes how long a provider is waited for until the test ends.
func SetPatience(t *testing.T, d time.Duration) {
	t.Helper()
	before := patience
	patience = d
	t.Cleanup(func() { patience = before })
}
