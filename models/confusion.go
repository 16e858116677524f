package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sjwhitworth/golearn/evaluation"
)

// ConfusionReport is golearn's text summary of a confusion matrix: precision,
// recall and F1 of both classes when predictions of at least cut count as 1.
func ConfusionReport(labels []float32, predictions []float64, cut float64) (string, error) {
	if len(labels) != len(predictions) {
		return "", fmt.Errorf("confusion report: %d labels for %d predictions", len(labels), len(predictions))
	}
	c := evaluation.ConfusionMatrix{"0": {}, "1": {}}
	class := map[bool]string{false: "0", true: "1"}
	for i, y := range labels {
		if y != 0 && y != 1 {
			return "", fmt.Errorf("confusion report: row %d: label is %v, want 0 or 1", i, y)
		}
		c[class[y == 1]][class[predictions[i] >= cut]]++
	}
	return sortedRows(evaluation.GetSummary(c)), nil
}

// sortedRows orders the classes of a summary, which golearn writes in the order
// of a map: a heading of two lines, a row for each class, the accuracy.
func sortedRows(summary string) string {
	lines := strings.SplitAfter(summary, "\n")
	slices.Sort(lines[2:4])
	return strings.Join(lines, "")
}
