package models

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// ubjSource reads Universal Binary JSON, draft 12 (https://ubjson.org), as far
// as models use it: objects, arrays with or without announced type and length,
// texts, numbers and literals. Numbers are big-endian.
type ubjSource struct {
	r   *bufio.Reader
	off int64
	buf [8]byte
}

func (s *ubjSource) offset() int64 { return s.off }

// marker returns the next type marker, passing over no-ops.
func (s *ubjSource) marker() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, inside(err)
		}
		s.off++
		if c != 'N' {
			return c, nil
		}
	}
}

func (s *ubjSource) unread() {
	s.off--
	_ = s.r.UnreadByte() // cannot fail: a byte was just read
}

func (s *ubjSource) expect(want byte) error {
	c, err := s.marker()
	if err != nil {
		return err
	}
	if c != want {
		return fmt.Errorf("expected marker %q, found %q", want, c)
	}
	return nil
}

// width is the size of a number in bytes; 0 for any other marker.
func width(marker byte) int {
	switch marker {
	case 'i', 'U':
		return 1
	case 'I':
		return 2
	case 'l', 'd':
		return 4
	case 'L', 'D':
		return 8
	}
	return 0
}

// number reads the payload of a number: an integer is exact in the first
// result, a float is the second.
func (s *ubjSource) number(marker byte) (int64, float64, error) {
	n := width(marker)
	if n == 0 {
		return 0, 0, fmt.Errorf("expected a number, found marker %q", marker)
	}
	b := s.buf[:n]
	if _, err := io.ReadFull(s.r, b); err != nil {
		return 0, 0, inside(err)
	}
	s.off += int64(n)
	var v int64
	switch marker {
	case 'i':
		v = int64(int8(b[0]))
	case 'U':
		v = int64(b[0])
	case 'I':
		v = int64(int16(binary.BigEndian.Uint16(b)))
	case 'l':
		v = int64(int32(binary.BigEndian.Uint32(b)))
	case 'L':
		v = int64(binary.BigEndian.Uint64(b))
	case 'd':
		return 0, float64(math.Float32frombits(binary.BigEndian.Uint32(b))), nil
	case 'D':
		return 0, math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	}
	return v, float64(v), nil
}

func isFloat(marker byte) bool { return marker == 'd' || marker == 'D' }

func (s *ubjSource) length() (int64, error) {
	m, err := s.marker()
	if err != nil {
		return 0, err
	}
	if isFloat(m) {
		return 0, fmt.Errorf("length written as a float (marker %q)", m)
	}
	n, _, err := s.number(m)
	if err == nil && n < 0 {
		return 0, fmt.Errorf("length %d is negative", n)
	}
	return n, err
}

// bytes reads n bytes, allocating no more than has arrived.
func (s *ubjSource) bytes(n int64) ([]byte, error) {
	out := make([]byte, 0, min(n, firstAllocation))
	for int64(len(out)) < n {
		part := min(n-int64(len(out)), int64(max(len(out), firstAllocation)))
		from := len(out)
		out = append(out, make([]byte, part)...)
		if _, err := io.ReadFull(s.r, out[from:]); err != nil {
			return nil, inside(err)
		}
	}
	s.off += n
	return out, nil
}

// name reads a length and as many bytes of UTF-8.
func (s *ubjSource) name() (string, error) {
	n, err := s.length()
	if err != nil {
		return "", err
	}
	b, err := s.bytes(n)
	if err == nil && !utf8.Valid(b) {
		return "", errors.New("text is not UTF-8")
	}
	return string(b), err
}

func (s *ubjSource) text() (string, error) {
	if err := s.expect('S'); err != nil {
		return "", err
	}
	return s.name()
}

// header reads what may follow [ or {: the type of the elements (0 when each
// has its own marker) and their number (-1 when a closing marker ends them).
func (s *ubjSource) header() (kind byte, n int64, err error) {
	c, err := s.marker()
	if err != nil {
		return 0, 0, err
	}
	if c == '$' {
		if kind, err = s.marker(); err != nil {
			return 0, 0, err
		}
		if width(kind) == 0 {
			return 0, 0, fmt.Errorf("container typed %q: only numbers are supported", kind)
		}
		if c, err = s.marker(); err != nil {
			return 0, 0, err
		}
		if c != '#' {
			return 0, 0, fmt.Errorf("typed container without a length, found %q", c)
		}
	}
	if c != '#' {
		s.unread()
		return 0, -1, nil
	}
	n, err = s.length()
	return kind, n, err
}

// elements calls f until the container is exhausted.
func (s *ubjSource) elements(n int64, closing byte, f func() error) error {
	for i := int64(0); n < 0 || i < n; i++ {
		if n < 0 {
			c, err := s.marker()
			if err != nil || c == closing {
				return err
			}
			s.unread()
		}
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (s *ubjSource) object(field func(string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	kind, n, err := s.header()
	if err != nil {
		return err
	}
	if kind != 0 {
		return errors.New("object with values of one announced type is not supported")
	}
	return s.elements(n, '}', func() error {
		name, err := s.name()
		if err != nil {
			return err
		}
		return field(name)
	})
}

func (s *ubjSource) list(element func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	kind, n, err := s.header()
	if err != nil {
		return err
	}
	if kind != 0 {
		return fmt.Errorf("array of numbers (%q) where objects or texts belong", kind)
	}
	return s.elements(n, ']', element)
}

// numbers calls f with each number of an array, typed or not.
func (s *ubjSource) numbers(f func(marker byte, i int64, x float64) error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	kind, n, err := s.header()
	if err != nil {
		return err
	}
	return s.elements(n, ']', func() error {
		m := kind
		if m == 0 {
			var err error
			if m, err = s.marker(); err != nil {
				return err
			}
		}
		switch m {
		case 'T':
			return f(m, 1, 1)
		case 'F':
			return f(m, 0, 0)
		}
		i, x, err := s.number(m)
		if err != nil {
			return err
		}
		return f(m, i, x)
	})
}

func (s *ubjSource) integers() ([]int32, error) {
	var out []int32
	err := s.numbers(func(m byte, i int64, x float64) error {
		if isFloat(m) {
			return fmt.Errorf("element %d: %g is not an integer", len(out), x)
		}
		if i != int64(int32(i)) {
			return fmt.Errorf("element %d: %d is not a 32-bit integer", len(out), i)
		}
		out = append(out, int32(i))
		return nil
	})
	return out, err
}

func (s *ubjSource) floats() ([]float32, error) {
	var out []float32
	err := s.numbers(func(_ byte, _ int64, x float64) error {
		out = append(out, float32(x))
		return nil
	})
	return out, err
}

func (s *ubjSource) skip() error { return s.skipNested(maxNesting) }

func (s *ubjSource) skipNested(depth int) error {
	if depth == 0 {
		return fmt.Errorf("values nested more than %d deep", maxNesting)
	}
	m, err := s.marker()
	if err != nil {
		return err
	}
	switch m {
	case 'Z', 'T', 'F':
		return nil
	case '{':
		s.unread()
		return s.object(func(string) error { return s.skipNested(depth - 1) })
	case '[':
		kind, n, err := s.header()
		if err != nil {
			return err
		}
		return s.elements(n, ']', func() error {
			if kind != 0 {
				_, _, err := s.number(kind)
				return err
			}
			return s.skipNested(depth - 1)
		})
	case 'S', 'H':
		_, err := s.name()
		return err
	case 'C':
		_, err := s.bytes(1)
		return err
	}
	_, _, err = s.number(m)
	return err
}

func (s *ubjSource) end() error {
	c, err := s.marker()
	if errors.Is(err, errEndsEarly) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("byte %#02x after the end of the model", c)
}
