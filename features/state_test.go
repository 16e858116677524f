package features

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tallyman/warehouse"
)

// randomEvents returns n events of every type at a few sites, in time order,
// with many of them at the same instant.
func randomEvents(rng *rand.Rand, n int) []warehouse.Event {
	start := time.Date(2026, 1, 1, 6, 0, 0, 0, time.UTC)
	pick := func(prefix string, n int) string { return fmt.Sprintf("%s%d", prefix, rng.IntN(n)) }
	location := func() warehouse.Location {
		return warehouse.Location(fmt.Sprintf("%c-%02d", 'A'+rng.IntN(3), rng.IntN(3)))
	}
	maybe := func(q warehouse.Qty) warehouse.MaybeQty {
		return warehouse.MaybeQty{Qty: q, Known: rng.IntN(3) > 0}
	}
	events := make([]warehouse.Event, n)
	for i := range events {
		e := warehouse.Event{
			Source: "test", ID: fmt.Sprint(i), Type: warehouse.Types[rng.IntN(len(warehouse.Types))],
			OccurredAt: start.Add(time.Duration(rng.IntN(n/4)) * 3 * time.Hour),
			Site:       warehouse.Site(pick("S", 3)), SKU: warehouse.SKU(pick("K", 5)),
			Qty: warehouse.Some(warehouse.Qty(rng.IntN(40)) * warehouse.Unit), User: warehouse.User(pick("u", 4)),
			Supplier: warehouse.Supplier(pick("p", 3)), Carrier: warehouse.Carrier(pick("c", 2)),
			From: location(), To: location(), Location: location(),
		}
		e.OccurredAt = e.OccurredAt.In(time.FixedZone("", rng.IntN(3)*3600))
		switch e.Type {
		case warehouse.ASN, warehouse.Receipt:
			e.Load, e.Line = warehouse.Load(pick("L", n/20+1)), warehouse.Line(pick("", 3))
			e.Expected, e.ExpectedAt = warehouse.Some(20*warehouse.Unit), e.OccurredAt.Add(time.Duration(rng.IntN(200))*time.Hour)
			e.Cost = warehouse.Cost{Micros: int64(rng.IntN(1e7)), Currency: "EUR"}
			e.Attrs = []warehouse.Attr{{Name: "class", Value: pick("v", 3)}, {Name: "kg", Value: fmt.Sprint(rng.IntN(9))}}
		case warehouse.Count:
			e.Book = maybe(warehouse.Qty(rng.IntN(60)-10) * warehouse.Unit)
		case warehouse.PickException:
			e.Expected = maybe(40 * warehouse.Unit)
		case warehouse.Transfer:
			if rng.IntN(2) == 0 {
				e.From = ""
			}
		case warehouse.Adjustment:
			e.Reason = []string{"", "damage", warehouse.ReasonCount, warehouse.ReasonOpening}[rng.IntN(4)]
			e.Qty = maybe(warehouse.Qty(rng.IntN(40)-20) * warehouse.Unit)
			e.Qty.Known = e.Qty.Known || e.Reason != warehouse.ReasonCount
		}
		events[i] = e
	}
	slices.SortStableFunc(events, func(a, b warehouse.Event) int { return a.OccurredAt.Compare(b.OccurredAt) })
	return events
}

// shuffled moves events out of order as intake may, leaving events of the
// same instant in their order, which is what breaks ties.
func shuffled(rng *rand.Rand, events []warehouse.Event) []warehouse.Event {
	type keyed struct {
		warehouse.Event
		key float64
	}
	keys := map[int64]float64{}
	var list []keyed
	for _, e := range events {
		at := e.OccurredAt.UnixMicro()
		if _, ok := keys[at]; !ok {
			keys[at] = rng.Float64()
		}
		list = append(list, keyed{e, keys[at]})
	}
	slices.SortStableFunc(list, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	out := make([]warehouse.Event, len(list))
	for i := range list {
		out[i] = list[i].Event
	}
	return out
}

// everything returns every vector that the state can give at its front, by
// the name of what it describes.
func everything(tb testing.TB, s *State, schemas ...Schema) map[string][]float32 {
	tb.Helper()
	out := map[string][]float32{}
	for i := range schemas {
		schema := &schemas[i]
		if schema.Subject == PositionSubject {
			for p := range s.Positions("", schema) {
				out["position "+fmt.Sprint(p.Position)] = slices.Clone(p.Vector)
			}
			continue
		}
		for _, site := range []warehouse.Site{"S0", "S1", "S2", "S9"} {
			for k := range 6 {
				q := LineQuery{
					Site: site, SKU: warehouse.SKU(fmt.Sprint("K", k)), Supplier: warehouse.Supplier(fmt.Sprint("p", k%4)), Carrier: "c1",
					Load: "L1", Line: "1", Expected: warehouse.Some(5000), Arrived: k%2 == 0, Attrs: []warehouse.Attr{{Name: "class", Value: "v1"}},
				}
				v, _ := s.Line(&q, schema)
				out[fmt.Sprint("line ", site, k)] = v
			}
		}
	}
	return out
}

// same fails unless two sets of vectors agree to the bit.
func same(t *testing.T, what string, names []string, want, got map[string][]float32) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%s: %d vectors, want %d", what, len(got), len(want))
	}
	for key, w := range want {
		g := got[key]
		for i := range w {
			if math.Float32bits(w[i]) != math.Float32bits(g[i]) && !(w[i] != w[i] && g[i] != g[i]) {
				name := fmt.Sprint(i)
				if i < len(names) {
					name = names[i]
				}
				t.Fatalf("%s: %s: feature %s is %v, want %v", what, key, name, g[i], w[i])
			}
		}
	}
}

func allSchemas(c *Coder, facts []Fact) []Schema {
	return []Schema{c.WithAttrs(PositionSubject, facts), c.WithAttrs(LoadSubject, facts)}
}

// The state is a function of the set of events: in time order, shuffled, all
// at once or advancing step by step, folded by one thread or several.
func TestOrderOfIntakeDoesNotMatter(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		events := randomEvents(rng, 1500)
		asOf := events[len(events)*9/10].OccurredAt // the rest lies ahead

		inOrder := NewState()
		for i := range events {
			inOrder.Add(&events[i])
		}
		if err := inOrder.Advance(asOf); err != nil {
			t.Fatal(err)
		}
		coder := NewCoder()
		schemas := allSchemas(coder, encode(coder, events))
		want := everything(t, inOrder, schemas...)

		late := NewState()
		for i, e := range shuffled(rng, events) {
			late.Add(&e)
			if i%100 == 99 {
				step := late.Front().Add(30 * time.Hour)
				if i == 99 {
					step = events[0].OccurredAt
				}
				if step.Before(asOf) {
					if err := late.Advance(step); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if err := late.Advance(asOf); err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("seed %d, shuffled", seed), positionNames[:], want, everything(t, late, schemas...))

		for _, threads := range []int{1, 3} {
			replayed := NewState()
			facts := encode(replayed.coder, events)
			SortFacts(facts)
			n := slices.IndexFunc(facts, func(f Fact) bool { return f.At >= asOf.UnixMicro() })
			if _, err := replayed.Replay(context.Background(), facts[:n], nil, threads); err != nil {
				t.Fatal(err)
			}
			if err := replayed.Advance(asOf); err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprintf("seed %d, replayed by %d", seed, threads), positionNames[:], want, everything(t, replayed, schemas...))
		}
	}
}

// What happens at or after an instant does not show in its vectors.
func TestTheFutureDoesNotShow(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	events := randomEvents(rng, 1200)
	asOf := events[600].OccurredAt
	coder := NewCoder()
	schemas := allSchemas(coder, encode(coder, events[:600]))
	vectors := func(events []warehouse.Event) map[string][]float32 {
		s := NewState()
		for i := range events {
			s.Add(&events[i])
		}
		if err := s.Advance(asOf); err != nil {
			t.Fatal(err)
		}
		return everything(t, s, schemas...)
	}
	past := slices.DeleteFunc(slices.Clone(events), func(e warehouse.Event) bool { return !e.OccurredAt.Before(asOf) })
	poisoned := slices.Clone(events)
	for i := range poisoned {
		if !poisoned[i].OccurredAt.Before(asOf) {
			poisoned[i].Qty = warehouse.Some(999_000)
			poisoned[i].SKU, poisoned[i].User, poisoned[i].Supplier = "K1", "u1", "p1"
		}
	}
	want := vectors(past)
	same(t, "with a future", positionNames[:], want, vectors(events))
	same(t, "with another future", positionNames[:], want, vectors(poisoned))
}

// delays puts off when facts become known, two in three of them, most by
// hours and some by weeks, and returns the facts in the order in which they do.
func delays(rng *rand.Rand, facts []Fact) (order []int) {
	for i := range facts {
		order = append(order, i)
		switch rng.IntN(6) {
		case 0, 1:
		case 2:
			facts[i].Known += int64(rng.IntN(40)) * dayMicros / 2
		default:
			facts[i].Known += int64(rng.IntN(20)) * dayMicros / 8
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(facts[a].Known, facts[b].Known) })
	return order
}

// An example read in a replay is the vector that the live state gives at that
// instant, which has heard of what was known by then, whatever the number of
// threads.
func TestReplayReadsWhatServingReads(t *testing.T) {
	for name, late := range map[string]bool{"known as it happens": false, "known late": true} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 9))
			replayReadsWhatServingReads(t, rng, late)
		})
	}
}

func replayReadsWhatServingReads(t *testing.T, rng *rand.Rand, late bool) {
	t.Helper()
	events := randomEvents(rng, 1500)
	replayed := NewState()
	facts := encode(replayed.coder, events)
	order := make([]int, len(facts))
	for i := range order {
		order[i] = i
	}
	if late {
		order = delays(rng, facts)
	}
	schema := replayed.WithAttrs(PositionSubject, facts)
	examples, err := replayed.Replay(context.Background(), facts, &schema, 2)
	if err != nil {
		t.Fatal(err)
	}
	live, next := NewState(), 0
	checked := 0
	for _, e := range examples {
		for next < len(order) && facts[order[next]].Known < e.At.UnixMicro() {
			live.Add(&events[order[next]])
			next++
		}
		if err := live.Advance(e.At); err != nil {
			t.Fatal(err)
		}
		got, _ := live.Position(e.Position, &schema)
		want := slices.Clone(e.Vector)
		if got[pBook] != want[pBook] {
			// The example's book is the count's own.
			for _, i := range []int{pBook, pBookNegative, pBookZero, pBookLow, pBookChange, pBookValue, pCover, pUnchanged} {
				got[i] = want[i]
			}
		}
		same(t, e.At.String(), positionNames[:], map[string][]float32{"v": want}, map[string][]float32{"v": got})
		checked++
	}
	if checked < 100 {
		t.Errorf("only %d examples were checked", checked)
	}
}

// A state read ahead of its front is the state advanced to there, and reading it
// changes nothing: not what a day's sums say, nor what comes later.
func TestReadingAheadIsAdvancing(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 4))
	events := randomEvents(rng, 600)
	ahead, advanced := NewState(), NewState()
	schemas := allSchemas(ahead.coder, encode(ahead.coder, events))
	encode(advanced.coder, events) // so that both know the names
	read := 0
	for i, e := range shuffled(rng, events) {
		ahead.Add(&e)
		advanced.Add(&e)
		if i%10 != 0 {
			continue
		}
		step := advanced.Front().Add(time.Duration(rng.IntN(72)) * time.Hour)
		if i == 0 {
			step = events[0].OccurredAt
		}
		view, ok := ahead.AsOf(step)
		if err := advanced.Advance(step); err != nil {
			t.Fatal(err)
		}
		if ok {
			read++
			same(t, step.String(), nil, everything(t, advanced, schemas...), everything(t, view, schemas...))
		}
		if ok && rng.IntN(2) == 0 {
			continue // what is added next was read past
		}
		if err := ahead.Advance(step); err != nil {
			t.Fatal(err)
		}
		same(t, step.String(), nil, everything(t, advanced, schemas...), everything(t, ahead, schemas...))
	}
	if read < 5 {
		t.Errorf("read ahead %d times only", read)
	}
}

func TestAdvanceRefusesToGoBack(t *testing.T) {
	s := NewState()
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	if err := s.Advance(at); err != nil {
		t.Fatal(err)
	}
	if err := s.Advance(at.Add(-time.Second)); err == nil {
		t.Error("the front moved back")
	}
}
