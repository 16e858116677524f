package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Outcome is what came of an attempt.
type Outcome string

// The outcomes.
const (
	Applied Outcome = "applied" // the target says that it did it
	Retry   Outcome = "retry"   // the target did not do it, and may later
	Unknown Outcome = "unknown" // it may or may not have done it
	Refused Outcome = "refused" // it will not, however often it is asked
	Paused  Outcome = "paused"  // it does not know us: nothing will pass until somebody looks
)

// Answer is an outcome with its reason.
type Answer struct {
	Outcome    Outcome
	Status     int    // 0 when no answer came
	Body       []byte // at most [MaxAnswer] bytes
	Detail     string // in words, at most [MaxDetail] bytes of printable text
	RetryAfter time.Duration
}

// plain makes text of what may be a stranger's bytes: it goes into a database, a log
// and onto terminals.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar // as what is no UTF-8 comes already
		}
		return r
	}, s)
	if len(s) > MaxDetail {
		s = strings.ToValidUTF8(s[:MaxDetail-len("…")], "") + "…"
	}
	return s
}

// classify judges an answer. Only a 2xx that does not speak of an error counts
// as applied; a server error may have come after the effect.
func classify(r *reply, broken error, at time.Time) Answer {
	status := r.status
	switch {
	case status >= 200 && status < 300 && broken != nil:
		return Answer{Outcome: Unknown, Detail: r.text + ", but " + broken.Error()}
	case status >= 200 && status < 300:
		if fault := faultIn(r.body); fault != "" {
			return Answer{Outcome: Unknown, Detail: r.text + ", but " + fault}
		}
		return Answer{Outcome: Applied, Detail: r.text}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Answer{Outcome: Paused, Detail: r.text + ": it does not accept our signature or our right"}
	case status >= 300 && status < 400:
		return Answer{Outcome: Retry, Detail: r.text + ": redirects are not followed; correct the target's URL"}
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return Answer{Outcome: Retry, Detail: r.text, RetryAfter: retryAfter(r.header.Get("Retry-After"), at)}
	case status >= 500:
		return Answer{Outcome: Unknown, Detail: r.text}
	}
	return Answer{Outcome: Refused, Detail: r.text}
}

// faultIn returns what in the body of a success says that it is none: something
// that is not a JSON object, or one with an error in it.
func faultIn(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	var says struct {
		Error   any   `json:"error"`
		Errors  []any `json:"errors"`
		Success *bool `json:"success"`
		Applied *bool `json:"applied"`
	}
	if err := json.Unmarshal(body, &says); err != nil {
		return "its body is not what a target says: " + err.Error()
	}
	no := func(b *bool) bool { return b != nil && !*b }
	if says.Error != nil || len(says.Errors) > 0 || no(says.Success) || no(says.Applied) {
		return fmt.Sprintf("its body speaks of an error: %.200s", body)
	}
	return ""
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(header string, at time.Time) time.Duration {
	if n, err := strconv.Atoi(header); err == nil {
		return time.Duration(max(0, min(n, 24*60*60))) * time.Second
	}
	if when, err := http.ParseTime(header); err == nil {
		return max(0, when.Sub(at))
	}
	return 0
}
