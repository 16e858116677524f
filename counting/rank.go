package counting

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tallyman/warehouse"
)

// A Plan says how many positions to name and how.
type Plan struct {
	Limit        int     // rows at most
	ControlShare float64 // of the rows that are drawn at random, from 0 to 1
	FloorShare   float64 // of the rows that go to overdue positions, from 0 to 1
	FloorDays    FloorDays
	Seed         uint64 // of the draw; a new one for every ranking
}

// FloorDays is how many days may pass between counts of a position. A position
// that was never counted is always overdue.
type FloorDays struct{ A, B, C float64 }

// Default is a plan with a control in twenty, a fifth of the rows reserved for
// overdue positions, and the floors that OpenBoxes ships with.
func Default(limit int, seed uint64) Plan {
	return Plan{
		Limit: limit, ControlShare: 0.05, FloorShare: 0.2, Seed: seed,
		FloorDays: FloorDays{A: 90, B: 180, C: 365},
	}
}

// A Row is one position to count; the order of the rows is the order to count
// in.
type Row struct {
	Candidate
	Class          Class
	Loss           warehouse.Money // expected; no currency when no cost is known
	Minutes        float64         // that counting takes
	ValuePerMinute float64         // expected loss found, in major units; units where the site knows no cost
	Overdue        bool            // beyond the floor of its class, or never counted
	Floor          bool            // here only because it is overdue
	Control        bool            // drawn at random, to measure by
	Propensity     float64         // of a control: number drawn over number eligible; else 1
}

// Rank returns the positions of one site to count next. First come those with
// the most expected loss per minute: probability times expected units times
// unit cost. Counting them from the top finds as much as any choice that takes
// as long. A book below zero goes before others of equal value, then what was
// counted longest ago. If too few of them are overdue, the places reserved for
// those go to the most overdue ones. The controls are drawn, each with the same
// chance, from all positions not chosen so far. Floor and control rows are
// spread evenly over the list, so that a list counted half way has its half of
// them. Amounts are compared as they are: one site, one currency.
func Rank(candidates []Candidate, plan Plan, now time.Time) []Row {
	limit := max(0, min(plan.Limit, len(candidates)))
	r := newRanking(candidates, plan, now)
	controls := places(plan.ControlShare, limit)
	if limit == len(candidates) {
		controls = 0 // nothing is left to chance when everything is counted
	}
	reserved := min(int(math.Ceil(within(plan.FloorShare, 1)*float64(limit))), limit-controls)

	best := top(len(candidates), limit, nil, r.byValue)
	taken := make([]bool, len(candidates))
	byValue := slices.Clip(best[:limit-controls-reserved])
	overdue := 0
	for _, i := range byValue {
		taken[i] = true
		if r.age[i] >= 1 {
			overdue++
		}
	}
	late := func(i int32) bool { return !taken[i] && r.age[i] >= 1 }
	floor := top(len(candidates), max(0, reserved-overdue), late, r.byAge)
	for _, i := range floor {
		taken[i] = true
	}
	for _, i := range best[len(byValue):] {
		if len(byValue)+len(floor) == limit-controls {
			break
		}
		if !taken[i] {
			taken[i] = true
			byValue = append(byValue, i)
		}
	}
	drawn := r.draw(controls, taken)
	propensity := float64(len(drawn)) / float64(max(1, len(candidates)-len(byValue)-len(floor)))
	return r.rows(byValue, floor, drawn, propensity)
}

// places is a share of the rows, rounded, but at least one where there are ten.
func places(share float64, rows int) int {
	share = within(share, 1)
	n := int(math.Round(share * float64(rows)))
	if n == 0 && share > 0 && rows >= 10 {
		return 1
	}
	return n
}

// ranking holds what positions are compared by.
type ranking struct {
	candidates []Candidate
	plan       Plan
	now        time.Time
	usual      float64
	classes    []Class
	perMinute  []float64
	age        []float64 // time since the last count over what the class allows
}

func newRanking(candidates []Candidate, plan Plan, now time.Time) *ranking {
	r := &ranking{candidates: candidates, plan: plan, now: now, usual: usualCost(candidates)}
	r.classes = classify(candidates, r.usual)
	r.perMinute, r.age = make([]float64, len(candidates)), make([]float64, len(candidates))
	for i := range candidates {
		r.perMinute[i] = r.loss(&candidates[i]) / candidates[i].minutes()
		r.age[i] = r.overdue(&candidates[i], r.classes[i])
	}
	return r
}

// loss is the expected loss of a position in major units.
func (r *ranking) loss(c *Candidate) float64 {
	cost := r.usual
	if c.Cost.Known() {
		cost = c.Cost.PerUnit()
	}
	return c.expectedUnits() * within(cost, 1e9)
}

// overdue is the time since the last count over what the class allows.
func (r *ranking) overdue(c *Candidate, class Class) float64 {
	if c.LastCount.IsZero() {
		return math.Inf(1)
	}
	floor := r.plan.FloorDays.C
	switch class {
	case A:
		floor = r.plan.FloorDays.A
	case B:
		floor = r.plan.FloorDays.B
	case C:
	}
	if !(floor > 0) {
		return 0 // no floor
	}
	return r.now.Sub(c.LastCount).Hours() / 24 / floor
}

// byValue orders positions as they should be counted.
func (r *ranking) byValue(i, j int32) int {
	if c := cmp.Compare(r.perMinute[j], r.perMinute[i]); c != 0 {
		return c
	}
	x, y := &r.candidates[i], &r.candidates[j]
	if below := x.Book < 0; below != (y.Book < 0) {
		if below {
			return -1
		}
		return 1
	}
	return cmp.Or(x.LastCount.Compare(y.LastCount), x.Compare(y.Position))
}

// byAge orders positions by how overdue they are.
func (r *ranking) byAge(i, j int32) int {
	return cmp.Or(cmp.Compare(r.age[j], r.age[i]), r.byValue(i, j))
}

// draw picks n of the positions not taken, every set of n alike: those with
// the smallest hashes under the seed. A hash does not depend on the order of
// the candidates, which a shuffle would.
func (r *ranking) draw(n int, taken []bool) []int32 {
	hashes := make([]uint64, len(r.candidates))
	if n > 0 {
		for i := range r.candidates {
			hashes[i] = hash(r.plan.Seed, &r.candidates[i].Position)
		}
	}
	return top(len(r.candidates), n, func(i int32) bool { return !taken[i] }, func(i, j int32) int {
		return cmp.Or(cmp.Compare(hashes[i], hashes[j]), r.byValue(i, j))
	})
}

// rows merges the three kinds, each spread evenly over the list.
func (r *ranking) rows(byValue, floor, drawn []int32, propensity float64) []Row {
	type place struct {
		at  float64
		row Row
	}
	var list []place
	for kind, chosen := range [][]int32{byValue, floor, drawn} {
		for n, i := range chosen {
			row := r.row(i)
			row.Floor, row.Control = kind == 1, kind == 2
			if row.Control {
				row.Propensity = propensity
			}
			list = append(list, place{(float64(n) + 0.5) / float64(len(chosen)), row})
		}
	}
	slices.SortStableFunc(list, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	rows := make([]Row, len(list))
	for i := range list {
		rows[i] = list[i].row
	}
	return rows
}

func (r *ranking) row(i int32) Row {
	c := &r.candidates[i]
	row := Row{
		Candidate: *c, Class: r.classes[i], Minutes: c.minutes(), ValuePerMinute: r.perMinute[i],
		Overdue: r.age[i] >= 1, Propensity: 1,
	}
	if c.Cost.Known() {
		row.Loss = warehouse.Round(r.loss(c), c.Cost.Currency)
	}
	return row
}
