package models

import "math"

// expTable holds the bits of 2^(i/expSteps).
var expTable = func() (table [expSteps]uint64) {
	for i := range table {
		table[i] = math.Float64bits(math.Exp2(float64(i) / expSteps))
	}
	return table
}()

const expSteps = 64

// logistic sets p[i] to 1/(1+exp(-m[i])), to about ten digits and three times
// as fast as with math.Exp: exp(-m) is a table entry times a short series. The
// conversions keep products from being fused with sums, so that every build
// gives the same bits.
func logistic(p []float64, m []float32) {
	const steps, unit, limit = expSteps / math.Ln2, math.Ln2 / expSteps, 700
	p = p[:len(m)]
	for i, margin := range m {
		m := float64(margin)
		if m > limit { // max and min would ask for NaN, too
			m = limit
		} else if m < -limit {
			m = -limit
		}
		t := -m * steps
		k := roundToInt(t)
		x := (t - float64(k)) * unit
		series := 1 + float64(x*(1+float64(x*(0.5+float64(x*(1.0/6))))))
		power := math.Float64frombits(expTable[k&(expSteps-1)] + uint64(k>>6)<<52)
		p[i] = 1 / (1 + float64(power*series))
	}
}
