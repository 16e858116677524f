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

// makeAuditKey makes a key for a new log. Where another process is quicker, its
// key stays.
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
	err = writeKeys(file, secret+"\n", os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// writeKeys puts secrets in a file whole or not at all.
func writeKeys(file, secrets string, put func(from, to string) error) error {
	part, err := os.CreateTemp(filepath.Dir(file), ".audit.key-*") // which others cannot read
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part.Name()) }()
	_, err = io.WriteString(part, secrets)
	if err = errors.Join(err, part.Sync(), part.Close()); err != nil {
		return err
	}
	return put(part.Name(), file)
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

type auditKeyCmd struct {
	Show auditKeyShowCmd `cmd:"" help:"Print the verifier keys, for auditors to keep."`
	Add  auditKeyAddCmd  `cmd:"" help:"Begin to replace the key: a new one beside it."`
	Drop auditKeyDropCmd `cmd:"" help:"End it: take the older key away."`
}

// keyPlace says where the key is.
type keyPlace struct {
	Dir      string `env:"TALLYMAN_DIR" default:".data" placeholder:"DIR" help:"Folder of the key (.data)."`
	AuditKey string `env:"TALLYMAN_AUDIT_KEY" placeholder:"FILE" help:"File with the secret key (audit.key in --dir)."`
}

func (p *keyPlace) file() string { return (&auditSettings{AuditKey: p.AuditKey}).keyFile(p.Dir) }

type auditKeyShowCmd struct{ keyPlace }

// Run prints the keys.
func (c *auditKeyShowCmd) Run() error {
	signer, err := readAuditKey(c.file(), false)
	if err != nil {
		return err
	}
	for _, k := range signer.Public() {
		fmt.Fprintln(os.Stdout, k)
	}
	return nil
}

type auditKeyAddCmd struct{ keyPlace }

// Help explains the command at length.
func (*auditKeyAddCmd) Help() string {
	return `Makes a new key beside the one there is. Start every process again: checkpoints are then
signed by both and name both, so that the old key vouches for the new one. When such a
checkpoint has been anchored, "tallyman audit key drop" takes the old one away.`
}

// Run adds a key.
func (c *auditKeyAddCmd) Run() error {
	signer, err := readAuditKey(c.file(), false)
	if err != nil {
		return err
	}
	secret, public, err := audit.NewKey(rand.Reader, signer.Origin())
	if err != nil {
		return err
	}
	secrets, err := os.ReadFile(c.file())
	if err != nil {
		return err
	}
	if err := writeKeys(c.file(), strings.TrimSpace(string(secrets))+"\n"+secret+"\n", os.Rename); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, public)
	return nil
}

type auditKeyDropCmd struct{ keyPlace }

// Run takes the oldest key away.
func (c *auditKeyDropCmd) Run() error {
	signer, err := readAuditKey(c.file(), false)
	if err != nil {
		return err
	}
	if len(signer.Public()) < 2 {
		return errors.New("there is one key only: \"tallyman audit key add\" first, and anchor a checkpoint that both signed")
	}
	secrets, err := os.ReadFile(c.file())
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(strings.TrimSpace(string(secrets)), "\n")
	return writeKeys(c.file(), rest+"\n", os.Rename)
}
