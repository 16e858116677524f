package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// Limits of a delivery.
const (
	Timeout   = 10 * time.Second // of one attempt, answer included
	MaxAnswer = 64 << 10         // bytes of an answer that are read
	MaxDetail = 1 << 10          // bytes of what is said of it
)

// Message is one operation on its way to a target.
type Message struct {
	URL     string
	Key     string // names the operation: webhook-id and idempotency key of every attempt
	Body    []byte
	Secrets [][]byte // every one in force
	Private bool     // the target may have a private address, and speak http
}

// Client sends messages. It follows no redirect, uses no proxy, reads no more
// than it must and sends nothing twice by itself.
type Client struct {
	timeout         time.Duration
	public, private *http.Client
}

// NewClient returns a client that gives an attempt so much time.
func NewClient(timeout time.Duration) *Client {
	return &Client{timeout: timeout, public: newHTTP(false), private: newHTTP(true)}
}

func newHTTP(private bool) *http.Client {
	only1 := new(http.Protocols)
	only1.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer(private).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			MaxResponseHeaderBytes: 32 << 10,
			Protocols:              only1,
			// A request on a kept connection that breaks is sent again by net/http,
			// all the more when it has an idempotency key. Attempts are counted here.
			DisableKeepAlives:  true,
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Deliver makes one attempt at an instant and says what came of it.
func (c *Client) Deliver(ctx context.Context, m *Message, at time.Time) Answer {
	a := c.deliver(ctx, m, at)
	a.Detail = plain(a.Detail)
	return a
}

func (c *Client) deliver(ctx context.Context, m *Message, at time.Time) Answer {
	r, sent, err := c.do(ctx, http.MethodPost, m.URL, m, at)
	switch {
	case errors.Is(err, ErrAddress):
		return Answer{Outcome: Refused, Detail: err.Error()}
	case err != nil && !sent:
		return Answer{Outcome: Retry, Detail: "not sent: " + err.Error()}
	case r.status == 0:
		return Answer{Outcome: Unknown, Detail: "sent, without an answer: " + err.Error()}
	}
	a := classify(&r, err, at)
	a.Status, a.Body = r.status, r.body
	return a
}

// Ask asks a target whether it applied the message: the URL with the key as
// parameter idempotency_key answers {"applied": true} or {"applied": false}. An
// error means that it did not say.
func (c *Client) Ask(ctx context.Context, m *Message, at time.Time) (applied bool, err error) {
	if applied, err = c.ask(ctx, m, at); err != nil {
		return false, errors.New(plain(err.Error()))
	}
	return applied, nil
}

func (c *Client) ask(ctx context.Context, m *Message, at time.Time) (applied bool, err error) {
	u, err := url.Parse(m.URL)
	if err != nil {
		return false, err
	}
	q := u.Query()
	q.Set("idempotency_key", m.Key)
	u.RawQuery = q.Encode()
	question := *m
	question.Body = nil
	r, _, err := c.do(ctx, http.MethodGet, u.String(), &question, at)
	if err != nil {
		return false, err
	}
	var says struct {
		Applied *bool `json:"applied"`
	}
	if r.status != http.StatusOK || json.Unmarshal(r.body, &says) != nil || says.Applied == nil {
		return false, fmt.Errorf("%s answered %s to the question, not {\"applied\": …}", u.Host, r.text)
	}
	return *says.Applied, nil
}

// reply is an answer whose body was read.
type reply struct {
	status int    // 0 for none
	text   string // such as "404 Not Found"
	header http.Header
	body   []byte
}

// do sends one request and reads the answer up to the limit. sent says whether
// the target may have got the request. With an answer, err is what went wrong
// while its body was read.
func (c *Client) do(ctx context.Context, method, to string, m *Message, at time.Time) (r reply, sent bool, err error) {
	if err := CheckURL(to, m.Private); err != nil {
		return r, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connected atomic.Bool // with TLS agreed on
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(m.Body))
	if err != nil {
		return r, false, err
	}
	req.GetBody = nil
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "tallyman")
	h.Set(HeaderKey, m.Key)
	h.Set(HeaderID, m.Key)
	h.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(HeaderSignature, Sign(m.Key, at, m.Body, m.Secrets...))
	client := c.public
	if m.Private {
		client = c.private
	}
	res, err := client.Do(req)
	if err != nil {
		return r, connected.Load(), err
	}
	defer func() { _ = res.Body.Close() }()
	r = reply{status: res.StatusCode, text: res.Status, header: res.Header}
	r.body, err = io.ReadAll(io.LimitReader(res.Body, MaxAnswer+1))
	if len(r.body) > MaxAnswer {
		r.body, err = r.body[:MaxAnswer], fmt.Errorf("the answer has more than %d bytes", MaxAnswer)
	}
	return r, true, err
}
