package triage

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Judged is one example and what a model said about it.
type Judged struct {
	Want    string // label of the example
	Got     string
	P       float64
	Stray   float64
	Abstain bool
	Took    time.Duration
	Signals []string // ids of the taxonomy's signals, if there is one
}

// Evaluation is how good a model is on examples it has not seen. Figures other
// than OOS are over examples in scope.
type Evaluation struct {
	Examples     int                    `json:"examples"` // in scope
	Accuracy     float64                `json:"accuracy"`
	MacroF1      float64                `json:"macro_f1"`
	ECE          float64                `json:"ece"` // 15 equal bins of the likeliest label's probability
	PerClass     map[string]ClassScore  `json:"per_class"`
	CoverageAt   map[string]float64     `json:"coverage_at"` // largest share answered with this accuracy
	Abstaining   Abstaining             `json:"abstaining"`
	OOS          *OOSScore              `json:"oos,omitempty"`
	Signals      map[string]SignalScore `json:"signals,omitempty"`
	LatencyUS    Latency                `json:"latency_us"`
	TrainSeconds float64                `json:"train_seconds"`
	Confusions   []Confusion            `json:"confusions"`
	Risk         []RiskPoint            `json:"risk_coverage"`
}

// ClassScore is precision, recall and their harmonic mean for one label.
type ClassScore struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Examples  int     `json:"examples"`
}

// Abstaining is what happens when the model's own thresholds are followed.
type Abstaining struct {
	Coverage  float64 `json:"coverage"`  // share of examples in scope it answers
	Precision float64 `json:"precision"` // share of those answers that are right
}

// SignalScore is how well a signal finds the tickets of its label, over all
// examples.
type SignalScore struct {
	Examples int     `json:"examples"`
	Recall   float64 `json:"recall"` // share of them with the signal or the label itself
	Others   float64 `json:"others"` // share of all others that have the signal
}

// ScoreSignals says how well the taxonomy's signals find their labels, by id.
func (t *Taxonomy) ScoreSignals(judged []Judged) map[string]SignalScore {
	scores := map[string]SignalScore{}
	for _, s := range t.Signals {
		wanted, found, raised := 0, 0, 0
		for _, j := range judged {
			has := slices.Contains(j.Signals, s.ID)
			if j.Want != s.Label {
				raised += one(has)
				continue
			}
			wanted++
			found += one(has || j.Got == s.Label)
		}
		scores[s.ID] = SignalScore{wanted, ratio(found, wanted), ratio(raised, len(judged)-wanted)}
	}
	return scores
}

// OOSScore says how well texts out of scope are told from those in scope.
type OOSScore struct {
	Examples             int     `json:"examples"`
	AUROC                float64 `json:"auroc"`
	RecallAt5PctRejected float64 `json:"recall_at_5pct_rejection"`
	Recall               float64 `json:"recall"` // at the model's own limits: it abstains or says the out-of-scope label
}

// Latency is the time of one verdict in microseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Confusion counts examples of one label that got another.
type Confusion struct {
	Want     string `json:"want"`
	Got      string `json:"got"`
	Examples int    `json:"examples"`
}

// RiskPoint is the share of wrong labels when only the surest are answered.
type RiskPoint struct {
	Coverage float64 `json:"coverage"`
	Risk     float64 `json:"risk"`
}

// Evaluate sums up verdicts. Examples labelled outOfScope, which may be empty,
// measure how well a model notices that none of its labels fits.
func Evaluate(judged []Judged, outOfScope string) Evaluation {
	var in, out []Judged
	for _, j := range judged {
		if outOfScope != "" && j.Want == outOfScope {
			out = append(out, j)
		} else {
			in = append(in, j)
		}
	}
	e := Evaluation{Examples: len(in), PerClass: perClass(in), LatencyUS: latency(judged)}
	right, answered, answeredRight := 0, 0, 0
	for _, j := range in {
		ok := j.Got == j.Want
		right += one(ok)
		answered += one(!j.Abstain)
		answeredRight += one(ok && !j.Abstain)
	}
	e.Accuracy = ratio(right, len(in))
	e.Abstaining = Abstaining{ratio(answered, len(in)), ratio(answeredRight, answered)}
	for _, c := range e.PerClass {
		e.MacroF1 += c.F1 / float64(len(e.PerClass))
	}
	e.ECE = calibrationError(in)
	slices.SortStableFunc(in, func(a, b Judged) int { return cmp.Compare(b.P, a.P) })
	e.CoverageAt = map[string]float64{"0.95": coverageAt(in, 0.95), "0.98": coverageAt(in, 0.98)}
	e.Risk, e.Confusions = riskCurve(in), confusions(in)
	if len(out) > 0 {
		e.OOS = scoreOOS(in, out, outOfScope)
	}
	return e
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// perClass scores the labels that examples have; a label that is only ever
// given wrongly costs the precision of none of them and is not averaged.
func perClass(judged []Judged) map[string]ClassScore {
	wanted, got, hit := map[string]int{}, map[string]int{}, map[string]int{}
	for _, j := range judged {
		wanted[j.Want]++
		got[j.Got]++
		hit[j.Want] += one(j.Want == j.Got)
	}
	out := map[string]ClassScore{}
	for label, n := range wanted {
		s := ClassScore{Precision: ratio(hit[label], got[label]), Recall: ratio(hit[label], n), Examples: n}
		s.F1 = ratio(2*hit[label], n+got[label])
		out[label] = s
	}
	return out
}

func calibrationError(judged []Judged) float64 {
	const bins = 15
	var gap [bins]float64
	for _, j := range judged {
		gap[min(int(j.P*bins), bins-1)] += j.P - float64(one(j.Got == j.Want))
	}
	sum := 0.0
	for _, g := range gap {
		sum += math.Abs(g)
	}
	return sum / max(float64(len(judged)), 1)
}

// coverageAt is the largest share of the surest verdicts, which come first,
// that is right often enough.
func coverageAt(surest []Judged, accuracy float64) float64 {
	right, best := 0, 0
	for i, j := range surest {
		right += one(j.Got == j.Want)
		if float64(right) >= accuracy*float64(i+1) {
			best = i + 1
		}
	}
	return ratio(best, len(surest))
}

func riskCurve(surest []Judged) []RiskPoint {
	var points []RiskPoint
	wrong, every := 0, max(len(surest)/100, 1)
	for i, j := range surest {
		wrong += one(j.Got != j.Want)
		if (i+1)%every == 0 || i == len(surest)-1 {
			points = append(points, RiskPoint{ratio(i+1, len(surest)), ratio(wrong, i+1)})
		}
	}
	return points
}

func confusions(judged []Judged) []Confusion {
	pairs := map[[2]string]int{}
	for _, j := range judged {
		if j.Want != j.Got {
			pairs[[2]string{j.Want, j.Got}]++
		}
	}
	out := make([]Confusion, 0, len(pairs))
	for p, n := range pairs {
		out = append(out, Confusion{p[0], p[1], n})
	}
	slices.SortFunc(out, func(a, b Confusion) int {
		return cmp.Or(cmp.Compare(b.Examples, a.Examples), cmp.Compare(a.Want, b.Want), cmp.Compare(a.Got, b.Got))
	})
	return out[:min(len(out), 50)]
}

func latency(judged []Judged) Latency {
	took := make([]time.Duration, len(judged))
	for i, j := range judged {
		took[i] = j.Took
	}
	slices.Sort(took)
	at := func(q float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return float64(took[int(q*float64(len(took)-1))].Nanoseconds()) / 1000
	}
	return Latency{at(0.5), at(0.99)}
}

// scoreOOS ranks by [Judged.Stray]. AUROC is the chance that a text out of
// scope looks stranger than one in scope, a tie counting half.
func scoreOOS(in, out []Judged, outOfScope string) *OOSScore {
	inside := make([]float64, len(in))
	for i, j := range in {
		inside[i] = j.Stray
	}
	slices.Sort(inside)
	s := &OOSScore{Examples: len(out)}
	var beaten float64
	caught, noticed := 0, 0
	limit := math.Inf(-1) // stranger than this are at most 5 % of those in scope
	if len(inside) > 0 {
		limit = inside[len(inside)-1-len(inside)/20]
	}
	for _, j := range out {
		low, _ := slices.BinarySearch(inside, j.Stray)
		high, _ := slices.BinarySearch(inside, math.Nextafter(j.Stray, math.Inf(1)))
		beaten += (float64(low) + float64(high)) / 2
		caught += one(j.Stray > limit)
		noticed += one(j.Abstain || j.Got == outOfScope)
	}
	s.AUROC = beaten / max(float64(len(in)*len(out)), 1)
	s.RecallAt5PctRejected, s.Recall = ratio(caught, len(out)), ratio(noticed, len(out))
	return s
}
