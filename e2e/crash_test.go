package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PostgreSQL killed under a running service is started again, and so is a
// killed service: what was answered before is answered again to the byte.
func TestCrashes(t *testing.T) {
	bin, dir := program(t), t.TempDir()
	r, _ := start(t, bin, dir)
	status, answer := r.ask(t, "before", r.Sample)
	if status != http.StatusOK {
		t.Fatalf("before: %d %s", status, answer)
	}
	kill(t, postmaster(t, dir))
	if again := r.askUntilAnswered(t, "before", r.Sample); again != answer {
		t.Errorf("after PostgreSQL was killed the answer is\n%s\nit was\n%s", again, answer)
	}
	if status, text := r.ask(t, "after", r.Sample); status != http.StatusOK {
		t.Errorf("a new question after PostgreSQL was killed: %d %s", status, text)
	}
	if status, text := r.get(t, "/queue"); status != http.StatusOK || !strings.Contains(text, "What to count") {
		t.Errorf("the page after PostgreSQL was killed: %d %.300s", status, text)
	}
	kill(t, r.process)
	_ = r.wait()

	next, stop := start(t, bin, dir)
	next.APIKey = r.APIKey // an idempotency key is its asker's
	if status, again := next.ask(t, "before", r.Sample); status != http.StatusOK || again != answer {
		t.Errorf("after the program was killed: %d %s, it was\n%s", status, again, answer)
	}
	stop()
	nothingLeft(t, dir)
}

// postmaster is the process of the private PostgreSQL.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// askUntilAnswered asks as a patient sender does.
func (r *ready) askUntilAnswered(t *testing.T, key string, body []byte) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		status, text := r.ask(t, key, body)
		if status == http.StatusOK {
			return text
		}
		if status < http.StatusInternalServerError {
			t.Fatalf("while PostgreSQL was away: %d %s", status, text)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-tick.C:
		}
	}
}
