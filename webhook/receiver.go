package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults are the ways in which a [Receiver] can be told to fail. Those that end
// in "-after-apply" fail when the effect is there already.
var Faults = []string{
	"500", "500-after-apply", "timeout", "timeout-after-apply", "reset", "reset-after-apply",
	"slow-after-apply", "big-body-after-apply", "200-error-body", "200-html", "401", "409", "429", "503", "redirect",
}

// Fault is one of [Faults], for the next messages or for some of them.
type Fault struct {
	Mode   string
	Left   int     // how many more messages it meets; below zero for all
	Chance float64 // that it meets one
}

// ParseFault reads "503" (always), "503:0.2" (one message in five) or "503:x3"
// (the next three).
func ParseFault(text string) (Fault, error) {
	f := Fault{Left: -1, Chance: 1}
	mode, how, limited := strings.Cut(text, ":")
	f.Mode = mode
	var err error
	if n, counted := strings.CutPrefix(how, "x"); counted {
		f.Left, err = strconv.Atoi(n)
	} else if limited {
		f.Chance, err = strconv.ParseFloat(how, 64)
	}
	for _, known := range Faults {
		if mode == known && err == nil && f.Chance > 0 && f.Chance <= 1 {
			return f, nil
		}
	}
	return Fault{}, fmt.Errorf("%q is not one of %s, alone or with :0.2 (one in five) or :x3 (the next three)", text, strings.Join(Faults, ", "))
}

// Effect is one line of a receiver's journal: an operation that it carried out.
type Effect struct {
	Key    string          `json:"key"`
	SHA256 string          `json:"sha256"` // of the body, hex
	Body   json.RawMessage `json:"body"`
}

// Receiver is a small target: it verifies, carries out every key once, and
// answers which keys it knows. It is what demonstrations and tests send to, and
// shows those who write a target what one must do.
type Receiver struct {
	Secrets  [][]byte                // any of them may have signed; none to verify nothing
	Now      func() time.Time        // for the age of signatures
	Journal  func(line []byte) error // keeps an effect durably before it is confirmed
	Careless bool                    // carries out again what it carried out before
	Random   *rand.Rand              // for faults that meet some messages

	mu     sync.Mutex
	done   map[string]bool
	faults []Fault
}

// Restore reads a journal, so that keys are known over restarts. A last line
// that a crash cut off is no effect: the journal is good for so many bytes.
func (r *Receiver) Restore(journal io.Reader) (good int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = map[string]bool{}
	for d := json.NewDecoder(journal); ; {
		var e Effect
		err := d.Decode(&e)
		switch {
		case err == nil:
			r.done[e.Key], good = true, d.InputOffset()
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return good, nil
		default:
			return good, fmt.Errorf("journal: %w", err)
		}
	}
}

// Fail sets how the next messages fail.
func (r *Receiver) Fail(faults ...Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = faults
}

// ServeHTTP takes messages by POST and questions by GET.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		say(w, http.StatusRequestEntityTooLarge, map[string]any{"error": "too large"})
		return
	}
	h := req.Header
	if len(r.Secrets) > 0 {
		if err := Verify(h.Get(HeaderID), h.Get(HeaderTimestamp), h.Get(HeaderSignature), body, r.Now(), r.Secrets...); err != nil {
			say(w, http.StatusUnauthorized, map[string]any{"error": err.Error()})
			return
		}
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		r.mu.Lock()
		done := r.done[req.URL.Query().Get("idempotency_key")]
		r.mu.Unlock()
		say(w, http.StatusOK, map[string]any{"applied": done})
	case http.MethodPost:
		key := h.Get(HeaderKey)
		if key == "" {
			say(w, http.StatusBadRequest, map[string]any{"error": "no idempotency-key"})
			return
		}
		r.receive(w, req, key, body)
	default:
		say(w, http.StatusMethodNotAllowed, map[string]any{"error": "POST a message, or GET ?idempotency_key="})
	}
}

func (r *Receiver) receive(w http.ResponseWriter, req *http.Request, key string, body []byte) {
	fault := r.nextFault()
	mode, after := strings.CutSuffix(fault, "-after-apply")
	if fault == "" || after {
		if err := r.apply(key, body); err != nil {
			say(w, http.StatusInternalServerError, map[string]any{"error": err.Error()})
			return
		}
	}
	misbehave(w, req, mode)
}

// nextFault draws how the message at hand fails, "" when it does not.
func (r *Receiver) nextFault() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.faults {
		f := &r.faults[i]
		if f.Left == 0 || f.Chance < 1 && r.Random.Float64() >= f.Chance {
			continue
		}
		f.Left--
		return f.Mode
	}
	return ""
}

// apply carries a message out, once for each key.
func (r *Receiver) apply(key string, body []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done[key] && !r.Careless {
		return nil
	}
	sum := sha256.Sum256(body)
	line, err := json.Marshal(Effect{Key: key, SHA256: hex.EncodeToString(sum[:]), Body: body})
	if err != nil {
		return err
	}
	if err := r.Journal(line); err != nil {
		return err
	}
	if r.done == nil {
		r.done = map[string]bool{}
	}
	r.done[key] = true
	return nil
}

func misbehave(w http.ResponseWriter, req *http.Request, mode string) {
	switch mode {
	case "":
		say(w, http.StatusOK, map[string]any{"applied": true})
	case "timeout":
		<-req.Context().Done()
	case "slow":
		w.WriteHeader(http.StatusOK)
		for req.Context().Err() == nil { // as slowly as the caller's patience
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-req.Context().Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	case "reset":
		panic(http.ErrAbortHandler) // net/http closes the connection
	case "big-body":
		w.WriteHeader(http.StatusOK)
		for block := make([]byte, 1<<20); req.Context().Err() == nil; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	case "200-error-body":
		say(w, http.StatusOK, map[string]any{"error": "the item is locked"})
	case "200-html":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<h1>Please sign in</h1>")
	case "redirect":
		http.Redirect(w, req, "/elsewhere", http.StatusTemporaryRedirect)
	default:
		status, _ := strconv.Atoi(mode)
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		say(w, status, map[string]any{"error": http.StatusText(status)})
	}
}

func say(w http.ResponseWriter, status int, what map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what)
}
