package triage

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
)

//go:embed report.html
var reportFile embed.FS

var reportTemplate = template.Must(template.New("report.html").Funcs(template.FuncMap{
	"percent": func(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) },
	"figure":  func(x float64) string { return fmt.Sprintf("%.4f", x) },
}).ParseFS(reportFile, "report.html"))

// Size of the risk-coverage chart in its own units.
const (
	chartWidth  = 600.0
	chartHeight = 220.0
)

// reportPage is what the template shows.
type reportPage struct {
	Evaluation
	Model, Source string
	Classes       []reportClass
	Curve         string  // points of the line
	MostRisk      float64 // at the top of the chart
}

type reportClass struct {
	Label string
	ClassScore
}

// WriteHTML writes a page of its own: figures, the risk-coverage curve, the
// most confused pairs and each label's score, worst first. The two names say
// what was measured on what.
func (e Evaluation) WriteHTML(w io.Writer, model, source string) error {
	p := reportPage{Evaluation: e, Model: model, Source: source, MostRisk: 0.01}
	for _, label := range slices.Sorted(maps.Keys(e.PerClass)) {
		p.Classes = append(p.Classes, reportClass{label, e.PerClass[label]})
	}
	slices.SortStableFunc(p.Classes, func(a, b reportClass) int {
		switch {
		case a.F1 < b.F1:
			return -1
		case a.F1 > b.F1:
			return 1
		}
		return 0
	})
	for _, r := range e.Risk {
		p.MostRisk = max(p.MostRisk, r.Risk)
	}
	var line strings.Builder
	for _, r := range e.Risk {
		fmt.Fprintf(&line, "%.1f,%.1f ", r.Coverage*chartWidth, chartHeight*(1-r.Risk/p.MostRisk))
	}
	p.Curve = line.String()
	return reportTemplate.Execute(w, p)
}
