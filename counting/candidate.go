package counting

import (
	"math"
	"slices"
	"time"

	"tallyman/warehouse"
)

// A Candidate is a position that could be counted.
type Candidate struct {
	warehouse.Position
	Zone        string
	Probability float64        // that a count would differ from book
	Units       float64        // expected size of the difference, if there is one, in base units
	Cost        warehouse.Cost // of one base unit; zero when unknown
	Book        warehouse.Qty
	LastCount   time.Time // zero when never counted
	Usage       float64   // base units that leave per day
}

// Countable reports whether there is anything to count: a location that the
// book says is empty and that was never counted, such as a dock that goods
// pass through, is no counting task.
func (c *Candidate) Countable() bool { return c.Book != 0 || !c.LastCount.IsZero() }

// expectedUnits is the expected difference in base units; what is not a
// number counts as nothing.
func (c *Candidate) expectedUnits() float64 {
	return within(c.Probability, 1) * within(c.Units, warehouse.MaxQty.Units())
}

func within(x, limit float64) float64 {
	if math.IsNaN(x) || x < 0 {
		return 0
	}
	return min(x, limit)
}

// Minutes of counting one position. They are round figures for a counter with
// a handheld; only their ratios matter to a ranking.
const (
	walkAndScan  = 1.5  // to a coded location, scan it, key the quantity
	search       = 3.0  // where the site tracks no locations: find the stock first
	perLogOfBook = 0.75 // per ln(1+units): ten units take 1.8 minutes more, a thousand 5.2
)

// minutes is how long counting the position takes. A book below zero says
// nothing about what is there and counts as an empty location.
func (c *Candidate) minutes() float64 {
	fixed := walkAndScan
	if c.Location.At() == warehouse.Main {
		fixed = search
	}
	return fixed + perLogOfBook*math.Log1p(max(0, c.Book.Units()))
}

// usualCost is the middle unit cost of the positions whose cost is known. It
// stands in for unknown costs; where none is known it is 1, so that such a
// site ranks by units.
func usualCost(candidates []Candidate) float64 {
	var costs []int64
	for i := range candidates {
		if c := candidates[i].Cost; c.Known() {
			costs = append(costs, c.Micros)
		}
	}
	if len(costs) == 0 {
		return 1
	}
	slices.Sort(costs)
	return float64(costs[len(costs)/2]) / 1e6
}
