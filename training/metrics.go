package training

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"tallyman/models"
)

// Metrics say how well a ranking or a probability did. Probability metrics
// are absent where a policy gives none.
type Metrics struct {
	AUC              float64             `json:"auc"`
	AveragePrecision float64             `json:"average_precision"`
	Brier            *float64            `json:"brier,omitempty"`
	ECE              *float64            `json:"ece,omitempty"`
	Lift             map[string]float64  `json:"lift"`           // found over what random counting finds, by share of the budget
	Capture          map[string]float64  `json:"capture"`        // share of the outcomes found
	VarianceShare    map[string]float64  `json:"variance_share"` // share of the absolute difference found, in units
	ValueShare       map[string]float64  `json:"value_share,omitempty"`
	Intervals        map[string]Interval `json:"intervals,omitempty"` // 90 %, by resampling sites
}

// Interval is a 90 % bootstrap interval.
type Interval [2]float64

// A judge holds the rows that every policy is judged on.
type judge struct {
	periods  []int
	positive []float64
	units    []float64 // absolute difference
	values   []float64 // … times unit cost; nil when no row has a cost
	clusters []int     // site of each row
	weights  []float64 // all one
}

func newJudge(t *table) *judge {
	n := len(t.examples)
	j := &judge{
		periods: make([]int, n), positive: make([]float64, n), units: make([]float64, n), values: make([]float64, n),
		clusters: make([]int, n), weights: make([]float64, n),
	}
	sites := map[string]int{}
	costs := 0
	for i, e := range t.examples {
		j.periods[i] = e.At.Year()*12 + int(e.At.Month())
		site := string(e.Position.Site)
		if _, ok := sites[site]; !ok {
			sites[site] = len(sites)
		}
		j.clusters[i] = sites[site]
		j.weights[i] = 1
		if t.labels[i].positive {
			j.positive[i] = 1
			j.units[i] = t.labels[i].size.Units()
		}
		if e.Cost.Known() {
			costs++
			j.values[i] = j.units[i] * e.Cost.PerUnit()
		}
	}
	if costs == 0 {
		j.values = nil
	}
	return j
}

// policy judges an order of counting. The scores need only rank.
func (j *judge) policy(scores []float64) Metrics {
	r := rank(j.periods, scores)
	m := Metrics{
		AUC:              auc(ascending(scores), scores, j.positive, j.weights),
		AveragePrecision: models.AveragePrecision(scores, float32s(j.positive), nil),
		Lift:             map[string]float64{}, Capture: map[string]float64{}, VarianceShare: map[string]float64{},
	}
	for _, s := range shares {
		m.Capture[s.name] = r.captured(s.share, j.weights, j.positive)
		m.Lift[s.name] = m.Capture[s.name] / s.share
		if slices.Max(j.units) > 0 {
			m.VarianceShare[s.name] = r.captured(s.share, j.weights, j.units)
		}
		if j.values != nil && slices.Max(j.values) > 0 {
			if m.ValueShare == nil {
				m.ValueShare = map[string]float64{}
			}
			m.ValueShare[s.name] = r.captured(s.share, j.weights, j.values)
		}
	}
	return m
}

// probability judges calibrated probabilities.
func (j *judge) probability(p []float64) Metrics {
	m := j.policy(p)
	brier, ece := models.Brier(p, float32s(j.positive), nil), models.ECE(p, float32s(j.positive), nil, reliabilityBins)
	m.Brier, m.ECE = &brier, &ece
	return m
}

const (
	reliabilityBins = 10
	resamples       = 400
)

// intervals resamples whole sites, since counts of one site err together. One
// site says nothing of others: there are no intervals then, nor of a metric that
// most resamples leave undefined because nothing, or everything, in them is
// positive.
func (j *judge) intervals(scores []float64, seed uint64) map[string]Interval {
	r, order := rank(j.periods, scores), ascending(scores)
	rng := rand.New(rand.NewPCG(seed, 0))
	drawn := map[string][]float64{}
	sites := slices.Max(j.clusters) + 1
	if sites == 1 {
		return nil
	}
	weights := make([]float64, len(j.weights))
	times := make([]float64, sites)
	for range resamples {
		clear(times)
		for range sites {
			times[rng.IntN(sites)]++
		}
		for i, c := range j.clusters {
			weights[i] = times[c]
		}
		drawn["auc"] = append(drawn["auc"], auc(order, scores, j.positive, weights))
		for _, s := range shares {
			lift := r.captured(s.share, weights, j.positive) / s.share
			drawn["lift_"+s.name] = append(drawn["lift_"+s.name], lift)
		}
	}
	out := map[string]Interval{}
	for name, x := range drawn {
		x = slices.DeleteFunc(x, math.IsNaN)
		if len(x) < resamples/2 {
			continue
		}
		slices.Sort(x)
		out[name] = Interval{x[len(x)/20], x[len(x)-1-len(x)/20]}
	}
	return out
}

func float32s(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// period is the month that a budget is spent in.
func period(at time.Time) int { return at.Year()*12 + int(at.Month()) }
