package warehouse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ndjsonFormat reads one JSON object a line.
type ndjsonFormat struct{ obj objectReader }

func (f *ndjsonFormat) next(r *Reader, rec *record) error {
	line, err := r.readLine()
	if err != nil {
		return err
	}
	return f.obj.read(line, rec, r.opt.IgnoreUnknown)
}

// arrayFormat reads the objects of one JSON array.
type arrayFormat struct {
	dec           *jsontext.Decoder
	obj           objectReader
	ignoreUnknown bool
	opened        bool
}

func newArrayFormat(src io.Reader, ignoreUnknown bool) *arrayFormat {
	return &arrayFormat{dec: jsontext.NewDecoder(src), ignoreUnknown: ignoreUnknown}
}

func (f *arrayFormat) next(r *Reader, rec *record) error {
	if !f.opened {
		f.opened = true
		if _, err := f.dec.ReadToken(); err != nil {
			return fmt.Errorf("json array: %w", err)
		}
	}
	if f.dec.PeekKind() == ']' {
		if _, err := f.dec.ReadToken(); err != nil {
			return fmt.Errorf("json array: %w", err)
		}
		if _, err := f.dec.ReadToken(); !errors.Is(err, io.EOF) {
			return errors.New("json array: there is text after the closing ]")
		}
		return io.EOF
	}
	value, err := f.dec.ReadValue()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("json array after record %d: %w", r.line, err)
	}
	r.line++
	return f.obj.read(value, rec, f.ignoreUnknown)
}

// objectReader reads one JSON object into a record, strictly: duplicate keys,
// invalid UTF-8 and values that are neither text nor number are refused.
type objectReader struct {
	dec jsontext.Decoder
	buf bytes.Reader
}

func (o *objectReader) read(object []byte, rec *record, ignoreUnknown bool) error {
	if len(object) > maxLine {
		return &Refusal{Reason: fmt.Sprintf("is longer than %d bytes", maxLine)}
	}
	o.buf.Reset(object)
	o.dec.Reset(&o.buf)
	if o.dec.PeekKind() != '{' {
		return &Refusal{Reason: "is not a JSON object"}
	}
	var envelope cloudEvent
	err := o.members(func(key string) error {
		if done, err := envelope.member(o, key, rec, ignoreUnknown); done || err != nil {
			return err
		}
		return o.member(key, rec, ignoreUnknown)
	})
	if err != nil {
		return asRefusal(err)
	}
	if _, err := o.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return &Refusal{Reason: "has text after the object's closing }"}
	}
	return asRefusal(envelope.apply(rec, ignoreUnknown))
}

func asRefusal(err error) error {
	if err == nil {
		return nil
	}
	if r := (*Refusal)(nil); errors.As(err, &r) {
		return err
	}
	return &Refusal{Reason: "is not valid JSON: " + strings.TrimPrefix(err.Error(), "jsontext: ")}
}

// members reads one object and calls do for each key; do reads the value.
func (o *objectReader) members(do func(key string) error) error {
	if _, err := o.dec.ReadToken(); err != nil {
		return err
	}
	for o.dec.PeekKind() != '}' {
		key, err := o.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := do(key.String()); err != nil {
			return err
		}
	}
	_, err := o.dec.ReadToken()
	return err
}

func (o *objectReader) member(key string, rec *record, ignoreUnknown bool) error {
	if key == "attr" && o.dec.PeekKind() == '{' {
		return o.members(func(name string) error {
			return o.member(attrPrefix+name, rec, ignoreUnknown)
		})
	}
	c, err := columnOf(key, ignoreUnknown)
	if err != nil {
		return &Refusal{Field: clip(key), Reason: "is not a field of an event; facts of your own go into attr.NAME"}
	}
	if c.skip {
		return o.dec.SkipValue()
	}
	value, err := o.scalar(key)
	switch {
	case err != nil:
		return err
	case c.attr == "":
		rec.text[c.field] = value
	case slices.ContainsFunc(rec.attrs, func(a Attr) bool { return a.Name == c.attr }):
		return &Refusal{Field: key, Reason: "is there twice"}
	default:
		rec.attrs = append(rec.attrs, Attr{c.attr, value})
	}
	return nil
}

// scalar reads text or a number as text; null is the empty text.
func (o *objectReader) scalar(key string) (string, error) {
	switch o.dec.PeekKind() {
	case '{', '[', 't', 'f':
		if err := o.dec.SkipValue(); err != nil {
			return "", err
		}
		return "", &Refusal{Field: key, Reason: "is neither text nor a number"}
	case 'n':
		return "", o.dec.SkipValue()
	default:
		t, err := o.dec.ReadToken()
		if err != nil {
			return "", err
		}
		return t.String(), nil
	}
}

// cloudEvent is the envelope of a CloudEvents 1.0 record: context attributes
// around the event in "data".
type cloudEvent struct {
	seen                   bool
	id, source, kind, time string
	data                   bool
}

// member reads a key of the envelope and reports whether it was one. Producers
// write specversion first or last, so the context attributes that an event
// also has (id, source, type) are kept for both readings.
func (c *cloudEvent) member(o *objectReader, key string, rec *record, ignoreUnknown bool) (bool, error) {
	keep := map[string]*string{"id": &c.id, "source": &c.source, "type": &c.kind, "time": &c.time}
	switch key {
	case "specversion":
		version, err := o.scalar(key)
		if err == nil && version != "1.0" {
			err = &Refusal{Field: key, Reason: fmt.Sprintf("is %q; CloudEvents 1.0 is understood", clip(version))}
		}
		c.seen = true
		return true, err
	case "data":
		if o.dec.PeekKind() != '{' {
			return true, &Refusal{Field: key, Reason: "is not a JSON object"}
		}
		c.data = true
		return true, o.members(func(key string) error { return o.member(key, rec, ignoreUnknown) })
	case "id", "source", "type", "time":
		value, err := o.scalar(key)
		*keep[key] = value
		return true, err
	case "subject", "datacontenttype", "dataschema":
		return true, o.dec.SkipValue()
	}
	if c.seen || c.data {
		if _, isField := fieldOf(key); !isField && !strings.HasPrefix(key, attrPrefix) {
			return true, o.dec.SkipValue() // an extension attribute
		}
	}
	return false, nil
}

// apply lets the envelope's attributes win over those of its data.
func (c *cloudEvent) apply(rec *record, ignoreUnknown bool) error {
	set := func(f field, v string) {
		if v != "" {
			rec.text[f] = v
		}
	}
	set(fID, c.id)
	set(fSource, c.source)
	switch {
	case c.seen && !c.data:
		return &Refusal{Field: "data", Reason: "is missing; a CloudEvents record carries the event in it"}
	case c.seen:
		set(fOccurredAt, c.time)
		if rec.text[fType] == "" {
			rec.text[fType] = typeSegment(c.kind)
		}
	case c.data && !ignoreUnknown:
		return &Refusal{Field: "specversion", Reason: "is missing; a record with data must be a CloudEvents 1.0 envelope"}
	case c.time != "" && !ignoreUnknown:
		return &Refusal{Field: "time", Reason: "is not a field of an event; the field is occurred_at"}
	default:
		set(fType, c.kind)
	}
	return nil
}

// typeSegment finds the event type in a reverse-DNS name such as
// "com.example.wms.receipt.v1".
func typeSegment(name string) string {
	for segment := range strings.SplitSeq(name, ".") {
		if slices.Contains(Types, Type(segment)) {
			return segment
		}
	}
	return name
}
