package scoring

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// figure writes a number as people do: whole from ten up, with a real minus.
func figure(x float64) string {
	var s string
	if math.Abs(x) >= 10 || math.Abs(x-math.Round(x)) < 0.05 {
		s = fmt.Sprintf("%.0f", x)
	} else {
		s = fmt.Sprintf("%.1f", x)
	}
	if s == "-0" {
		return "0"
	}
	return strings.Replace(s, "-", "−", 1)
}

// percent writes a share.
func percent(p float64) string {
	switch p = written(p); {
	case p == 0:
		return "0 %"
	case p == leastShare:
		return "under 0.1 %"
	case p < 1:
		return strconv.FormatFloat(p, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}

// leastShare stands for every percentage that is written as under a tenth.
const leastShare = 0.05

// written is a share in percent as it is written: two shares that are written alike
// are equal.
func written(p float64) float64 {
	switch p *= 100; {
	case p > 0 && p < 0.1:
		return leastShare
	case p > 0 && p < 0.95:
		return math.RoundToEven(p*10) / 10
	}
	return math.RoundToEven(p)
}

// count writes a number of things: "1 move", "3 moves".
func count(n float64, thing string) string {
	if figure(n) == "1" {
		return "1 " + thing
	}
	return figure(n) + " " + thing + "s"
}

// span writes a time given in days.
func span(days float64) string {
	if days < 1 {
		return count(math.Max(1, math.Round(days*24)), "hour")
	}
	return count(math.Round(days), "day")
}
