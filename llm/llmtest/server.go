// Package llmtest is an OpenAI-compatible server for tests: one that obeys, and
// one that misbehaves in every way a client must survive. It also records and
// replays the traffic of real servers. It is used by tests only.
package llmtest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Request is what the server understands of a chat completion request.
type Request struct {
	Path   string
	Header http.Header
	Body   []byte

	Model    string
	Messages []struct{ Role, Content string }

	ResponseFormat struct {
		Type       string
		JSONSchema struct {
			Strict bool
			Schema struct {
				Properties map[string]struct{ Enum []string }
			}
		} `json:"json_schema"`
	} `json:"response_format"`

	Temperature         *float64
	Seed                *int
	LogProbs            bool
	MaxTokens           int `json:"max_tokens"`
	MaxCompletionTokens int `json:"max_completion_tokens"`
}

// Text is the text that the request asks about, or nothing.
func (r Request) Text() string {
	for _, message := range slices.Backward(r.Messages) {
		for line := range strings.Lines(message.Content) {
			var data struct{ Text string }
			if json.Unmarshal([]byte(line), &data) == nil && data.Text != "" {
				return data.Text
			}
		}
	}
	return ""
}

// Codes are the codes that the request offers.
func (r Request) Codes() (codes []string) {
	for _, message := range r.Messages {
		for line := range strings.Lines(message.Content) {
			var offered struct{ Codes []struct{ Code string } }
			if json.Unmarshal([]byte(line), &offered) == nil {
				for _, choice := range offered.Codes {
					codes = append(codes, choice.Code)
				}
			}
		}
	}
	return codes
}

// Reply writes one reply. It may be as wrong as it likes.
type Reply func(http.ResponseWriter, *http.Request, Request)

// Server replies by a script.
type Server struct {
	URL string // base URL, with /v1

	http   *httptest.Server
	pipe   *pipe
	mu     sync.Mutex
	script []Reply
	seen   []Request
}

// New starts a server on a local port. It plays the script, one reply a request,
// and repeats the last one for ever.
func New(tb testing.TB, script ...Reply) *Server {
	tb.Helper()
	s := &Server{script: script}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL + "/v1"
	tb.Cleanup(s.http.Close)
	return s
}

// InMemory starts a server without a socket, for use inside a synctest bubble,
// where waiting costs nothing. Its client needs [Server.Transport].
func InMemory(tb testing.TB, script ...Reply) *Server {
	tb.Helper()
	s := &Server{script: script, pipe: &pipe{conns: make(chan net.Conn), closed: make(chan struct{})}}
	s.http = &httptest.Server{Listener: s.pipe, Config: &http.Server{Handler: s}} //nolint:gosec // tests
	s.http.Start()
	s.URL = "http://llm.test/v1"
	tb.Cleanup(s.http.Close)
	return s
}

// Transport reaches a server made by [InMemory].
func (s *Server) Transport() http.RoundTripper {
	return &http.Transport{DisableKeepAlives: true, DialContext: s.pipe.dial}
}

// Play replaces what is left of the script.
func (s *Server) Play(script ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Requests are the requests seen so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	req := Request{Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body}
	if json.Unmarshal(body, &req) != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.seen = append(s.seen, req)
	reply := s.script[0]
	if len(s.script) > 1 {
		s.script = s.script[1:]
	}
	s.mu.Unlock()
	reply(w, r, req)
}

// pipe is a listener whose connections are pairs of buffers in memory.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "llm.test", Net: "pipe"} }
