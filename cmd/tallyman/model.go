package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"tallyman/models"
)

// modelCmd fits and uses models on any table, without a warehouse.
type modelCmd struct {
	Fit     modelFitCmd     `cmd:"" help:"Fit a model to a table."`
	Predict modelPredictCmd `cmd:"" help:"Predict each row of a table."`
	Eval    modelEvalCmd    `cmd:"" help:"Measure a model on a table with labels."`
	Show    modelShowCmd    `cmd:"" help:"Say what is in a model."`
	Convert modelConvertCmd `cmd:"" help:"Rewrite a model as JSON or UBJSON."`
	Compare modelCompareCmd `cmd:"" help:"Is one model better than another on the same rows?"`
}

// Help explains the commands at length.
func (*modelCmd) Help() string {
	return `Tables are CSV files with a header line, gzipped or not. The type of a column
comes from the whole column: all numbers, or all texts, which are categories.
Blank cells are missing; NA, NaN and null are too, among numbers. A table may be a
pipe, or - for the standard input.

A model file is XGBoost JSON (or UBJSON): XGBoost 1.7 and later load it, and
models that XGBoost trained can be used here.

  tallyman model fit --csv train.csv.gz --label late --out m.json
  tallyman model predict --model m.json --csv new.csv --out p.csv --explain 3
  tallyman model show m.json`
}

func readModel(name string) (*models.Model, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := unzip(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m, err := models.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// writeModel writes UBJSON if the name ends in .ubj or .ubjson, else JSON.
func writeModel(name string, m *models.Model) error {
	return writeFile(name, func(w io.Writer) error {
		if strings.HasSuffix(name, ".ubj") || strings.HasSuffix(name, ".ubjson") {
			return m.WriteUBJSON(w)
		}
		if err := m.WriteJSON(w); err != nil {
			return err
		}
		_, err := io.WriteString(w, "\n")
		return err
	})
}

// writeLines runs write on a buffered w and reports the first error.
func writeLines(w io.Writer, write func(*bufio.Writer)) error {
	b := bufio.NewWriter(w)
	write(b)
	return b.Flush()
}

// tableOf reads a table for a model; label names the label column, or is empty
// for the one the model was fitted to. Labels are 0 and 1 where the model predicts a
// probability, else any numbers.
func tableOf(m *models.Model, file source, label string, wantLabel bool) (models.Dataset, tableSchema, error) {
	s, err := schemaOf(m)
	if err != nil {
		return models.Dataset{}, s, err
	}
	if label != "" && label != s.Label {
		s.Label, s.LabelTexts = label, nil
	}
	s.numbers = !m.Probabilistic()
	if wantLabel && s.Label == "" {
		return models.Dataset{}, s, errors.New("the model does not say which column is the label: give --label")
	}
	d, err := s.read(file, m.Features, m.Kinds, wantLabel)
	if err == nil && wantLabel && d.X.Rows == 0 {
		err = errors.New("no rows below the header, so there is nothing to measure")
	}
	if err != nil {
		return models.Dataset{}, s, fmt.Errorf("%s: %w", file.name, err)
	}
	return d, s, nil
}
