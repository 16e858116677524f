package models

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonSource reads the JSON that XGBoost writes: standard JSON plus the number
// literals NaN, Infinity and -Infinity, which encoding/json refuses.
type jsonSource struct {
	r     *bufio.Reader
	off   int64
	token []byte // the number or literal last read
}

func (s *jsonSource) offset() int64 { return s.off }

func (s *jsonSource) read() (byte, error) {
	c, err := s.r.ReadByte()
	if err != nil {
		return 0, inside(err)
	}
	s.off++
	return c, nil
}

func (s *jsonSource) unread() {
	s.off--
	_ = s.r.UnreadByte() // cannot fail: a byte was just read
}

// next returns the first byte that is not white space.
func (s *jsonSource) next() (byte, error) {
	for {
		c, err := s.read()
		if err != nil || (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
			return c, err
		}
	}
}

func (s *jsonSource) expect(want byte) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	if c != want {
		return fmt.Errorf("expected %q, found %q", want, c)
	}
	return nil
}

// more reads the separator after an element and reports whether another
// element follows.
func (s *jsonSource) more(closing byte) (bool, error) {
	c, err := s.next()
	switch {
	case err != nil:
		return false, err
	case c == ',':
		return true, nil
	case c == closing:
		return false, nil
	}
	return false, fmt.Errorf("expected ',' or %q, found %q", closing, c)
}

// empty consumes the closing byte if it comes next.
func (s *jsonSource) empty(closing byte) (bool, error) {
	c, err := s.next()
	if err != nil || c == closing {
		return err == nil, err
	}
	s.unread()
	return false, nil
}

func (s *jsonSource) object(field func(string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	done, err := s.empty('}')
	for again := !done; again && err == nil; {
		var name string
		if name, err = s.text(); err != nil {
			return err
		}
		if err = s.expect(':'); err != nil {
			return err
		}
		if err = field(name); err != nil {
			return err
		}
		again, err = s.more('}')
	}
	return err
}

func (s *jsonSource) list(element func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	done, err := s.empty(']')
	for again := !done; again && err == nil; {
		if err = element(); err != nil {
			return err
		}
		again, err = s.more(']')
	}
	return err
}

func (s *jsonSource) text() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	var text []byte
	for {
		c, err := s.read()
		switch {
		case err != nil:
			return "", err
		case c == '"':
			if !utf8.Valid(text) {
				return "", errors.New("text is not UTF-8")
			}
			return string(text), nil
		case c < ' ':
			return "", fmt.Errorf("control character %#02x in text", c)
		case c == '\\':
			if text, err = s.escape(text); err != nil {
				return "", err
			}
		default:
			text = append(text, c)
		}
	}
}

func (s *jsonSource) escape(text []byte) ([]byte, error) {
	c, err := s.read()
	if err != nil {
		return nil, err
	}
	switch c {
	case '"', '\\', '/':
		return append(text, c), nil
	case 'b':
		return append(text, '\b'), nil
	case 'f':
		return append(text, '\f'), nil
	case 'n':
		return append(text, '\n'), nil
	case 'r':
		return append(text, '\r'), nil
	case 't':
		return append(text, '\t'), nil
	case 'u':
		r, err := s.unicode()
		return utf8.AppendRune(text, r), err
	}
	return nil, fmt.Errorf(`unknown escape \%c in text`, c)
}

// unicode reads the digits of \uXXXX, and of the second half of a surrogate
// pair when the first is one.
func (s *jsonSource) unicode() (rune, error) {
	high, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(high) {
		return high, err
	}
	for _, want := range []byte{'\\', 'u'} {
		if c, err := s.read(); err != nil || c != want {
			return 0, errors.Join(errors.New("half a surrogate pair in text"), err)
		}
	}
	low, err := s.hex4()
	if err != nil {
		return 0, err
	}
	r := utf16.DecodeRune(high, low)
	if r == utf8.RuneError {
		return 0, errors.New("half a surrogate pair in text")
	}
	return r, nil
}

func (s *jsonSource) hex4() (rune, error) {
	var digits [4]byte
	for i := range digits {
		c, err := s.read()
		if err != nil {
			return 0, err
		}
		digits[i] = c
	}
	v, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		return 0, fmt.Errorf("bad escape \\u%s in text", digits)
	}
	return rune(v), nil
}

// bare reads a number or a literal such as true or NaN into s.token.
func (s *jsonSource) bare() error {
	c, err := s.next()
	s.token = s.token[:0]
	for err == nil && isBare(c) {
		if s.token = append(s.token, c); len(s.token) > 64 {
			return fmt.Errorf("number of more than 64 characters: %s…", s.token[:20])
		}
		c, err = s.read()
	}
	if err != nil {
		return err
	}
	s.unread()
	if len(s.token) == 0 {
		return fmt.Errorf("expected a number, found %q", c)
	}
	return nil
}

func isBare(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}

func (s *jsonSource) integers() ([]int32, error) {
	var out []int32
	err := s.list(func() error {
		if err := s.bare(); err != nil {
			return err
		}
		switch string(s.token) {
		case "true":
			out = append(out, 1)
		case "false":
			out = append(out, 0)
		default:
			v, err := strconv.ParseInt(string(s.token), 10, 32)
			if err != nil {
				return fmt.Errorf("element %d: %q is not a 32-bit integer", len(out), s.token)
			}
			out = append(out, int32(v))
		}
		return nil
	})
	return out, err
}

func (s *jsonSource) floats() ([]float32, error) {
	var out []float32
	err := s.list(func() error {
		if err := s.bare(); err != nil {
			return err
		}
		v, err := strconv.ParseFloat(string(s.token), 32)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("element %d: %q is not a number", len(out), s.token)
		}
		out = append(out, float32(v))
		return nil
	})
	return out, err
}

func (s *jsonSource) skip() error { return s.skipNested(maxNesting) }

func (s *jsonSource) skipNested(depth int) error {
	if depth == 0 {
		return fmt.Errorf("values nested more than %d deep", maxNesting)
	}
	c, err := s.next()
	if err != nil {
		return err
	}
	s.unread()
	switch c {
	case '{':
		return s.object(func(string) error { return s.skipNested(depth - 1) })
	case '[':
		return s.list(func() error { return s.skipNested(depth - 1) })
	case '"':
		_, err := s.text()
		return err
	}
	return s.bare()
}

func (s *jsonSource) end() error {
	c, err := s.next()
	if errors.Is(err, errEndsEarly) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%q after the end of the model", c)
}
