package scoring

import (
	"math"
	"slices"
	"time"

	"tallyman/features"
	"tallyman/warehouse"
)

// discrepancyShare is the expected size of a discrepancy as a share of the
// expected quantity. No public figure for receipts is known; of short picks
// 36 % are missing whole and the others by a seventh on average
// (Beta(0.5, 3)): 0.36 + 0.64/7.
const discrepancyShare = 0.45

// topReasons is how many reasons a line gets that raise its risk.
const topReasons = 3

// Evaluate answers a request as of now, or as of the state where that is
// later, and says up to which event it knows. A name never heard of is no
// error: the answer says what is missing. Positions take [Variance] alone,
// lines [Discrepancy] and [Late]; without a model for one of them the answer
// is degraded to rates, and so it is where events of more than a minute ago may
// be missing. Requests are answered side by side.
func (e *Engine) Evaluate(req Request, now time.Time) (Evaluation, int64) {
	state, err := e.read(now)
	defer e.mu.RUnlock()
	out := Evaluation{AsOf: state.Front(), Degraded: err != nil || e.lags(now)}
	var losses [][]amount // by outcome and line
	if req.Kind == StockPosition {
		out.Models = e.versions(Variance, Size)
		out.Schema = e.champions[Variance].hash
		losses = make([][]amount, 1)
		for i := range req.Lines {
			line, loss := e.position(state, req.Site, &req.Lines[i])
			out.Lines = append(out.Lines, line)
			losses[0] = append(losses[0], loss)
		}
	} else {
		out.Models = e.versions(Discrepancy, Late)
		out.Schema = e.champions[Discrepancy].hash
		losses = make([][]amount, 2)
		for _, q := range queries(&req) {
			line, loss := e.line(state, &req, q)
			out.Lines = append(out.Lines, line)
			losses[0] = append(losses[0], loss)
			losses[1] = append(losses[1], amount{})
		}
	}
	for _, v := range out.Models {
		out.Degraded = out.Degraded || v.Model == 0
	}
	out.Advice = advice(out.Lines)
	out.summarize(losses)
	return out, e.watermark
}

// position evaluates one position.
func (e *Engine) position(state *features.State, site warehouse.Site, l *LineRequest) (LineEvaluation, amount) {
	s, size := e.champions[Variance], e.champions[Size]
	p := warehouse.Position{Site: site, SKU: l.SKU, Location: l.Location}
	vector, missing := state.Position(p, &s.Schema)
	r := s.read(vector)
	sized := vector
	if size.hash != s.hash {
		sized, _ = state.Position(p, &size.Schema)
	}
	units, probability := expectedUnits(size.Score(sized)), s.Score(vector)
	loss := loss(units, r.cost(l.Cost, r.of("unit_cost"))).times(probability)
	return LineEvaluation{
		Line: l.Line, SKU: l.SKU, Location: l.Location, Units: units, Missing: missing, Vector: vector,
		Signals: []Signal{{Variance, probability, level(probability, r.usual(Variance)), loss.money()}},
		Reasons: s.reasons(vector, topReasons),
	}, loss
}

// A lineQuery is a line of the request as the state is asked about it.
type lineQuery struct {
	features.LineQuery
	request *LineRequest
}

// queries turns the lines of a load into queries. The load is being received
// as soon as anything of it was scanned.
func queries(req *Request) []lineQuery {
	arrived, value := false, 0.0
	for i := range req.Lines {
		l := &req.Lines[i]
		arrived = arrived || l.Scanned.Known
		if l.Expected.Known {
			value += l.Expected.Qty.Units() * l.Cost.PerUnit()
		} else {
			value = math.NaN()
		}
	}
	out := make([]lineQuery, len(req.Lines))
	for i := range req.Lines {
		l := &req.Lines[i]
		out[i] = lineQuery{features.LineQuery{
			Site: req.Site, SKU: l.SKU, Load: req.Load, Line: l.Line, Supplier: req.Supplier, Carrier: req.Carrier,
			Expected: l.Expected, ExpectedAt: req.ExpectedAt, Cost: l.Cost, Pack: l.Pack, Attrs: l.Attrs,
			Arrived: arrived, Lines: len(req.Lines), LoadValue: value,
		}, l}
	}
	return out
}

// line evaluates one line of a load.
func (e *Engine) line(state *features.State, req *Request, q lineQuery) (LineEvaluation, amount) {
	s, late := e.champions[Discrepancy], e.champions[Late]
	vector, missing := state.Line(&q.LineQuery, &s.Schema)
	lateVector := vector
	if late.hash != s.hash {
		lateVector, _ = state.Line(&q.LineQuery, &late.Schema)
	}
	r, l := s.read(vector), q.request
	expected := math.Expm1(r.of("expected"))
	if l.Expected.Known {
		expected = l.Expected.Qty.Units()
	}
	out := LineEvaluation{Line: l.Line, SKU: l.SKU, Location: l.Location, Missing: missing, Vector: vector}

	units, probability := discrepancyShare*expected, s.Score(vector)
	out.Reasons = s.reasons(vector, topReasons)
	if fact, ok := scanned(l); ok {
		probability, units = 1, math.Abs(l.Scanned.Qty.Units()-expected)
		out.Reasons = append([]Reason{fact}, out.Reasons[:min(len(out.Reasons), topReasons-1)]...)
	}
	loss := loss(units, r.cost(l.Cost, math.Expm1(r.of("unit_cost")))).times(probability)
	discrepancy := Signal{Discrepancy, probability, level(probability, r.usual(Discrepancy)), loss.money()}

	probability = late.Score(lateVector)
	lateReasons := late.reasons(lateVector, 1)
	if p, fact, ok := overdue(req, r, q.Arrived, state.Front()); ok {
		probability, lateReasons = p, fact
	}
	lateness := Signal{Outcome: Late, Probability: probability, Level: level(probability, r.usual(Late))}
	if lateness.Level != Low {
		out.Reasons = merge(out.Reasons, lateReasons)
	}
	out.Signals = []Signal{discrepancy, lateness}
	return out, loss
}

// cost is the unit cost that the request gives or else the one last seen.
func (r reading) cost(given warehouse.Cost, seen float64) warehouse.Cost {
	if given.Known() || math.IsNaN(seen) {
		return given
	}
	return warehouse.Cost{Micros: int64(math.Round(seen * 1e6)), Currency: warehouse.NoCurrency}
}

// merge appends the reasons whose code is not there yet.
func merge(to, from []Reason) []Reason {
	for _, r := range from {
		if !slices.ContainsFunc(to, func(x Reason) bool { return x.Code == r.Code }) {
			to = append(to, r)
		}
	}
	return to
}

// summarize fills in what holds of all lines together. The lines of a load go
// wrong together, by supplier, carrier and clerk, so the chance that any does
// is not that of independent lines: the highest stands for the load.
func (e *Evaluation) summarize(losses [][]amount) {
	var reasons []Reason
	for i := range e.Lines {
		l := &e.Lines[i]
		for o, s := range l.Signals {
			if o == len(e.Signals) {
				e.Signals = append(e.Signals, s)
			} else if s.Probability > e.Signals[o].Probability {
				e.Signals[o] = s
			}
		}
		for _, name := range l.Missing {
			if !slices.Contains(e.Missing, name) {
				e.Missing = append(e.Missing, name)
			}
		}
		reasons = append(reasons, l.Reasons...)
	}
	for o := range e.Signals {
		e.Signals[o].ExpectedLoss = sum(losses[o]).money()
		for i := range e.Lines {
			e.Signals[o].Level = higher(e.Signals[o].Level, e.Lines[i].Signals[o].Level)
		}
	}
	slices.SortStableFunc(reasons, byContribution)
	e.Reasons = merge(nil, reasons)
	e.Reasons = e.Reasons[:min(topReasons, len(e.Reasons))]
}

func higher(a, b Level) Level {
	for _, l := range []Level{High, Elevated} {
		if a == l || b == l {
			return l
		}
	}
	return Low
}
