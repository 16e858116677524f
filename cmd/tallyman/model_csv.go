package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// readCSV calls row for each line of a CSV file after the header, which start
// gets. Cells are without surrounding space and valid until row returns. Errors
// name the line.
func readCSV(file string, start func(header []string) error, row func(line int, cells []string) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var text io.Reader = bufio.NewReaderSize(f, 1<<20)
	if strings.HasSuffix(file, ".gz") {
		if text, err = gzip.NewReader(text); err != nil {
			return err
		}
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

func checkHeader(cells []string, start func([]string) error) error {
	header := slices.Clone(cells)
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return fmt.Errorf("column %q is named twice", name)
		}
	}
	return start(header)
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
