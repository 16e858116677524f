package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"

	"tallyman/features"
	"tallyman/models"
	"tallyman/scoring"
)

// modelShowCmd says what is in a model.
type modelShowCmd struct {
	Model string `arg:"" help:"Model to show."`
	CSV   string `name:"csv" xor:"csv" placeholder:"FILE" help:"Table for the mean |SHAP| of each feature."`
	Top   *int   `xor:"top" placeholder:"N" help:"Features to list; 20 when not given."`
	Tree  *int   `xor:"csv,top" placeholder:"N" help:"Show tree N (from 0) as text, and nothing else."`
}

// Run prints.
func (c *modelShowCmd) Run(k *kong.Context) error {
	m, err := readModel(c.Model)
	if err != nil {
		return err
	}
	top := 20
	if c.Top != nil {
		top = *c.Top
	}
	if top < 0 {
		return fmt.Errorf("--top is %d, want at least 0", top)
	}
	schema, err := schemaOf(m)
	if err != nil {
		return err
	}
	if c.Tree != nil {
		texts, err := categoriesOf(m, schema)
		if err != nil {
			return err
		}
		return m.DumpTree(k.Stdout, *c.Tree, texts)
	}
	var x models.Matrix
	if c.CSV != "" {
		d, _, err := tableOf(m, readOnce(c.CSV), "", false)
		if err != nil {
			return err
		}
		x = d.X
	}
	return writeLines(k.Stdout, func(w *bufio.Writer) {
		showMetadata(w, m, schema)
		showImportance(w, m, x, top)
	})
}

// categoriesOf returns the texts of a model's categories by feature: of a table's
// columns, or of a site's own facts.
func categoriesOf(m *models.Model, s tableSchema) (map[string][]string, error) {
	text, ok := m.Attributes[scoring.SchemaAttribute]
	if !ok {
		return s.Categories, nil
	}
	schema, err := features.ParseSchema(text)
	if err != nil {
		return nil, fmt.Errorf("model attribute %s: %w", scoring.SchemaAttribute, err)
	}
	texts := map[string][]string{}
	for _, a := range schema.Attrs {
		texts["attr."+a.Name] = a.Values
	}
	return texts, nil
}

func showMetadata(w io.Writer, m *models.Model, s tableSchema) {
	nodes := 0
	for _, t := range m.Trees {
		nodes += len(t.Nodes)
	}
	fmt.Fprintf(w, "objective   %s\nbase score  %v\nfeatures    %d\ntrees       %d with %d nodes\n",
		m.Objective, m.BaseScore, len(m.Features), len(m.Trees), nodes)
	if s.Label != "" {
		texts := 0
		for _, of := range s.Categories {
			texts += len(of)
		}
		fmt.Fprintf(w, "label       %s\ncategories  %d columns of %d texts\n", printable(s.Label), len(s.Categories), texts)
	}
	if m.Calibrator != nil {
		fmt.Fprintf(w, "calibrator  %.100s\n", m.Calibrator)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		if name != tableAttribute {
			fmt.Fprintf(w, "attribute   %s = %.100s\n", printable(name), printable(m.Attributes[name]))
		}
	}
}

// showImportance lists the features by mean |SHAP|, or by gain without rows.
func showImportance(w io.Writer, m *models.Model, x models.Matrix, top int) {
	all := m.Importances(x)
	order := make([]int, len(all))
	var gain, cover float64
	for f, i := range all {
		order[f] = f
		gain += i.Gain
		cover += i.Cover
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(all[b].MeanAbs, all[a].MeanAbs), cmp.Compare(all[b].Gain, all[a].Gain))
	})
	fmt.Fprintf(w, "\n%-32s %7s %7s %7s %10s\n", "feature", "splits", "gain", "cover", "mean|SHAP|")
	share := func(part, whole float64) float64 { return 100 * part / max(whole, 1e-300) }
	for _, f := range order[:min(top, len(order))] {
		shap := "-"
		if x.Rows > 0 {
			shap = fmt.Sprintf("%.5f", all[f].MeanAbs)
		}
		fmt.Fprintf(w, "%-32s %7d %6.2f%% %6.2f%% %10s\n", printable(m.Features[f]), all[f].Splits, share(all[f].Gain, gain), share(all[f].Cover, cover), shap)
	}
}

// modelConvertCmd rewrites a model.
type modelConvertCmd struct {
	In  string `arg:"" help:"Model to read, JSON or UBJSON."`
	Out string `arg:"" help:"Model to write: UBJSON if the name ends in .ubj or .ubjson, else JSON."`
}

// Run converts.
func (c *modelConvertCmd) Run() error {
	if err := writable([]string{c.Out}); err != nil { // in place is fine: it is read whole before
		return err
	}
	m, err := readModel(c.In)
	if err != nil {
		return err
	}
	return writeModel(c.Out, m)
}

// printable quotes a text from outside that would not show as it is on a terminal.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
