package models

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Calibrator turns a model's margins into probabilities that mean what they
// say: of the rows given 0.2, one in five is positive. It never changes the
// order of two rows. It is [Beta] or [Isotonic].
//
//sumtype:decl
type Calibrator interface {
	// Probability maps a margin to a probability, non-decreasing in it.
	Probability(margin float32) float64
	// String is the text that ParseCalibrator reads back exactly.
	String() string

	isCalibrator()
}

// ParseCalibrator reads the text of a [Calibrator]: "beta a b c", or
// "isotonic" followed by alternating margins and probabilities.
func ParseCalibrator(text string) (Calibrator, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return nil, fmt.Errorf("calibrator text is empty")
	}
	numbers := make([]float64, len(fields)-1)
	for i, field := range fields[1:] {
		v, err := strconv.ParseFloat(field, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("calibrator %s: number %d is %q, want a finite number", fields[0], i+1, field)
		}
		numbers[i] = v
	}
	var c Calibrator
	var err error
	switch fields[0] {
	case "beta":
		c, err = parseBeta(numbers)
	case "isotonic":
		c, err = parseIsotonic(numbers)
	default:
		err = fmt.Errorf("calibrator %q is unknown, want beta or isotonic", fields[0])
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func joinNumbers(kind string, numbers ...float64) string {
	var b strings.Builder
	b.WriteString(kind)
	for _, v := range numbers {
		b.WriteByte(' ')
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return b.String()
}

// checkCalibration refuses what no calibrator can be fitted to.
func checkCalibration(margins, labels, weights []float32) error {
	if len(labels) != len(margins) || (weights != nil && len(weights) != len(margins)) {
		return fmt.Errorf("calibration has %d margins, %d labels and %d weights, want one of each per row",
			len(margins), len(labels), len(weights))
	}
	var positive, negative bool
	for i, y := range labels {
		if y != 0 && y != 1 {
			return fmt.Errorf("calibration row %d: label is %v, want 0 or 1", i, y)
		}
		if m := float64(margins[i]); math.IsNaN(m) || math.IsInf(m, 0) {
			return fmt.Errorf("calibration row %d: margin is %v, want a finite number", i, m)
		}
		w := weightOf(weights, i)
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("calibration row %d: weight is %v, want a finite number of at least 0", i, w)
		}
		positive = positive || (y == 1 && w > 0)
		negative = negative || (y == 0 && w > 0)
	}
	if !positive || !negative {
		return fmt.Errorf("calibration needs weighted rows of both classes, got %d rows of one", len(labels))
	}
	return nil
}

// weightOf is the weight of a row; nil weights are all 1.
func weightOf(weights []float32, row int) float64 {
	if weights == nil {
		return 1
	}
	return float64(weights[row])
}
