package features

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What a tally says, whatever it remembers of earlier readings, is what adding
// up all its days says, from the newest to the oldest and today last.
func TestTallyAddsUpItsDays(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 4))
		var tally tally
		var days [900][numMeasures]int32
		for today := int32(10); today < int32(len(days)); today += 1 + rng.Int32N(9) {
			for range rng.IntN(6) {
				day, m, n := today-rng.Int32N(min(today, 3)), measure(rng.IntN(int(numMeasures))), 1+rng.Int32N(50)
				if rng.IntN(10) == 0 {
					day = rng.Int32N(today + 1)
				}
				if m == mErrors {
					tally.on(day).add(mCounts, n) // what varied was counted
					days[day][mCounts] += n
				}
				tally.on(day).add(m, n)
				days[day][m] += n
			}
			check(t, &tally, days[:today+1], rng.IntN(2) == 0)
		}
	}
}

// faded[h][age] is what is left of 1 after some days.
var faded = func() (table [numHalfLives][1000]float64) {
	for h, life := range halfLives {
		for age := range table[h] {
			table[h][age] = math.Exp2(-float64(age) / life)
		}
	}
	return table
}()

// check compares a tally with its days as of the last of them, with or without
// that one.
func check(t *testing.T, tally *tally, days [][numMeasures]int32, withToday bool) {
	t.Helper()
	today := len(days) - 1
	var s summary
	if withToday {
		tally.read(int32(today), &s)
	} else {
		tally.before(int32(today), &s)
		days = append([][numMeasures]int32(nil), days...)
		days[today] = [numMeasures]int32{}
	}
	same := func(what string, got, want float64) {
		t.Helper()
		if math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("day %d of %d tiles: %s is %v, want %v", today, len(tally.tiles), what, got, want)
		}
	}
	for m := range numMeasures {
		sum := func(weight func(age int) float64) (sum float64) {
			for day := today - 1; day >= 0; day-- {
				sum += float64(days[day][m]) * weight(today-day)
			}
			return sum + float64(days[today][m])
		}
		same("ever", s.ever(m), sum(func(int) float64 { return 1 }))
		for w, width := range windows {
			same("a window", s.window(w, m), sum(func(age int) float64 {
				if age < int(width) {
					return 1
				}
				return 0
			}))
		}
		for h := range halfLives {
			same("a decayed sum", s.decayed(h, m), sum(func(age int) float64 { return faded[h][age] }))
		}
	}
	last, clean := today, 0.0
	for last >= 0 && days[last][mCounts] == 0 {
		last--
	}
	for day := today; day >= 0 && days[day][mErrors] == 0; day-- {
		if days[day][mCounts] > 0 {
			clean++
		}
	}
	day, counts, errors := s.lastCount()
	if last < 0 {
		last = minDay
		same("the last day's counts", counts, 0)
	} else {
		same("the last day's counts", counts, float64(days[last][mCounts]))
		same("the last day's errors", errors, float64(days[last][mErrors]))
	}
	same("the last day", float64(day), float64(last))
	same("the clean run", s.cleanRun(), clean)
}
