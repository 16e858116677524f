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

// crashes has PostgreSQL killed under a running service, which starts it again, and
// then the service: what was answered before is answered again to the byte.
func crashes(t *testing.T, bin, dir string) {
	t.Helper()
	r, _ := start(t, bin, dir)
	status, answer := r.ask(t, "before", r.Sample)
	if status != http.StatusOK {
		t.Fatalf("before: %d %s", status, answer)
	}
	kill(t, postmaster(t, dir))
	if again := untilAnswered(t, func() (int, string) { return r.ask(t, "before", r.Sample) }); again != answer {
		t.Errorf("after PostgreSQL was killed the answer is\n%s\nit was\n%s", again, answer)
	}
	untilAnswered(t, func() (int, string) { return r.ask(t, "after", r.Sample) })
	page := untilAnswered(t, func() (int, string) { return r.get(t, "/queue") })
	if !strings.Contains(page, "What to count") {
		t.Errorf("the page after PostgreSQL was killed: %.300s", page)
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

// untilAnswered asks as a patient sender does: each connection that the program
// kept open to the killed server may cost one answer.
func untilAnswered(t *testing.T, ask func() (int, string)) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		status, text := ask()
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
