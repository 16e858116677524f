package counting

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/warehouse"
)

var now = time.Date(2026, 6, 1, 5, 0, 0, 0, time.UTC)

// positions returns n random positions of one site, with equal values and
// dates among them.
func positions(rng *rand.Rand, n int) []Candidate {
	list := make([]Candidate, n)
	for i := range list {
		c := Candidate{
			Position: warehouse.Position{
				Site: "DC-1", SKU: warehouse.SKU(fmt.Sprintf("SKU-%d", i/2)),
				Location: warehouse.Location(fmt.Sprintf("A-%d-%d", i%2, i)),
			},
			Probability: float64(rng.IntN(20)) / 20, Units: float64(rng.IntN(50)),
			Book: warehouse.Qty(rng.IntN(300)-20) * warehouse.Unit, Usage: rng.ExpFloat64() * 10,
		}
		if rng.IntN(5) > 0 {
			c.Cost = warehouse.Cost{Micros: int64(i/2%7+1) * 1_500_000, Currency: "EUR"}
		}
		if rng.IntN(4) > 0 {
			c.LastCount = now.AddDate(0, 0, -rng.IntN(500))
		}
		list[i] = c
	}
	return list
}

func TestRankIsTheSameForAnyOrderOfThePositions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	list := positions(rng, 500)
	want := Rank(list, Default(60, 7), now)
	for range 20 {
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if diff := cmp.Diff(want, Rank(list, Default(60, 7), now)); diff != "" {
			t.Fatal(diff)
		}
	}
}

// Every beginning of the ranking must find at least what the best choice of
// positions finds that takes no longer: the fractional knapsack bound.
func TestRankFindsAsMuchAsTheBestChoiceOfTheSameMinutes(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 40 {
		list := positions(rng, 11)
		rows := Rank(list, Plan{Limit: len(list)}, now)
		var minutes, found float64
		for n, row := range rows {
			minutes += row.Minutes
			found += row.Minutes * row.ValuePerMinute
			if best := bestValue(rows, minutes); best > found*(1+1e-9) {
				t.Fatalf("first %d rows find %v in %v minutes, the best choice finds %v", n+1, found, minutes, best)
			}
		}
	}
}

func bestValue(rows []Row, budget float64) (best float64) {
	for set := range 1 << len(rows) {
		var minutes, value float64
		for i, row := range rows {
			if set>>i&1 == 1 {
				minutes += row.Minutes
				value += row.Minutes * row.ValuePerMinute
			}
		}
		if minutes <= budget*(1+1e-12) {
			best = max(best, value)
		}
	}
	return best
}

func TestRankReservesPlacesForOverduePositions(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		list := positions(rng, 300)
		for i := range list {
			if list[i].LastCount.IsZero() || rng.IntN(3) > 0 {
				list[i].LastCount = now.AddDate(0, 0, -rng.IntN(60)) // too recent for any floor
			}
		}
		all := Rank(list, Plan{Limit: len(list), FloorDays: Default(0, 0).FloorDays}, now)
		overdue := count(all, func(r Row) bool { return r.Overdue })
		rows := Rank(list, Default(50, rng.Uint64()), now)
		got := count(rows, func(r Row) bool { return r.Overdue && !r.Control })
		if want := min(10, overdue); got < want {
			t.Fatalf("%d of 50 rows are overdue positions, want at least %d", got, want)
		}
		if len(rows) != 50 {
			t.Fatalf("%d rows, want 50", len(rows))
		}
	}
}

func count(rows []Row, is func(Row) bool) (n int) {
	for _, r := range rows {
		if is(r) {
			n++
		}
	}
	return n
}

func TestControlsAreDrawnFromWhatWasNotChosen(t *testing.T) {
	list := positions(rand.New(rand.NewPCG(4, 4)), 1000)
	rows := Rank(list, Default(200, 1), now)
	seen := map[warehouse.Position]bool{}
	var weight float64
	for _, r := range rows {
		if seen[r.Position] {
			t.Errorf("%v is named twice", r.Position)
		}
		seen[r.Position] = true
		if r.Control {
			weight += 1 / r.Propensity
		} else if r.Propensity != 1 {
			t.Errorf("a row that is no control has propensity %v", r.Propensity)
		}
	}
	if n := count(rows, func(r Row) bool { return r.Control }); n != 10 {
		t.Errorf("%d controls in 200 rows, want 10", n)
	}
	if eligible := 1000.0 - 190; math.Abs(weight-eligible) > 1e-6 {
		t.Errorf("the controls stand for %v positions, %v were eligible", weight, eligible)
	}
	for n := 20; n <= 200; n += 20 {
		if got := count(rows[:n], func(r Row) bool { return r.Control }); got != n/20 {
			t.Errorf("%d controls in the first %d rows, want %d", got, n, n/20)
		}
	}
}

// Over many seeds each eligible position is drawn about equally often.
func TestControlsAreDrawnUniformly(t *testing.T) {
	list := positions(rand.New(rand.NewPCG(5, 5)), 120)
	const rounds = 4000
	times := map[warehouse.Position]float64{}
	var propensity float64
	for seed := range uint64(rounds) {
		for _, r := range Rank(list, Default(40, seed), now) {
			if r.Control {
				times[r.Position]++
				propensity = r.Propensity
			}
		}
	}
	mean := rounds * propensity
	chi2 := 0.0
	for _, n := range times {
		chi2 += (n - mean) * (n - mean) / mean
	}
	// 82 positions are eligible: chi squared has mean 82 and deviation 13.
	if len(times) != 82 || chi2 > 82+5*13 {
		t.Errorf("%d positions were ever drawn with chi squared %.0f, want all 82 and about 82", len(times), chi2)
	}
}

func TestTiesGoToTheNegativeBookThenToTheOldestCount(t *testing.T) {
	at := func(location string, book warehouse.Qty, days int) Candidate {
		return Candidate{
			Position: warehouse.Position{Site: "S", SKU: "K", Location: warehouse.Location(location)},
			Book:     book, LastCount: now.AddDate(0, 0, -days),
		}
	}
	never := at("E", 0, 0)
	never.LastCount = time.Time{}
	rows := Rank([]Candidate{at("A", 0, 5), at("B", 0, 9), at("D", 0, 9), at("C", -1, 1), never}, Plan{Limit: 5}, now)
	var got []string
	for _, r := range rows {
		got = append(got, string(r.Location))
	}
	if want := []string{"C", "E", "B", "D", "A"}; !slices.Equal(got, want) {
		t.Errorf("counted in the order %v, want %v", got, want)
	}
}

func TestRankSurvivesAnyNumber(t *testing.T) {
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e300, 0.5}
	var list []Candidate
	for i, p := range odd {
		for j, u := range odd {
			for k, micros := range []int64{0, 1, math.MaxInt64, -5} {
				list = append(list, Candidate{
					Position:    warehouse.Position{Site: "S", SKU: warehouse.SKU(fmt.Sprint(i, j, k)), Location: "A"},
					Probability: p, Units: u, Usage: p, Cost: warehouse.Cost{Micros: micros, Currency: "USD"},
					Book: warehouse.Qty(math.MinInt64 + int64(i)),
				})
			}
		}
	}
	rows := Rank(list, Default(len(list)/2, 1), now)
	if len(rows) != len(list)/2 {
		t.Fatalf("%d rows, want %d", len(rows), len(list)/2)
	}
	for _, r := range rows {
		if !(r.ValuePerMinute >= 0) || math.IsInf(r.ValuePerMinute, 0) || !(r.Minutes > 0) || r.Loss.Minor < 0 {
			t.Errorf("row %+v has a figure that means nothing", r)
		}
	}
	for _, plan := range []Plan{{}, {Limit: -1}, {Limit: 3, ControlShare: 9, FloorShare: math.NaN()}, {Limit: 1 << 40}} {
		if got := len(Rank(list, plan, now)); got > len(list) {
			t.Errorf("%d rows of %d positions", got, len(list))
		}
	}
	if rows := Rank(nil, Default(10, 1), now); len(rows) != 0 {
		t.Errorf("%d rows of no positions", len(rows))
	}
}

func TestASiteWithoutCostsRanksByUnits(t *testing.T) {
	list := []Candidate{
		{Position: warehouse.Position{SKU: "few", Location: "A"}, Probability: 0.5, Units: 2},
		{Position: warehouse.Position{SKU: "many", Location: "A"}, Probability: 0.4, Units: 9},
	}
	rows := Rank(list, Plan{Limit: 2}, now)
	if rows[0].SKU != "many" || rows[0].Loss.Currency != "" {
		t.Errorf("first is %s with loss %v, want many without a currency", rows[0].SKU, rows[0].Loss)
	}
	// Where some costs are known, the middle one stands in.
	list[0].Cost = warehouse.Cost{Micros: 2e6, Currency: "USD"}
	rows = Rank(list, Plan{Limit: 2}, now)
	if got, want := rows[0].ValuePerMinute*rows[0].Minutes, 0.4*9*2; math.Abs(got-want) > 1e-9 {
		t.Errorf("an unknown cost gives a loss of %v, want %v", got, want)
	}
}

func BenchmarkRankMillion(b *testing.B) {
	list := positions(rand.New(rand.NewPCG(6, 6)), 1_000_000)
	for b.Loop() {
		Rank(list, Default(500, 1), now)
	}
}
