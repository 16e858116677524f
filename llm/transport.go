package llm

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxBody is the longest reply that is read, whatever its status.
const maxBody = 256 << 10

// transport takes no proxy from the environment, and no connection outlives its
// request: a saved handshake is not worth net/http logging what a server sends
// after its reply.
func transport() *http.Transport {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
		TLSHandshakeTimeout:    3 * time.Second,
		MaxResponseHeaderBytes: 32 << 10,
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
	}
}

// doer lets only whole, bounded JSON documents of status 200 through to go-openai,
// which by itself reads without limit, takes a redirect for a success and an
// error inside a 200 for an empty completion.
type doer struct {
	client http.Client
	now    func() time.Time
	key    string
}

func newDoer(through http.RoundTripper, now func() time.Time, key string) *doer {
	return &doer{
		client: http.Client{
			Transport:     through,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		now: now, key: key,
	}
}

// Do returns a response whose body is in memory, or an [*Error].
func (d *doer) Do(req *http.Request) (*http.Response, error) {
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, broken(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if resp.StatusCode != http.StatusOK {
		return nil, d.failure(resp, body)
	}
	switch {
	case err != nil:
		return nil, broken(err)
	case len(body) > maxBody:
		return nil, &Error{Reason: ReasonTooLarge, Status: resp.StatusCode, Detail: "the reply is longer than 256 KiB"}
	case !isJSON(resp.Header.Get("Content-Type")):
		return nil, &Error{Reason: ReasonNotACompletion, Status: resp.StatusCode, Detail: "the reply does not call itself JSON"}
	case !utf8.Valid(body):
		return nil, &Error{Reason: ReasonNotACompletion, Status: resp.StatusCode, Detail: "the reply is not UTF-8"}
	}
	if code, is := d.errorCode(body); is {
		return nil, &Error{Reason: ReasonErrorInOK, Status: resp.StatusCode, Code: code}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
}

// failure names a status that is not 200.
func (d *doer) failure(resp *http.Response, body []byte) *Error {
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), d.now())}
	e.Code, _ = d.errorCode(body)
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests:
		e.Reason, e.again = ReasonRateLimited, e.Code != "insufficient_quota"
	case status >= 500:
		e.Reason, e.again = ReasonServer, true
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		e.Reason = ReasonAuth
	case status == http.StatusNotFound:
		e.Reason = ReasonNotFound
	case status >= 400:
		e.Reason = ReasonRejected
		e.again = status == http.StatusRequestTimeout || status == http.StatusConflict
	case status >= 300:
		e.Reason, e.Detail = ReasonRedirect, "redirects are not followed: set the address it leads to"
	default:
		e.Reason = ReasonNotACompletion
	}
	return e
}

var plainCode = regexp.MustCompile(`^[a-z][a-z_]{1,39}$`)

// errorCode finds a provider's error in a body, and its code if that is a plain
// word: messages are never passed on, since some repeat the key.
func (d *doer) errorCode(body []byte) (code string, is bool) {
	var reply struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &reply) != nil || len(reply.Error) == 0 || string(reply.Error) == "null" {
		return "", false
	}
	var inner struct {
		Code any    `json:"code"`
		Type string `json:"type"`
	}
	if json.Unmarshal(reply.Error, &inner) != nil {
		return "", true
	}
	for _, word := range []any{inner.Code, inner.Type} {
		s, ok := word.(string)
		if ok && plainCode.MatchString(s) && (d.key == "" || !strings.Contains(s, d.key)) {
			return s, true
		}
	}
	return "", true
}

// retryAfter reads seconds or an HTTP date; it is 0 for anything else.
func retryAfter(value string, now time.Time) time.Duration {
	const longest = 24 * time.Hour
	if seconds, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
		return time.Duration(min(max(seconds, 0), int(longest.Seconds()))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), longest)
	}
	return 0
}

// broken describes a connection that failed, leaving out what the other side
// sent: net/http quotes it in some of its errors.
func broken(err error) *Error {
	e := &Error{Reason: ReasonNetwork, Detail: "the connection broke before the whole reply was there", again: true}
	var (
		operation   *net.OpError
		certificate *tls.CertificateVerificationError
		address     *url.Error
	)
	switch {
	case errors.As(err, &certificate):
		e.Detail, e.again, e.unsent = certificate.Error(), false, true
	case errors.As(err, &operation):
		e.Detail, e.unsent = operation.Error(), operation.Op == "dial"
	case errors.As(err, &address) && address.Timeout():
		e.Detail = "the connection timed out"
	}
	return e
}
