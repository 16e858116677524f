package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

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
		if len(c.seen) == maxTexts {
			return fmt.Errorf("column %s has more than %d different texts, so it is no category; take it out of the file", c.name, maxTexts)
		}
		c.seen[strings.Clone(cell)] = true
	}
	return nil
}

// scanTable reads the whole file once and returns its feature columns and the
// schema that encodes it.
func scanTable(file, label string, categorical []string) (features []string, s tableSchema, err error) {
	var columns []columnScan
	s = tableSchema{Label: label, Categories: map[string][]string{}}
	err = readCSV(file, func(header []string) error {
		for _, name := range append([]string{label}, categorical...) {
			if !slices.Contains(header, name) {
				return fmt.Errorf("no column %q; there are %s", name, strings.Join(header, ", "))
			}
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
// categories is missing. Columns that are no feature are passed over.
func (s tableSchema) read(file string, features []string, kinds []models.Kind, wantLabel bool) (models.Dataset, error) {
	d := models.Dataset{X: models.Matrix{Cols: len(features)}, Names: features, Kinds: kinds}
	var from []int // column of each feature
	label := -1
	codes := make([]map[string]float32, len(features))
	for i, name := range features {
		if texts, ok := s.Categories[name]; ok {
			codes[i] = make(map[string]float32, len(texts))
			for code, text := range texts {
				codes[i][text] = float32(code)
			}
		}
	}
	err := readCSV(file, func(header []string) (err error) {
		if label = slices.Index(header, s.Label); label < 0 && wantLabel {
			return fmt.Errorf("no column %q, the label; there are %s", s.Label, strings.Join(header, ", "))
		}
		from, err = placeFeatures(header, features, label)
		return err
	}, func(_ int, cells []string) error {
		for i, c := range from {
			x, err := encode(cells[c], codes[i])
			if err != nil {
				return fmt.Errorf("column %s: %w", features[i], err)
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
	return d, err
}

// placeFeatures finds the column of each feature, by name; a model that has
// none (f0, f1, …) takes the columns in order.
func placeFeatures(header, features []string, label int) ([]int, error) {
	var from []int
	unnamed := !slices.Contains(header, features[0]) && features[0] == "f0"
	if unnamed {
		for c := range header {
			if c != label {
				from = append(from, c)
			}
		}
		if len(from) != len(features) {
			return nil, fmt.Errorf("the model has %d features without names, the file %d columns besides the label", len(features), len(from))
		}
		return from, nil
	}
	for _, name := range features {
		column := slices.Index(header, name)
		if column < 0 {
			return nil, fmt.Errorf("no column %q, which the model needs; there are %s", name, strings.Join(header, ", "))
		}
		from = append(from, column)
	}
	return from, nil
}

func encode(cell string, codes map[string]float32) (float32, error) {
	missing := float32(math.NaN())
	if codes != nil {
		if code, ok := codes[cell]; ok && cell != "" {
			return code, nil
		}
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

func (s tableSchema) labelOf(cell string) (float32, error) {
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
