package audit

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// ParseEntry reads a body. Only what [Entry.Body] writes is accepted, to the
// byte, with no name twice.
func ParseEntry(body []byte) (Entry, error) {
	p := parsers.Get().(*parser)
	defer parsers.Put(p)
	h, err := p.parse(body)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Stream: string(h.stream), Seq: h.seq, Prev: h.prev, Event: string(h.event), Actor: string(h.actor)}
	if e.At, err = time.Parse(time.RFC3339Nano, string(h.at)); err != nil {
		return Entry{}, err
	}
	for _, f := range p.facts {
		e.Facts = append(e.Facts, Fact{string(f.name), string(f.value)})
	}
	return e, nil
}

// parser reads canonical JSON of one shape, which is several times quicker than
// reading any JSON and writing it anew to compare. What it reads are parts of the
// body, where that has no escapes.
type parser struct {
	rest  []byte
	facts []rawFact
	room  [16]rawFact // for most entries
}

type rawFact struct{ name, value []byte }

var parsers = sync.Pool{New: func() any { return new(parser) }}

// head is what every entry has beside its facts.
type head struct {
	stream, at, event, actor []byte
	seq                      int
	prev                     Hash
}

var errNotCanonical = errors.New("it is not in canonical form")

func (p *parser) parse(body []byte) (head, error) {
	p.rest, p.facts = body, p.room[:0]
	h, err := p.entry()
	if err != nil {
		return head{}, fmt.Errorf("audit entry, byte %d: %w", len(body)-len(p.rest), err)
	}
	return h, nil
}

func (p *parser) entry() (h head, err error) {
	var seq, prev []byte
	for _, f := range [...]struct {
		before string
		value  *[]byte
	}{
		{`{"v":1,"stream":`, &h.stream},
		{`,"seq":`, &seq},
		{`,"prev":`, &prev},
		{`,"at":`, &h.at},
		{`,"event":`, &h.event},
		{`,"actor":`, &h.actor},
	} {
		if *f.value, err = p.after(f.before); err != nil {
			return h, err
		}
		if len(*f.value) == 0 {
			return h, errors.New("it is empty")
		}
	}
	if h.seq, err = strconv.Atoi(string(seq)); err != nil || seq[0] < '1' || seq[0] > '9' {
		return h, fmt.Errorf("seq %q is not a number from 1", string(seq))
	}
	if !readHash(&h.prev, prev) {
		return h, fmt.Errorf("prev %q is not a hash", string(prev))
	}
	if !isTime(h.at) {
		return h, fmt.Errorf("at %q is not a time in UTC", string(h.at))
	}
	return h, p.readFacts()
}

func (p *parser) readFacts() (err error) {
	if !p.skip(`,"facts":{`) {
		return errNotCanonical
	}
	for string(p.rest) != "}}" {
		before := ""
		if len(p.facts) > 0 {
			before = ","
		}
		var f rawFact
		if f.name, err = p.after(before); err != nil {
			return err
		}
		if f.value, err = p.after(":"); err != nil {
			return err
		}
		for i := range p.facts {
			if bytes.Equal(p.facts[i].name, f.name) {
				return fmt.Errorf("fact %q is there twice", string(f.name))
			}
		}
		p.facts = append(p.facts, f)
	}
	p.rest = nil
	return nil
}

func (p *parser) skip(text string) bool {
	if len(p.rest) < len(text) || string(p.rest[:len(text)]) != text {
		return false
	}
	p.rest = p.rest[len(text):]
	return true
}

// plain are the letters that stand for themselves in a quoted text.
var plain = func() (is [256]bool) {
	for c := ' '; c <= '~'; c++ {
		is[c] = c != '"' && c != '\\'
	}
	return is
}()

// after reads the string that follows on a text.
func (p *parser) after(text string) ([]byte, error) {
	if !p.skip(text) || len(p.rest) == 0 || p.rest[0] != '"' {
		return nil, errNotCanonical
	}
	end := 1
	for end < len(p.rest) && plain[p.rest[end]] {
		end++
	}
	switch {
	case end == len(p.rest):
		return nil, errNotCanonical
	case p.rest[end] != '"':
		return p.unquote()
	}
	value := p.rest[1:end]
	p.rest = p.rest[end+1:]
	return value, nil
}

// unquote reads a string with escapes or letters beyond ASCII.
func (p *parser) unquote() ([]byte, error) {
	end := 1
	for end < len(p.rest) && p.rest[end] != '"' {
		if p.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.rest) {
		return nil, errNotCanonical
	}
	quoted := p.rest[:end+1]
	value, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return nil, err
	}
	if again, err := jsontext.AppendQuote(nil, value); err != nil || !bytes.Equal(again, quoted) {
		return nil, errNotCanonical
	}
	p.rest = p.rest[end+1:]
	return value, nil
}

// nibbles are the values of lower-case hexadecimal digits, more than 15 for what is none.
var nibbles = func() (of [256]byte) {
	for c := range of {
		of[c] = byte(min(16, bytes.IndexByte([]byte("0123456789abcdef"), byte(c))))
	}
	return of
}()

// readHash reads lower-case hexadecimal digits.
func readHash(h *Hash, digits []byte) bool {
	if len(digits) != 2*len(h) {
		return false
	}
	wrong := byte(0)
	for i := range h {
		high, low := nibbles[digits[2*i]], nibbles[digits[2*i+1]]
		h[i] = high<<4 | low&15
		wrong |= high | low
	}
	return wrong < 16
}

// isTime reports whether the text is as a time in UTC is written.
func isTime(text []byte) bool {
	if usualTime(text) {
		return true
	}
	at, err := time.Parse(time.RFC3339Nano, string(text))
	return err == nil && at.UTC().Format(time.RFC3339Nano) == string(text)
}

// usualTime knows most times without reading them: the days that every month has.
func usualTime(text []byte) bool {
	const shape = "0000-00-00T00:00:00"
	n := len(text) - 1
	if n < len(shape) || text[n] != 'Z' {
		return false
	}
	for i := range len(shape) {
		if shape[i] == '0' && text[i]-'0' > 9 || shape[i] != '0' && text[i] != shape[i] {
			return false
		}
	}
	if n > len(shape) {
		if fraction := text[len(shape)+1 : n]; text[len(shape)] != '.' || len(fraction) == 0 || len(fraction) > 9 || fraction[len(fraction)-1] == '0' {
			return false
		}
		for _, c := range text[len(shape)+1 : n] {
			if c-'0' > 9 {
				return false
			}
		}
	}
	two := func(i int) byte { return (text[i]-'0')*10 + text[i+1] - '0' }
	month, day := two(5), two(8)
	return month >= 1 && month <= 12 && day >= 1 && day <= 28 && two(11) < 24 && two(14) < 60 && two(17) < 60
}
