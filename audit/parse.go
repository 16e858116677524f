package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// ParseEntry reads a body. Only what [Entry.Body] writes is accepted, to the
// byte, with no name twice.
func ParseEntry(body []byte) (Entry, error) {
	p := parser{rest: string(body)}
	e, err := p.entry()
	if err != nil {
		return Entry{}, fmt.Errorf("audit entry, byte %d: %w", len(body)-len(p.rest), err)
	}
	return e, nil
}

// parser reads canonical JSON of one shape, which is several times quicker than
// reading any JSON and writing it anew to compare.
type parser struct{ rest string }

var errNotCanonical = errors.New("it is not in canonical form")

func (p *parser) entry() (e Entry, err error) {
	var seq, prev, at string
	for _, f := range []struct {
		before string
		value  *string
	}{
		{`{"v":1,"stream":`, &e.Stream},
		{`,"seq":`, &seq},
		{`,"prev":`, &prev},
		{`,"at":`, &at},
		{`,"event":`, &e.Event},
		{`,"actor":`, &e.Actor},
	} {
		if *f.value, err = p.after(f.before); err != nil {
			return e, err
		}
		if *f.value == "" {
			return e, errors.New("it is empty")
		}
	}
	if e.Seq, err = strconv.Atoi(seq); err != nil || e.Seq < 1 || strconv.Itoa(e.Seq) != seq {
		return e, fmt.Errorf("seq %q is not a number from 1", seq)
	}
	if n, err := hex.Decode(e.Prev[:], []byte(prev[:min(len(prev), 2*len(e.Prev))])); err != nil || n != len(e.Prev) || hex.EncodeToString(e.Prev[:]) != prev {
		return e, fmt.Errorf("prev %q is not a hash", prev)
	}
	if e.At, err = time.Parse(time.RFC3339Nano, at); err != nil || e.At.UTC().Format(time.RFC3339Nano) != at {
		return e, fmt.Errorf("at %q is not a time in UTC", at)
	}
	e.Facts, err = p.facts()
	return e, err
}

func (p *parser) facts() (facts []Fact, err error) {
	if !p.skip(`,"facts":{`) {
		return nil, errNotCanonical
	}
	for p.rest != "}}" {
		before := ""
		if len(facts) > 0 {
			before = ","
		}
		var f Fact
		if f.Name, err = p.after(before); err != nil {
			return nil, err
		}
		if f.Value, err = p.after(":"); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(facts, func(other Fact) bool { return other.Name == f.Name }) {
			return nil, fmt.Errorf("fact %q is there twice", f.Name)
		}
		facts = append(facts, f)
	}
	p.rest = ""
	return facts, nil
}

func (p *parser) skip(text string) (found bool) {
	p.rest, found = strings.CutPrefix(p.rest, text)
	return found
}

// after reads the string that follows on a text.
func (p *parser) after(text string) (string, error) {
	if !p.skip(text) || p.rest == "" || p.rest[0] != '"' {
		return "", errNotCanonical
	}
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			value := p.rest[1:i]
			p.rest = p.rest[i+1:]
			return value, nil
		case c == '\\' || c < ' ' || c > '~':
			return p.unquote()
		}
	}
	return "", errNotCanonical
}

// unquote reads a string with escapes or letters beyond ASCII.
func (p *parser) unquote() (string, error) {
	end := 1
	for end < len(p.rest) && p.rest[end] != '"' {
		if p.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.rest) {
		return "", errNotCanonical
	}
	quoted := []byte(p.rest[:end+1])
	value, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return "", err
	}
	if again, err := jsontext.AppendQuote(nil, value); err != nil || !bytes.Equal(again, quoted) {
		return "", errNotCanonical
	}
	p.rest = p.rest[end+1:]
	return string(value), nil
}
