package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// A tableColumn turns the cells of one column into the values of a feature.
type tableColumn struct {
	name  string
	from  int                // place among the cells
	codes map[string]float32 // of the texts of a category; nil for numbers

	unknown     int // cells whose text has no code
	unknownLine int // of the first
	unknownText string
}

// columns returns the columns of features, not yet placed.
func (s tableSchema) columns(features []string) []tableColumn {
	columns := make([]tableColumn, len(features))
	for i, name := range features {
		columns[i].name = name
		texts, ok := s.Categories[name]
		if !ok {
			continue
		}
		columns[i].codes = make(map[string]float32, len(texts))
		for code, text := range texts {
			columns[i].codes[text] = float32(code)
		}
	}
	return columns
}

// placeFeatures finds each column by name in a header; the columns of a model
// that has no names (f0, f1, …) are taken in order.
func placeFeatures(columns []tableColumn, header []string, label int) error {
	if columns[0].name == "f0" && !slices.Contains(header, "f0") {
		var from []int
		for c := range header {
			if c != label {
				from = append(from, c)
			}
		}
		if len(from) != len(columns) {
			return fmt.Errorf("the model has %d features without names, the file %d columns besides the label", len(columns), len(from))
		}
		for i := range columns {
			columns[i].from = from[i]
		}
		return nil
	}
	for i := range columns {
		c := &columns[i]
		if c.from = slices.Index(header, c.name); c.from < 0 {
			return noColumn(c.name, ", which the model needs", header)
		}
	}
	return nil
}

// encode returns the value of a cell, NaN if it is missing.
func (c *tableColumn) encode(line int, cell string) (float32, error) {
	missing := float32(math.NaN())
	if c.codes != nil {
		code, known := c.codes[cell]
		switch {
		case cell == "":
			return missing, nil
		case known:
			return code, nil
		}
		if c.unknown == 0 {
			c.unknownLine, c.unknownText = line, strings.Clone(cell)
		}
		c.unknown++
		return missing, nil
	}
	if isMissing(cell) {
		return missing, nil
	}
	x, ok, err := number(cell)
	if err == nil && !ok {
		err = fmt.Errorf("%q is not a number", cell)
	}
	return x, err
}

// warn tells of unknown texts.
func (c *tableColumn) warn(w io.Writer, file string, rows int) {
	if c.unknown > 0 {
		fmt.Fprintf(w, "%s: column %s: %d of %d rows hold a text that the model does not know, first %q in line %d; they count as missing\n",
			file, c.name, c.unknown, rows, c.unknownText, c.unknownLine)
	}
}
