package features

import "math"

// flows reads the movements of the last year.
func flows(p *position, asOf int64, v []float32) {
	const buckets = 6
	var out, in [buckets]float64
	var moves [numWindows]float32
	var asked, found, adjusted float64
	var exceptions28, exceptions90, adjusts, returns, transfers float32
	var e entry
	for log := p.log.since(asOf - 365*dayMicros); len(log) > 0; {
		e, log = log.next()
		age := int((asOf - e.at) / dayMicros)
		within90 := flag(age < 90)
		switch e.kind {
		case kindCount, kindPosting, kindOpening, kindASN:
			continue
		case kindPickException:
			exceptions28 += flag(age < 28)
			exceptions90 += within90
			if age < 90 && e.ref != none {
				asked += float64(e.ref)
				found += float64(e.qty)
			}
			continue
		case kindAdjustment:
			adjusts += within90
			adjusted += float64(within90) * math.Abs(float64(e.qty)) / 1000
			continue
		case kindReturn:
			returns += within90
		case kindTransfer:
			transfers += within90
		default:
		}
		for w, width := range windows {
			if age < int(width) {
				moves[w]++
			}
		}
		if b := age / 30; b >= buckets {
			continue
		} else if e.qty < 0 {
			out[b] -= float64(e.qty) / 1000
		} else {
			in[b] += float64(e.qty) / 1000
		}
	}
	v[pMoves7], v[pMoves28], v[pMoves90], v[pMoves365] = moves[w7], moves[w28], moves[w90], moves[w365]
	v[pExceptions28], v[pExceptions90], v[pAdjusts90] = exceptions28, exceptions90, adjusts
	v[pAdjustQty90], v[pReturns90], v[pTransfers90] = float32(adjusted), returns, transfers
	v[pShortShare90] = float32(ratio(found, asked))
	if len(p.log) == 0 {
		return
	}
	known := p.log[0].at
	v[pDaysKnown] = days(known, asOf)
	if p.ledger.lastMove != 0 {
		v[pDaysSinceMove] = days(p.ledger.lastMove, asOf)
	}
	n := min(buckets, int((asOf-known)/(30*dayMicros))+1)
	v[pOut30], v[pIn30] = float32(out[0]), float32(in[0])
	v[pOutMean], v[pOutTrend], v[pOutSpread] = flow(out[:n])
	v[pInMean], v[pInTrend], _ = flow(in[:n])
}

// flow returns the mean of a flow, newest first, the newest over the mean of
// the others, and the standard deviation over the mean. One unit is added to
// the denominators, so that slow movers do not explode.
func flow(x []float64) (mean, trend, spread float32) {
	var sum, squares float64
	for _, q := range x {
		sum += q
		squares += q * q
	}
	n := float64(len(x))
	m := sum / n
	mean, trend, spread = float32(m), nan, nan
	if n > 1 {
		trend = float32((x[0] + 1) / ((sum-x[0])/(n-1) + 1))
	}
	if n > 2 {
		spread = float32(math.Sqrt(max(0, squares/n-m*m)) / (m + 1))
	}
	return mean, trend, spread
}

// oddities reads what is unlike other periods between counts: stock that was
// corrected rather than moved, figures that repeat, movements that fail to come.
func oddities(p *position, book int64, v []float32) {
	l := &p.ledger
	v[pRestatedQty], v[pUnchanged], v[pOutRepeated] = 0, 0, 0
	if n := len(p.counts); n > 0 {
		corrected := l.sinceQty - l.receipts + l.picks
		v[pRestatedQty] = float32(logSize(corrected)) / 1000
		v[pUnchanged] = flag(book > 0 && book == l.lastCount)
		v[pOutRepeated] = flag(l.picks > 0 && l.picks == p.counts[n-1].picks)
	}
	v[pOutMissing], v[pInMissing] = missing(v[pOut30], v[pOutMean]), missing(v[pIn30], v[pInMean])
}

// missing is the logarithm of a usual flow that did not come, 0 when it did.
func missing(recent, usual float32) float32 {
	if recent != 0 || !(usual > 0) {
		return 0
	}
	return float32(math.Log1p(float64(usual)))
}
