// Package e2e tests the built program as a process: what a user starts, kills
// and asks.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(built.dir)
	os.Exit(code)
}

// built is the program, which all tests share.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// program returns the path of the program, built from the sources beside it.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs PostgreSQL, which -short leaves out")
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "tallyman-e2e-"); built.err != nil { //nolint:usetesting // all tests share it
			return
		}
		build := exec.Command("go", "build", "-ldflags=-s -w", "-o", built.dir, "./cmd/tallyman")
		build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "tallyman")
}

type ready struct {
	URL    string          `json:"url"`
	APIKey string          `json:"api_key"`
	Sites  []string        `json:"sites"`
	Sample json.RawMessage `json:"sample"`

	Password string `json:"password"` // of the demo's people

	process int
	wait    func() error
}

// demoArgs are those of a small demo.
func demoArgs(dir string) []string {
	return []string{"demo", "--dir", dir, "--listen", "127.0.0.1:0", "--sites", "2", "--skus", "120", "--days", "120"}
}

// start runs a small demo and returns when it is ready; stop ends it with an
// interrupt and fails the test where it does not end well.
func start(t *testing.T, bin, dir string) (r ready, stop func()) {
	t.Helper()
	file := filepath.Join(dir, "demo.json")
	_ = os.Remove(file) // a killed program leaves it
	var log bytes.Buffer
	demo := exec.Command(bin, demoArgs(dir)...)
	demo.Stdout, demo.Stderr = &log, &log
	demo.Env = append(os.Environ(), "DATABASE_URL=")
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = demo.Process.Kill() }) // of a test that failed
	ended := make(chan error, 1)
	go func() { ended <- demo.Wait() }()
	for {
		if text, err := os.ReadFile(file); err == nil {
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("the demo ended: %v\n%s", err, log.String())
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	r.process, r.wait = demo.Process.Pid, func() error { return <-ended }
	return r, func() {
		t.Helper()
		_ = demo.Process.Signal(syscall.SIGINT)
		if err := r.wait(); err != nil {
			t.Errorf("the demo stopped with %v\n%s", err, log.String())
		}
	}
}

// ask sends the risk call and returns status and body.
func (r *ready) ask(t *testing.T, key string, body []byte) (int, string) {
	t.Helper()
	return r.post(t, "/v1/risk-evaluations", key, body)
}

// tickets sends one in, and looks at those that the demo has.
func (r *ready) tickets(t *testing.T) {
	t.Helper()
	body := []byte(`{"site":"` + r.Sites[0] + `","text":"picker hit by a forklift in aisle 7, bleeding"}`)
	status, answer := r.post(t, "/v1/tickets", "one", body)
	if status != http.StatusOK || !strings.Contains(answer, `"severity":"S1"`) || !strings.Contains(answer, `"route_ticket"`) {
		t.Errorf("ticket: %d %s", status, answer)
	}
	if _, again := r.post(t, "/v1/tickets", "one", body); again != answer {
		t.Errorf("the same key gave other bytes:\n%s\n%s", answer, again)
	}
	if status, text := r.get(t, "/v1/tickets?site="+r.Sites[0]); status != http.StatusOK || strings.Count(text, `"object":"ticket"`) < 5 {
		t.Errorf("tickets: %d %.300s", status, text)
	}
	if status, text := r.page(t, "sofia", "/tickets"); status != http.StatusOK || !strings.Contains(text, "picker hit by a forklift") {
		t.Errorf("page of tickets: %d %.300s", status, text)
	}
}

func (r *ready) post(t *testing.T, path, key string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.APIKey)
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("Content-Type", "application/json")
	return do(t, req)
}

func (r *ready) get(t *testing.T, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.APIKey)
	return do(t, req)
}

// page opens a page as a person of the demo, who signs in for it.
func (r *ready) page(t *testing.T, login, path string) (int, string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"login": {login}, "password": {r.Password}, "next": {path}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+"/signin", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", r.URL)
	res, err := (&http.Client{Jar: jar}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// A demo is prepared once, stopped and started again.
func TestDemo(t *testing.T) {
	t.Parallel()
	bin, dir := program(t), t.TempDir()
	t.Run("a newcomer", func(t *testing.T) { newcomer(t, bin, dir) })
	t.Run("crashes", func(t *testing.T) { crashes(t, bin, dir) })
}

// newcomer starts the demo, asks, looks and stops it.
func newcomer(t *testing.T, bin, dir string) {
	t.Helper()
	r, stop := start(t, bin, dir)
	status, answer := r.ask(t, "one", r.Sample)
	if status != http.StatusOK || !strings.Contains(answer, `"recommended_action"`) {
		t.Fatalf("risk call: %d %s", status, answer)
	}
	if _, again := r.ask(t, "one", r.Sample); again != answer {
		t.Errorf("the same key gave other bytes:\n%s\n%s", answer, again)
	}
	if status, text := r.ask(t, "one", []byte(strings.Replace(string(r.Sample), `"references"`, `"options": {"top_reasons": 1}, "references"`, 1))); status != http.StatusUnprocessableEntity {
		t.Errorf("another body under the same key: %d %s", status, text)
	}
	status, text := r.ask(t, "two", []byte(fortyUnknownLines()))
	if status != http.StatusOK || !strings.Contains(text, `"sku_history"`) || strings.Count(text, `"line":`) != 40 {
		t.Errorf("forty unknown lines at an unknown site: %d %.300s", status, text)
	}
	if status, text := r.get(t, "/v1/count-queue?limit=5&site="+r.Sites[0]); status != http.StatusOK || strings.Count(text, `"pending"`) != 5 {
		t.Errorf("queue: %d %.300s", status, text)
	}
	if status, text := r.get(t, "/queue?site="+r.Sites[1]); status != http.StatusOK || !strings.Contains(text, "What to count at "+r.Sites[1]) || strings.Contains(text, "Approve count") {
		t.Errorf("page without a session: %d %.300s", status, text)
	}
	if status, text := r.page(t, "sofia", "/queue?site="+r.Sites[1]); status != http.StatusOK || !strings.Contains(text, "What to count at "+r.Sites[1]) || !strings.Contains(text, "Approve count") {
		t.Errorf("page: %d %.300s", status, text)
	}
	if status, text := r.page(t, "sam", "/queue?site="+r.Sites[1]); status != http.StatusNotFound {
		t.Errorf("a site where Sam has no role: %d %.300s", status, text)
	}
	if status, text := r.page(t, "sofia", "/steps"); status != http.StatusOK || !strings.Contains(text, "Waiting for me") {
		t.Errorf("inbox: %d %.300s", status, text)
	}
	r.tickets(t)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.json"} {
		if status, _ := r.get(t, path); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	second := run(t, bin, "key", "add", "beside", "--scopes", "queue:read", "--sites", r.Sites[0], "--dir", dir)
	if status, text := (&ready{URL: r.URL, APIKey: strings.TrimSpace(second)}).get(t, "/v1/count-queue?site="+r.Sites[0]); status != http.StatusOK {
		t.Errorf("a key made beside the running service: %d %s", status, text)
	}
	stop()
}

func fortyUnknownLines() string {
	lines := make([]string, 40)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"line":"%d","sku":"NEVER-%d","qty_asn":"12"}`, i+1, i)
	}
	return `{"kind":"inbound_load","site":"NOWHERE","occurred_at":"2026-01-02T03:04:05Z","references":{"asn":"NONE"},"parties":{"supplier":"NOBODY"},"lines":[` + strings.Join(lines, ",") + `]}`
}

// Killed in the middle of an import, the program imports the rest when it is
// started again, and every event is there exactly once.
func TestKilledImport(t *testing.T) {
	t.Parallel()
	bin, dir := program(t), t.TempDir()
	events := filepath.Join(dir, "events.ndjson")
	run(t, bin, "simulate", "--sites", "2", "--skus", "150", "--days", "150", "--end", "2026-06-30", "--out", events)
	text, err := os.ReadFile(events)
	if err != nil {
		t.Fatal(err)
	}
	total := bytes.Count(text, []byte("\n"))
	importing := []string{"import", "--dir", filepath.Join(dir, "data"), "--source", "wms", "--refused", filepath.Join(dir, "refused.csv")}

	// The first half comes through a pipe that stays open, so that the program
	// is certainly in the middle when it is killed.
	killed := exec.Command(bin, importing...)
	killed.Env = append(os.Environ(), "DATABASE_URL=")
	in, err := killed.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(text[:len(text)/2]); err != nil {
		t.Fatal(err)
	}
	_ = killed.Process.Kill()
	_ = killed.Wait()

	out := run(t, bin, append(importing, events)...)
	var accepted, duplicate, refused int
	if _, err := fmt.Sscanf(out, "%d accepted, %d duplicate, %d refused", &accepted, &duplicate, &refused); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if accepted+duplicate != total || refused != 0 {
		t.Errorf("%s of %d events", out, total)
	}
	if again := run(t, bin, append(importing, events)...); !strings.HasPrefix(again, fmt.Sprintf("0 accepted, %d duplicate, 0 refused", total)) {
		t.Errorf("a third import: %s", again)
	}
}

func run(t *testing.T, bin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL=")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tallyman %s: %v\n%s%s", strings.Join(args, " "), err, out, log.String())
	}
	return string(out)
}
