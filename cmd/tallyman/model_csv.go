package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readCSV calls row for each line of a CSV file after the header, which start
// gets. Cells are without surrounding space and valid until row returns. Errors
// name the line; the caller names the file.
func readCSV(file string, start func(header []string) error, row func(line int, cells []string) error) error {
	f, err := openTable(file)
	if err != nil {
		return errors.Unwrap(err) // without the file
	}
	defer func() { _ = f.Close() }()
	text, err := unzip(f)
	if err != nil {
		return err
	}
	r := csv.NewReader(text)
	r.ReuseRecord = true
	for first := true; ; first = false {
		cells, err := r.Read()
		switch {
		case errors.Is(err, io.EOF) && first:
			return errors.New("the file is empty; the first line must name the columns")
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("the gzipped file ends too early; copy it anew")
		case err != nil:
			return err
		}
		for i, c := range cells {
			cells[i] = strings.TrimSpace(c)
		}
		if first {
			err = checkHeader(cells, start)
		} else {
			line, _ := r.FieldPos(0)
			if err = row(line, cells); err != nil {
				err = fmt.Errorf("line %d: %w", line, err)
			}
		}
		if err != nil {
			return err
		}
	}
}

// unzip buffers r and unpacks it if it is gzipped, whatever its name. The mark that
// some programs put before UTF-8 text is left out.
func unzip(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<20)
	if start, _ := b.Peek(2); string(start) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		b = bufio.NewReader(z)
	}
	if start, _ := b.Peek(len(byteOrderMark)); string(start) == byteOrderMark {
		_, _ = b.Discard(len(byteOrderMark)) // it was there just now
	}
	return b, nil
}

const byteOrderMark = "\ufeff"

func checkHeader(cells []string, start func([]string) error) error {
	header := slices.Clone(cells)
	for i, name := range header {
		if !utf8.ValidString(name) {
			return fmt.Errorf("the name of column %d is not UTF-8 text; is this a CSV file?", i+1)
		}
		if slices.Contains(header[:i], name) {
			return fmt.Errorf("column %q is named twice", name)
		}
	}
	return start(header)
}

// noColumn says which column is missing, what for, and which there are.
func noColumn(name, what string, header []string) error {
	const most = 50
	there := strings.Join(header[:min(len(header), most)], ", ")
	switch {
	case len(header) > most:
		there += fmt.Sprintf(" and %d more", len(header)-most)
	case len(header) == 1:
		there += " alone; are the cells separated by commas?"
	}
	return fmt.Errorf("no column %q%s; there are %s", name, what, there)
}

// isMissing reports whether a cell among numbers stands for no value.
func isMissing(cell string) bool {
	switch cell {
	case "", "NA", "N/A", "NaN", "nan", "null", "NULL":
		return true
	}
	return false
}

// number reads a cell; ok is false for text. An infinite number, or one too
// large for 32 bits, is an error.
func number(cell string) (x float32, ok bool, err error) {
	v, err := strconv.ParseFloat(cell, 32)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && math.IsInf(v, 0):
		return 0, false, fmt.Errorf("%q is not a finite 32-bit number; leave the cell blank if the value is missing", cell)
	case err != nil || math.IsNaN(v):
		return 0, false, nil //nolint:nilerr // text is no error
	}
	return float32(v), true, nil
}
