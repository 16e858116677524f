package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"tallyman/warehouse"
)

// jsonbVersion begins a jsonb value in binary format.
const jsonbVersion = 1

// appendAttrs appends the attributes as a jsonb object of texts, null when
// there are none.
func appendAttrs(b []byte, attrs []warehouse.Attr) []byte {
	if len(attrs) == 0 {
		return appendNull(b)
	}
	at := len(b)
	b = append(b, 0, 0, 0, 0, jsonbVersion, '{')
	for i, a := range attrs {
		if i > 0 {
			b = append(b, ',')
		}
		// AppendQuote fails on invalid UTF-8 only, which no event holds.
		b, _ = jsontext.AppendQuote(b, a.Name)
		b = append(b, ':')
		b, _ = jsontext.AppendQuote(b, a.Value)
	}
	b = append(b, '}')
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// attrs reads an object that [appendAttrs] wrote. PostgreSQL keeps the members
// in an order of its own.
func (d *eventDecoder) attrs() ([]warehouse.Attr, error) {
	v := d.next()
	if v == nil {
		return nil, nil
	}
	texts := v[1:]
	var attrs []warehouse.Attr
	for {
		name, rest, err := nextText(texts)
		if err != nil {
			return nil, err
		}
		if name == nil {
			break
		}
		value, rest, err := nextText(rest)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, warehouse.Attr{Name: d.intern(name), Value: d.intern(value)})
		texts = rest
	}
	slices.SortFunc(attrs, func(a, b warehouse.Attr) int { return cmp.Compare(a.Name, b.Name) })
	return attrs, nil
}

// nextText returns the first quoted text of b, unquoted, and what follows it;
// nil when there is none.
func nextText(b []byte) (text, rest []byte, err error) {
	start := bytes.IndexByte(b, '"')
	if start < 0 {
		return nil, nil, nil
	}
	end, escaped := start+1, false
	for ; end < len(b) && b[end] != '"'; end++ {
		if b[end] == '\\' {
			escaped = true
			end++
		}
	}
	if end >= len(b) {
		return nil, nil, errors.New("unfinished text")
	}
	if !escaped {
		return b[start+1 : end], b[end+1:], nil
	}
	text, err = jsontext.AppendUnquote(nil, b[start:end+1])
	return text, b[end+1:], err
}
