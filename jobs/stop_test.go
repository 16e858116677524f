package jobs

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tallyman/guardrails"
)

// What is on its way when the program is told to end arrives, and is written down.
func TestStoppingLetsDeliveriesArrive(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stop()
		select {
		case <-r.Context().Done(): // the request was cut off
		case <-time.After(300 * time.Millisecond):
		}
	}))
	defer slow.Close()
	w.exec(`update target set url = $1, query_url = null`, slow.URL)
	s := w.approve(w.propose(count("S")))
	if err := Execute(ctx, w.db, time.Now, w.sender.log); err != nil {
		t.Fatal(err)
	}
	if got := w.step(s); got.State != guardrails.Succeeded {
		t.Errorf("the step is %s: %s", got.State, got.Reason)
	}
	w.sound()
}
