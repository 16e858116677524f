package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// printed runs a command line as main does and returns its output and status.
func printed(t *testing.T, args ...string) (string, int) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = out
	err = run(t.Context(), args)
	os.Stdout = stdout
	text, _ := os.ReadFile(out.Name())
	_ = out.Close()
	if err != nil {
		return string(text) + err.Error(), statusOf(err)
	}
	return string(text), 0
}

func TestAuditOnTheCommandLine(t *testing.T) {
	dsn, dir := storetest.DSN(t), t.TempDir()
	t.Setenv("DATABASE_URL", dsn)
	t.Setenv("TALLYMAN_DIR", dir)
	db := storetest.Open(t, dsn)
	s, err := db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: "T-1", Team: "receiving"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
	}, store.Source{})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(status int, says string, args ...string) string {
		t.Helper()
		text, got := printed(t, args...)
		if got != status || !strings.Contains(text, says) {
			t.Errorf("%s: status %d, want %d with %q:\n%s", strings.Join(args, " "), got, status, says, text)
		}
		return text
	}
	expect(2, "no --key is given", "audit", "verify")
	settings := auditSettings{AuditAnchor: []string{filepath.Join(dir, "anchors"), receiver(t)}}
	stop, err := settings.keep(t.Context(), db, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	awaitAnchors(t, dsn, 2)
	stop()
	key := strings.TrimSpace(expect(0, "tallyman/", "audit", "key", "show"))
	anchors, bundle, whole := filepath.Join(dir, "anchors"), filepath.Join(dir, "step.jsonl"), filepath.Join(dir, "whole.jsonl")
	expect(0, "intact: 1 entry in 1 stream, 1 checkpoint, 1 anchor", "audit", "verify", "--anchors", anchors)
	expect(0, "1 of 1 entry proved", "audit", "prove", string(s.ID))
	expect(2, "look at its id", "audit", "prove", "st_nobody")
	expect(0, "", "audit", "export", "--out", bundle, "--step", string(s.ID), "--anchors", anchors)
	expect(0, "", "audit", "export", "--out", whole)
	expect(1, "no entries", "audit", "export", "--out", bundle+"2", "--step", "st_nobody")
	t.Setenv("DATABASE_URL", "postgres://nobody@nowhere.invalid/none") // an auditor has none
	for _, file := range []string{bundle, whole} {
		expect(0, "intact: 1 entry", "audit", "verify", "--bundle", file, "--key", key, "--anchors", anchors)
		expect(2, "vouch", "audit", "verify", "--bundle", file)
		edit(t, file, "DC-1", "DC-2")
		expect(1, "tampered: index 0", "audit", "verify", "--bundle", file, "--key", key)
	}
	expect(2, "not a bundle", "audit", "verify", "--bundle", filepath.Join(dir, "audit.key"), "--key", key)
	expect(2, "could not check", "audit", "verify")
	t.Setenv("DATABASE_URL", dsn)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `set session_replication_role = replica; update audit_entry set body = 'x'`); err != nil {
		t.Fatal(err)
	}
	expect(1, "tampered: index 0", "audit", "verify")
	if err := os.Chmod(filepath.Join(dir, "audit.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	expect(2, "can be read by others", "audit", "verify")
}

// receiver takes checkpoints by HTTP.
func receiver(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note, err := io.ReadAll(r.Body)
		if _, bad := audit.ReadCheckpoint(note); err != nil || bad != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// awaitAnchors returns when the newest checkpoint is at so many places.
func awaitAnchors(t *testing.T, dsn string, places int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for there := false; !there; {
		err := conn.QueryRow(t.Context(), `
			select pg_sleep(0.02) is not null and exists (
				select from audit_checkpoint where (select count(*) from jsonb_object_keys(anchored)) = $1)`, places).Scan(&there)
		if err != nil {
			t.Fatal(err)
		}
	}
}

func edit(t *testing.T, file, old, replacement string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(text, []byte(old)) {
		t.Fatalf("%s is not in %s: %v", old, file, err)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte(old), []byte(replacement), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheAuditKeyIsMadeOnceAndKeptSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "audit.key")
	if _, err := readAuditKey(file, false); err == nil {
		t.Error("a key that is not there was read")
	}
	first, err := readAuditKey(file, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := makeAuditKey(file); err != nil {
		t.Errorf("another process was quicker: %v", err)
	}
	again, err := readAuditKey(file, true)
	if err != nil || fmt.Sprint(again.Public()) != fmt.Sprint(first.Public()) {
		t.Errorf("%v, then %v, %v", first.Public(), again.Public(), err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if text, status := printed(t, "audit", "key", "drop", "--audit-key", file); status != 1 || !strings.Contains(text, "one key only") {
		t.Errorf("the only key was dropped: %s", text)
	}
	added, status := printed(t, "audit", "key", "add", "--audit-key", file)
	both, _ := printed(t, "audit", "key", "show", "--audit-key", file)
	if status != 0 || both != first.Public()[0]+"\n"+added {
		t.Errorf("both keys: %s", both)
	}
	printed(t, "audit", "key", "drop", "--audit-key", file)
	if left, _ := printed(t, "audit", "key", "show", "--audit-key", file); left != added {
		t.Errorf("left is %s, want %s", left, added)
	}
}
