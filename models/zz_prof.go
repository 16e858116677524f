package models

import (
	"fmt"
	"os"
	"slices"
	"sort"
	"time"
)

var profTimes = map[string][]float64{}

// timed is temporary.
func timed(name string) func() {
	t := time.Now()
	return func() { profTimes[name] = append(profTimes[name], time.Since(t).Seconds()*1e6) }
}

func DumpProf() {
	var names []string
	for n := range profTimes {
		names = append(names, n)
	}
	sort.Strings(names)
	total := 0.0
	for _, n := range names {
		v := profTimes[n]
		slices.Sort(v)
		fmt.Fprintf(os.Stderr, "%-14s n %5d min %9.1f p10 %9.1f p50 %9.1f us\n", n, len(v), v[0], v[len(v)/10], v[len(v)/2])
		total += v[len(v)/10] * float64(len(v)) / 200
	}
	fmt.Fprintf(os.Stderr, "sum of p10: %.1f us per tree\n", total)
}
