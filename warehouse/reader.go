package warehouse

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"time"
)

// ReadOptions say how records are to be read.
type ReadOptions struct {
	Source        Source    // overrides the records' own source
	Unnamed       Source    // of records that name none, where Source is not given
	IgnoreUnknown bool      // skip unknown columns and keys instead of refusing them
	Now           time.Time // the intake clock, against which times ahead are judged
}

// A Reader reads canonical events from CSV, NDJSON or a JSON array, any of
// them gzipped; it tells them apart by their first bytes.
type Reader struct {
	opt    ReadOptions
	src    *bufio.Reader
	format format
	line   int
}

// A format reads the next record. It returns io.EOF at the end, a *Refusal for
// a record that it could read past, and any other error when it cannot go on.
type format interface {
	next(r *Reader, rec *record) error
}

// maxLine bounds one record.
const maxLine = 1 << 20

// NewReader returns a reader of src. An empty input has no events and no
// error.
func NewReader(src io.Reader, opt ReadOptions) (*Reader, error) {
	br := bufio.NewReaderSize(src, 64<<10)
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		br = bufio.NewReaderSize(zr, 64<<10)
	}
	if bom, _ := br.Peek(3); bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = br.Discard(3)
	}
	r := &Reader{opt: opt, src: br}
	first, err := firstByte(br)
	switch {
	case errors.Is(err, io.EOF):
		r.format, err = empty{}, nil
	case err != nil:
		return nil, err
	case first == '{':
		r.format = &ndjsonFormat{}
	case first == '[':
		r.format = newArrayFormat(br, opt.IgnoreUnknown)
	default:
		r.format, err = newCSVFormat(r)
	}
	return r, err
}

// firstByte returns the first byte that is not white space, without consuming
// it.
func firstByte(br *bufio.Reader) (byte, error) {
	for n := 1; n <= br.Size(); n++ {
		b, err := br.Peek(n)
		if len(b) < n {
			return 0, err
		}
		if c := b[n-1]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
	return 0, errors.New("the input begins with nothing but white space")
}

// Next returns the next event. A *[Refusal] concerns one record, and reading
// goes on after it; io.EOF is the end; any other error is final.
func (r *Reader) Next() (Event, error) {
	var rec record
	if err := r.format.next(r, &rec); err != nil {
		if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
			refusal.Line = r.line
		}
		return Event{}, err
	}
	e, refusal := rec.parse(r.opt)
	if refusal != nil {
		refusal.Line = r.line
		return Event{}, refusal
	}
	return e, nil
}

// Line returns the number of the record that [Reader.Next] returned last.
func (r *Reader) Line() int { return r.line }

// readLine returns the next line that is not blank, without its end. A line
// beyond [maxLine] is read to its end and refused.
func (r *Reader) readLine() ([]byte, error) {
	for {
		r.line++
		line, err := r.src.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line, err = r.readLong(bytes.Clone(line))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
				return nil, err
			}
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if len(bytes.TrimSpace(line)) > 0 {
			return line, nil
		}
		if err != nil {
			return nil, io.EOF
		}
	}
}

func (r *Reader) readLong(line []byte) ([]byte, error) {
	for {
		more, err := r.src.ReadSlice('\n')
		if len(line) <= maxLine {
			line = append(line, more...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if len(line) > maxLine && (err == nil || errors.Is(err, io.EOF)) {
			return nil, &Refusal{Reason: fmt.Sprintf("is longer than %d bytes", maxLine)}
		}
		return line, err
	}
}

type empty struct{}

func (empty) next(*Reader, *record) error { return io.EOF }
