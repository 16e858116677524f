package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tallyman/audit"
	"tallyman/jobs"
	"tallyman/store"
)

// auditSettings say who signs the audit log and who else keeps its checkpoints.
type auditSettings struct {
	AuditKey    string   `env:"TALLYMAN_AUDIT_KEY" placeholder:"FILE" help:"File with the secret key that signs the audit log (audit.key in --dir, made when absent). All processes on one database need the same."`
	AuditAnchor []string `env:"TALLYMAN_AUDIT_ANCHOR" placeholder:"PLACE" help:"Who else keeps signed checkpoints: a file to append to, or an http(s) URL to post to (audit-anchors.jsonl in --dir)."`
}

// keep has the audit log sequenced, signed and anchored until stop.
func (s *auditSettings) keep(ctx context.Context, db *store.DB, dir string, log *slog.Logger) (stop func(), err error) {
	signer, err := readAuditKey(s.keyFile(dir), true)
	if err != nil {
		return nil, err
	}
	confined, err := db.Confined(ctx)
	if err != nil {
		return nil, err
	}
	if !confined {
		log.Warn("the database account of this program can take back the rights that protect the audit log; \"tallyman migrate --help\" says how to keep them apart")
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		jobs.Audit(ctx, db, signer, s.anchors(dir), log)
	}()
	return func() { cancel(); <-done }, nil
}

func (s *auditSettings) keyFile(dir string) string {
	if s.AuditKey != "" {
		return s.AuditKey
	}
	return filepath.Join(dir, "audit.key")
}

// readAuditKey reads the keys of a file, and makes one where there is none and
// it may.
func readAuditKey(file string, create bool) (*audit.Signer, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) && create {
		if err := makeAuditKey(file); err != nil {
			return nil, fmt.Errorf("audit key: %w", err)
		}
		info, err = os.Stat(file)
	}
	if err != nil {
		return nil, fmt.Errorf("audit key: %w", err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("audit key %s can be read by others: chmod 600 %s, and think about replacing it", file, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("audit key: %w", err)
	}
	signer, err := audit.NewSigner(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return signer, nil
}

// makeAuditKey makes a key for a new log, whole or not at all. Where another
// process is quicker, its key stays.
func makeAuditKey(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	name := make([]byte, 8)
	if _, err := rand.Read(name); err != nil {
		return err
	}
	secret, _, err := audit.NewKey(rand.Reader, "tallyman/"+hex.EncodeToString(name))
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(file), ".audit.key-*") // which others cannot read
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part.Name()) }()
	_, err = io.WriteString(part, secret+"\n")
	if err = errors.Join(err, part.Sync(), part.Close()); err != nil {
		return err
	}
	if err := os.Link(part.Name(), file); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (s *auditSettings) anchors(dir string) []jobs.Anchor {
	places := s.AuditAnchor
	if len(places) == 0 {
		places = []string{filepath.Join(dir, "audit-anchors.jsonl")}
	}
	anchors := make([]jobs.Anchor, len(places))
	for i, place := range places {
		put := appendAnchor
		if strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://") {
			put = postAnchor
		}
		anchors[i] = jobs.Anchor{Name: place, Put: func(ctx context.Context, note []byte) error { return put(ctx, place, note) }}
	}
	return anchors
}

func appendAnchor(_ context.Context, file string, note []byte) error {
	line, err := audit.FormatAnchor(note)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	return errors.Join(err, f.Sync(), f.Close())
}

// anchorClient goes where it was told to and nowhere else.
var anchorClient = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func postAnchor(ctx context.Context, url string, note []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(note))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	response, err := anchorClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}
