package jobs

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"tallyman/guardrails"
	"tallyman/store"
)

// A target says things that no database text can hold. What came of the operation
// is recorded all the same: else it could never be settled, nor reported by hand.
func TestATargetSaysWhatIsNoText(t *testing.T) {
	for name, says := range map[string]string{
		"U+0000 in its status":     "HTTP/1.1 500 \x00\r\nContent-Length: 0\r\n\r\n",
		"no UTF-8 in its status":   "HTTP/1.1 409 \xff\r\nContent-Length: 0\r\n\r\n",
		"no UTF-8 in its error":    "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"error\":\"\xff\xfe\"}",
		"no HTTP":                  "\x00\xff\r\n\r\n",
		"a header that is no text": "HTTP/1.1 200 OK\r\n\x00\xff\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = fmt.Fprint(conn, says)
				_ = conn.Close()
			}))
			t.Cleanup(server.Close)
			w := newWorld(t, func(t *store.Target) { t.URL, t.QueryURL = server.URL, server.URL })
			s := w.approve(w.propose(count("S")))
			for range 2 { // sent, then asked
				w.due()
				if err := w.work(s); err != nil {
					t.Fatal(err)
				}
			}
			if s = w.step(s); s.State != guardrails.Unknown && s.State != guardrails.Failed {
				t.Errorf("the step is %s (%s)", s.State, s.Reason)
			}
			w.sound()
		})
	}
}
