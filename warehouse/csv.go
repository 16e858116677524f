package warehouse

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// csvFormat reads comma-separated values (RFC 4180) with a header line. A
// quoted field may not span lines, so that a stray quote costs one record and
// not the rest of the file.
type csvFormat struct {
	columns []column
	cells   []string
}

// column says where a cell goes: a field, an attribute or, when unknown
// columns are ignored, nowhere.
type column struct {
	field field
	attr  string
	skip  bool
}

func newCSVFormat(r *Reader) (*csvFormat, error) {
	line, err := r.readLine()
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	names, err := splitCSV(nil, string(line))
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	f := &csvFormat{}
	for i, name := range names {
		name = strings.TrimSpace(name)
		c, err := columnOf(name, r.opt.IgnoreUnknown)
		if err != nil {
			return nil, cmp.Or(notCSV(string(line)), fmt.Errorf("header: %w", err))
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("header: column %q is there twice", clip(name))
		}
		f.columns = append(f.columns, c)
	}
	for _, must := range []field{fID, fType, fOccurredAt, fSite, fSKU} {
		if !slices.Contains(names, Columns[must]) {
			return nil, cmp.Or(notCSV(string(line)), fmt.Errorf("header: no column %q in %q; the first line must name the columns", Columns[must], clip(string(line))))
		}
	}
	return f, nil
}

// notCSV names what a header shows to be another kind of file, nil if nothing.
func notCSV(header string) error {
	if strings.HasPrefix(header, "\xff\xfe") || strings.HasPrefix(header, "\xfe\xff") {
		return errors.New("header: the file is UTF-16; save it as UTF-8")
	}
	for _, separator := range []string{";", "\t", "|"} {
		if strings.Count(header, separator) > strings.Count(header, ",") {
			return fmt.Errorf("header: the columns seem to be separated by %q; save the file with commas", separator)
		}
	}
	return nil
}

func columnOf(name string, ignoreUnknown bool) (column, error) {
	if f, ok := fieldOf(name); ok {
		return column{field: f}, nil
	}
	if attr, ok := attrName(name); ok {
		return column{attr: attr}, nil
	}
	if lower := strings.ToLower(name); lower != name {
		if _, ok := fieldOf(lower); ok {
			return column{}, fmt.Errorf("unknown column %q; columns are written in small letters: %q", clip(name), lower)
		}
	}
	if ignoreUnknown {
		return column{skip: true}, nil
	}
	return column{}, fmt.Errorf("unknown column %q; facts of your own go into attr.NAME columns, and --ignore-unknown skips the rest", clip(name))
}

func (f *csvFormat) next(r *Reader, rec *record) error {
	line, err := r.readLine()
	if err != nil {
		return err
	}
	f.cells, err = splitCSV(f.cells[:0], string(line))
	if err != nil {
		return &Refusal{Reason: err.Error()}
	}
	if len(f.cells) != len(f.columns) {
		return &Refusal{Reason: fmt.Sprintf("has %d fields, the header has %d", len(f.cells), len(f.columns))}
	}
	for i, c := range f.columns {
		switch {
		case c.skip:
		case c.attr != "":
			rec.attrs = append(rec.attrs, Attr{c.attr, f.cells[i]})
		default:
			rec.text[c.field] = f.cells[i]
		}
	}
	return nil
}

// splitCSV appends the cells of one line to dst.
func splitCSV(dst []string, line string) ([]string, error) {
	for {
		if !strings.HasPrefix(line, `"`) {
			cell, rest, more := strings.Cut(line, ",")
			if strings.Contains(cell, `"`) {
				return dst, errors.New(`has a bare " in an unquoted field; quote the field and double the "`)
			}
			dst = append(dst, cell)
			if !more {
				return dst, nil
			}
			line = rest
			continue
		}
		cell, rest, err := quotedCell(line[1:])
		if err != nil {
			return dst, err
		}
		dst = append(dst, cell)
		if rest == "" {
			return dst, nil
		}
		if rest[0] != ',' {
			return dst, errors.New(`has text after a closing "`)
		}
		line = rest[1:]
	}
}

// quotedCell returns the text up to the closing quote and what follows it.
func quotedCell(s string) (cell, rest string, err error) {
	end := strings.IndexByte(s, '"')
	for end >= 0 && end+1 < len(s) && s[end+1] == '"' {
		next := strings.IndexByte(s[end+2:], '"')
		if next < 0 {
			end = -1
			break
		}
		end += 2 + next
	}
	if end < 0 {
		return "", "", errors.New(`has a quoted field without its closing " on the same line`)
	}
	return strings.ReplaceAll(s[:end], `""`, `"`), s[end+1:], nil
}

// A CSVWriter writes events as canonical CSV with the columns it was given.
type CSVWriter struct {
	w       io.Writer
	columns []string
	buf     []byte
}

// NewCSVWriter writes the header and returns the writer. The columns are names
// of [Columns] or "attr.NAME"; other fields of the events are not written.
func NewCSVWriter(w io.Writer, columns []string) (*CSVWriter, error) {
	cw := &CSVWriter{w: w, columns: columns}
	for i, name := range columns {
		if _, err := columnOf(name, false); err != nil {
			return nil, err
		}
		cw.cell(i, name)
	}
	return cw, cw.flush()
}

// Write writes one event.
func (cw *CSVWriter) Write(e *Event) error {
	for i, name := range cw.columns {
		if f, ok := fieldOf(name); ok {
			cw.cell(i, e.text(f))
		} else {
			value, _ := e.Attr(strings.TrimPrefix(name, attrPrefix))
			cw.cell(i, value)
		}
	}
	return cw.flush()
}

func (cw *CSVWriter) cell(i int, s string) {
	if i > 0 {
		cw.buf = append(cw.buf, ',')
	}
	if !strings.ContainsAny(s, "\",\r\n") {
		cw.buf = append(cw.buf, s...)
		return
	}
	cw.buf = append(cw.buf, '"')
	cw.buf = append(cw.buf, bytes.ReplaceAll([]byte(s), []byte(`"`), []byte(`""`))...)
	cw.buf = append(cw.buf, '"')
}

func (cw *CSVWriter) flush() error {
	cw.buf = append(cw.buf, '\n')
	_, err := cw.w.Write(cw.buf)
	cw.buf = cw.buf[:0]
	return err
}
