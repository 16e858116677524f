package llmtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Cassette replays recorded traffic: one file a request in Dir, named after the
// hash of method, path and body. With a Record transport it asks the real server
// instead and writes the files; without, a request that was never recorded gets
// status 404 and the code never_recorded. No request header is kept, and a reply that
// holds Secret is not written. A client that replays must be seeded as the one
// that recorded, or its requests differ.
type Cassette struct {
	Dir    string
	Record http.RoundTripper // nil replays
	Secret string            // the API key, when recording
}

type take struct {
	Request     json.RawMessage `json:"request"`
	Status      int             `json:"status"`
	ContentType string          `json:"content_type"`
	RetryAfter  string          `json:"retry_after,omitempty"`
	Body        string          `json:"body"`
}

// RoundTrip replays or records one request.
func (c Cassette) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("cassette: %w", err)
	}
	_ = r.Body.Close()
	sum := sha256.Sum256([]byte(r.Method + " " + r.URL.Path + "\n" + string(body)))
	file := filepath.Join(c.Dir, hex.EncodeToString(sum[:8])+".json")
	if c.Record == nil {
		return replay(file, r)
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := c.Record.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("cassette: %w", err)
	}
	if err := c.write(file, take{
		Request: body, Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"),
		RetryAfter: resp.Header.Get("Retry-After"), Body: string(reply),
	}); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(reply))
	return resp, nil
}

func (c Cassette) write(file string, t take) error {
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("cassette: %w", err)
	}
	if c.Secret != "" && strings.Contains(string(text), c.Secret) {
		return fmt.Errorf("cassette: the key is in the traffic; nothing was written")
	}
	return os.WriteFile(file, text, 0o600)
}

func replay(file string, r *http.Request) (*http.Response, error) {
	text, err := os.ReadFile(file)
	t := take{Status: http.StatusNotFound, ContentType: "application/json", Body: `{"error":{"code":"never_recorded"}}`}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = []byte("{}")
	case err != nil:
		return nil, fmt.Errorf("cassette: %w", err)
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("cassette %s: %w", file, err)
	}
	header := http.Header{"Content-Type": {t.ContentType}}
	if t.RetryAfter != "" {
		header.Set("Retry-After", t.RetryAfter)
	}
	return &http.Response{
		StatusCode: t.Status, Status: http.StatusText(t.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(t.Body)), Request: r,
	}, nil
}
