package training

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"tallyman/scoring"
)

//go:embed report.html
var reportSource string

var report = template.Must(template.New("report").Funcs(template.FuncMap{
	"percent": func(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) },
	"tenths":  func(x float64) string { return fmt.Sprintf("%.1f", x) },
	"three":   three,
	"day":     func(t time.Time) string { return t.Format("2 January 2006") },
	"first":   func(n int, x []Topic) []Topic { return x[:min(n, len(x))] },
}).Parse(reportSource))

// BaselineNames lists the baselines, best lift at a tenth of the budget first.
func (b *Backtest) BaselineNames() []string {
	names := make([]string, 0, len(b.Baselines))
	for name := range b.Baselines {
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int {
		if d := b.Baselines[y].Lift["0.10"] - b.Baselines[x].Lift["0.10"]; d != 0 {
			return map[bool]int{true: 1, false: -1}[d > 0]
		}
		return strings.Compare(x, y)
	})
	return names
}

// WriteHTML writes the report for people: one self-contained page.
func (b *Backtest) WriteHTML(w io.Writer) error { return report.Execute(w, b) }

// Topic is what features together are about, as reasons say it.
type Topic struct {
	Name  string
	Share float64 // of what moves the margin, on average
}

// Topics sums the importance of features by topic, the strongest first.
func (b *Backtest) Topics() []Topic {
	var topics []Topic
	for _, f := range b.Features {
		name := scoring.Topic(b.Subject, f.Feature)
		i := slices.IndexFunc(topics, func(t Topic) bool { return t.Name == name })
		if i < 0 {
			i, topics = len(topics), append(topics, Topic{Name: name})
		}
		topics[i].Share += f.Share
	}
	slices.SortStableFunc(topics, func(x, y Topic) int { return cmp.Compare(y.Share, x.Share) })
	return topics
}

// The charts are drawn in a square of this many units.
const chartSize = 320

// GainLine returns the points of a policy's gain curve for an SVG polyline;
// the empty name is the model's.
func (b *Backtest) GainLine(name string) string {
	var points []string
	for _, p := range b.Gain {
		y := p.Model
		if name != "" {
			y = p.Baselines[name]
		}
		points = append(points, chartPoint(p.Share, y))
	}
	return strings.Join(points, " ")
}

func chartPoint(x, y float64) string {
	return fmt.Sprintf("%.1f,%.1f", x*chartSize, (1-y)*chartSize)
}

// A Dot is a bin of the calibration chart.
type Dot struct {
	X, Y float64
	Text string
}

// Dots returns the calibration chart, scaled by [Backtest.Scale].
func (b *Backtest) Dots() []Dot {
	var dots []Dot
	scale := b.Scale()
	for _, bin := range b.Reliability {
		dots = append(dots, Dot{
			X: bin.Predicted / scale * chartSize, Y: (1 - bin.Observed/scale) * chartSize,
			Text: fmt.Sprintf("said %.1f %%, was %.1f %% of %d", 100*bin.Predicted, 100*bin.Observed, bin.Examples),
		})
	}
	return dots
}

// Scale is the probability at the end of the calibration chart's axes.
func (b *Backtest) Scale() float64 {
	top := 0.01
	for _, bin := range b.Reliability {
		top = max(top, bin.Predicted, bin.Observed)
	}
	return top * 1.05
}

// three writes three decimals of a figure or of one that may be absent.
func three(x any) string {
	if p, ok := x.(*float64); ok {
		return fmt.Sprintf("%.3f", *p)
	}
	return fmt.Sprintf("%.3f", x)
}
