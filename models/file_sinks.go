package models

import (
	"bufio"
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"
)

// jsonSink writes JSON with every float in exponent form. Write errors stay in
// the bufio.Writer until Flush.
type jsonSink struct {
	w     *bufio.Writer
	comma bool // a value precedes in the current container
	buf   []byte
}

// separate writes the comma that the next value or name needs.
func (s *jsonSink) separate() {
	if s.comma {
		s.w.WriteByte(',')
	}
	s.comma = true
}

func (s *jsonSink) begin(c byte) {
	s.separate()
	s.w.WriteByte(c)
	s.comma = false
}

func (s *jsonSink) end(c byte) {
	s.w.WriteByte(c)
	s.comma = true
}

func (s *jsonSink) beginObject()  { s.begin('{') }
func (s *jsonSink) endObject()    { s.end('}') }
func (s *jsonSink) beginList(int) { s.begin('[') }
func (s *jsonSink) endList()      { s.end(']') }

func (s *jsonSink) name(name string) {
	s.text(name)
	s.w.WriteByte(':')
	s.comma = false
}

func (s *jsonSink) text(v string) {
	s.separate()
	s.buf = append(s.buf[:0], '"')
	for _, r := range v {
		switch {
		case r == '"' || r == '\\':
			s.buf = append(s.buf, '\\', byte(r))
		case r < ' ':
			s.buf = append(s.buf, '\\', 'u', '0', '0', "0123456789abcdef"[r>>4], "0123456789abcdef"[r&15])
		default:
			s.buf = utf8.AppendRune(s.buf, r)
		}
	}
	s.w.Write(append(s.buf, '"'))
}

func (s *jsonSink) integer(v int) {
	s.separate()
	s.w.Write(strconv.AppendInt(s.w.AvailableBuffer(), int64(v), 10))
}

func jsonIntegers[T uint8 | int32 | int64](s *jsonSink, v []T) {
	s.beginList(len(v))
	for _, x := range v {
		s.integer(int(x))
	}
	s.endList()
}

func (s *jsonSink) bytes(v []uint8)    { jsonIntegers(s, v) }
func (s *jsonSink) integers(v []int32) { jsonIntegers(s, v) }
func (s *jsonSink) longs(v []int64)    { jsonIntegers(s, v) }

func (s *jsonSink) floats(v []float32) {
	s.beginList(len(v))
	for _, x := range v {
		s.separate()
		s.w.Write(appendFloat(s.w.AvailableBuffer(), x))
	}
	s.endList()
}

// ubjSink writes the dialect of UBJSON that XGBoost reads: every length is an
// int64 and arrays of numbers are typed.
type ubjSink struct{ w *bufio.Writer }

func (s *ubjSink) long(v int64) {
	s.w.Write(binary.BigEndian.AppendUint64(s.w.AvailableBuffer(), uint64(v)))
}

func (s *ubjSink) length(n int) {
	s.w.WriteByte('L')
	s.long(int64(n))
}

func (s *ubjSink) beginObject() { s.w.WriteByte('{') }
func (s *ubjSink) endObject()   { s.w.WriteByte('}') }

func (s *ubjSink) beginList(n int) {
	s.w.WriteString("[#")
	s.length(n)
}

func (s *ubjSink) endList() {} // the length was announced

func (s *ubjSink) name(name string) {
	s.length(len(name))
	s.w.WriteString(name)
}

func (s *ubjSink) text(v string) {
	s.w.WriteByte('S')
	s.name(v)
}

func (s *ubjSink) integer(v int) {
	s.w.WriteByte('L')
	s.long(int64(v))
}

func (s *ubjSink) typed(kind byte, n int) {
	s.w.Write([]byte{'[', '$', kind, '#'})
	s.length(n)
}

func (s *ubjSink) bytes(v []uint8) {
	s.typed('U', len(v))
	s.w.Write(v)
}

func (s *ubjSink) integers(v []int32) {
	s.typed('l', len(v))
	for _, x := range v {
		s.w.Write(binary.BigEndian.AppendUint32(s.w.AvailableBuffer(), uint32(x)))
	}
}

func (s *ubjSink) longs(v []int64) {
	s.typed('L', len(v))
	for _, x := range v {
		s.long(x)
	}
}

func (s *ubjSink) floats(v []float32) {
	s.typed('d', len(v))
	for _, x := range v {
		s.w.Write(binary.BigEndian.AppendUint32(s.w.AvailableBuffer(), math.Float32bits(x)))
	}
}
