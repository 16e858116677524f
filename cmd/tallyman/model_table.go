package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"tallyman/models"
)

// tableAttribute is where a model keeps how its table was encoded.
const tableAttribute = "tallyman.table"

// maxTexts is the most different texts of one column.
const maxTexts = 1 << 16

// tableSchema turns the cells of a table into numbers.
type tableSchema struct {
	Label      string              `json:"label,omitempty"`
	LabelTexts []string            `json:"label_texts,omitempty"` // for 0 and for 1, if the label is text
	Categories map[string][]string `json:"categories,omitempty"`  // by column: category i is the text at i

	numbers bool // labels are any numbers, not 0 and 1
}

// schemaOf returns the schema in a model's attributes, an empty one for a model
// that was fitted elsewhere.
func schemaOf(m *models.Model) (tableSchema, error) {
	var s tableSchema
	text, ok := m.Attributes[tableAttribute]
	if !ok {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("model attribute %s: %w", tableAttribute, err)
	}
	return s, nil
}

func (s tableSchema) attribute() (string, error) {
	text, err := json.Marshal(s)
	return string(text), err
}

// columnScan is what the first pass over a column found.
type columnScan struct {
	name        string
	categorical bool // asked for
	numbers     int
	texts       int // cells that are neither numbers nor missing
	textLine    int // of the first text
	text        string
	seen        map[string]bool // texts; all cells if categorical
}

func (c *columnScan) add(line int, cell string) error {
	if cell == "" {
		return nil
	}
	if !c.categorical && !isMissing(cell) {
		_, ok, err := number(cell)
		if err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
		if ok {
			c.numbers++
			return nil
		}
		if c.texts == 0 {
			c.textLine, c.text = line, cell
		}
		c.texts++
	}
	if !c.seen[cell] {
		if !utf8.ValidString(cell) {
			return fmt.Errorf("column %s: %q is not UTF-8 text; save the file as UTF-8", c.name, cell)
		}
		if len(c.seen) == maxTexts {
			return fmt.Errorf("column %s has more than %d different texts, so it is no category; take it out of the file", c.name, maxTexts)
		}
		c.seen[strings.Clone(cell)] = true
	}
	return nil
}

// scanTable reads the whole file once and returns its feature columns and the
// schema that encodes it.
func scanTable(file source, label string, categorical []string) (features []string, s tableSchema, err error) {
	var columns []columnScan
	s = tableSchema{Label: label, Categories: map[string][]string{}}
	err = readCSV(file.path, func(header []string) error {
		for _, name := range append([]string{label}, categorical...) {
			if !slices.Contains(header, name) {
				return noColumn(name, "", header)
			}
		}
		if len(header) == 1 {
			return fmt.Errorf("%q is the only column; there is nothing to predict it from", label)
		}
		for _, name := range header {
			columns = append(columns, columnScan{name: name, categorical: slices.Contains(categorical, name), seen: map[string]bool{}})
		}
		return nil
	}, func(line int, cells []string) error {
		for i, cell := range cells {
			if err := columns[i].add(line, cell); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range columns {
		switch {
		case err != nil:
		case c.name == label:
			s.LabelTexts, err = c.labelTexts()
		case c.numbers > 0 && c.texts > 0:
			err = fmt.Errorf("line %d, column %s: %q is not a number, but %d other cells are; correct it, or pass --categorical %s",
				c.textLine, c.name, c.text, c.numbers, c.name)
		case c.categorical || c.texts > 0:
			s.Categories[c.name] = slices.Sorted(maps.Keys(c.seen))
		}
		if c.name != label {
			features = append(features, c.name)
		}
	}
	return features, s, err
}

// labelTexts returns the texts that mean 0 and 1, nil if the label is numbers.
func (c *columnScan) labelTexts() ([]string, error) {
	if c.texts == 0 && !c.categorical {
		return nil, nil
	}
	texts := slices.Sorted(maps.Keys(c.seen))
	if len(texts) == 2 {
		switch strings.ToLower(texts[0] + "/" + texts[1]) {
		case "no/yes", "n/y", "false/true", "f/t", "0/1":
			return texts, nil
		}
	}
	return nil, fmt.Errorf("label %s has the values %.60q; it must be 0 or 1, No or Yes, false or true", c.name, texts)
}

// kinds returns the kind of each feature.
func (s tableSchema) kinds(features []string) []models.Kind {
	kinds := make([]models.Kind, len(features))
	for i, name := range features {
		if _, ok := s.Categories[name]; ok {
			kinds[i] = models.Categorical
		}
	}
	return kinds
}

// read reads a table into the features of a model. A text that is not among the
// categories is missing, of which the user is told. Columns that are no feature
// are passed over.
func (s tableSchema) read(file source, features []string, kinds []models.Kind, wantLabel bool) (models.Dataset, error) {
	d := models.Dataset{X: models.Matrix{Cols: len(features)}, Names: features, Kinds: kinds}
	columns := s.columns(features)
	label := -1
	err := readCSV(file.path, func(header []string) error {
		if label = slices.Index(header, s.Label); label < 0 && wantLabel {
			return noColumn(s.Label, ", the label", header)
		}
		return placeFeatures(columns, header, label)
	}, func(line int, cells []string) error {
		for i := range columns {
			c := &columns[i]
			x, err := c.encode(line, cells[c.from])
			if err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
			d.X.Data = append(d.X.Data, x)
		}
		d.X.Rows++
		if !wantLabel {
			return nil
		}
		y, err := s.labelOf(cells[label])
		d.Y = append(d.Y, y)
		return err
	})
	for _, c := range columns {
		c.warn(os.Stderr, file.name, d.X.Rows)
	}
	return d, err
}

func (s tableSchema) labelOf(cell string) (float32, error) {
	if s.numbers {
		y, ok, err := number(cell)
		if err == nil && !ok {
			err = fmt.Errorf("label %s is %q, want a number", s.Label, cell)
		}
		return y, err
	}
	if s.LabelTexts != nil {
		if i := slices.Index(s.LabelTexts, cell); i >= 0 {
			return float32(i), nil
		}
		return 0, fmt.Errorf("label %s is %q, want %s or %s", s.Label, cell, s.LabelTexts[0], s.LabelTexts[1])
	}
	if y, ok, err := number(cell); ok && err == nil && (y == 0 || y == 1) {
		return y, nil
	}
	switch strings.ToLower(cell) {
	case "no", "false":
		return 0, nil
	case "yes", "true":
		return 1, nil
	}
	return 0, fmt.Errorf("label %s is %q, want 0 or 1", s.Label, cell)
}
