package features

import "math"

// history reads the counts of a position, and returns how many there were and
// how many varied, weighed by age.
func history(p *position, asOf int64, v []float32) (errors, trials float64) {
	v[pCountsEver] = float32(len(p.counts))
	var size, over, n365, errors365, clean float64
	var last *count
	var nErrors int
	for i := len(p.counts) - 1; i >= 0; i-- {
		c := &p.counts[i]
		age := asOf - c.at
		w := decayPosition[min(age/dayMicros, int64(len(decayPosition)-1))]
		trials += w
		recent := age < 365*dayMicros
		if recent {
			n365++
		}
		d := c.variance()
		if d == 0 {
			if last == nil {
				clean++
			}
			continue
		}
		if last == nil {
			last = c
		}
		errors += w
		nErrors++
		size += float64(logSize(d)) / 1000
		if d > 0 {
			over++
		}
		if recent {
			errors365++
		}
		if packLike(c) {
			v[pLastRatio] = 1
		}
	}
	v[pErrorsEver], v[pErrors365], v[pCounts365] = float32(nErrors), float32(errors365), float32(n365)
	v[pOverShare] = float32(shrunk(over, float64(nErrors), 0.5, 2))
	v[pMeanSize] = float32(ratio(size, float64(nErrors)))
	if n := len(p.counts); n > 0 {
		v[pDaysSinceCount] = days(p.counts[n-1].at, asOf)
		v[pCleanRun] = float32(clean)
		if v[pLastRatio] != 1 {
			v[pLastRatio] = 0
		}
	}
	if last != nil {
		d := last.variance()
		v[pDaysSinceError] = days(last.at, asOf)
		v[pLastVariance] = float32(math.Copysign(float64(logSize(d))/1000, float64(d)))
		v[pLastRelative] = float32(float64(d) / (math.Abs(float64(last.book)) + 1000))
	}
	return errors, trials
}

// decayPosition[age] is 2^(-age/60 days): errors at a position are forgotten
// within a few months.
var decayPosition = func() (table [1024]float64) {
	for age := range table {
		table[age] = math.Exp2(-float64(age) / 60)
	}
	return table
}()

// packLike reports whether a count and its book differ by a factor that packs
// come in, the mark of a unit-of-measure error.
func packLike(c *count) bool {
	small, large := min(c.qty, c.book), max(c.qty, c.book)
	if small <= 0 {
		return false
	}
	for _, pack := range [...]int64{6, 10, 12, 20, 24, 48, 100, 144} {
		if large == small*pack {
			return true
		}
	}
	return false
}
