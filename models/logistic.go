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

// logistic is 1/(1+exp(-m)) to about ten digits, three times as fast as with
// math.Exp: exp(-m) is a table entry times a short series. The conversions
// keep products from being fused with sums, so that every build gives the
// same bits.
func logistic(m float64) float64 {
	const steps = expSteps / math.Ln2
	t := -max(min(m, 700), -700) * steps
	k := roundToInt(t)
	x := (t - float64(k)) / steps
	series := 1 + float64(x*(1+float64(x*(0.5+float64(x*(1.0/6))))))
	power := math.Float64frombits(expTable[k&(expSteps-1)] + uint64(k>>6)<<52)
	return 1 / (1 + float64(power*series))
}
