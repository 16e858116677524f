package features

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tallyman/warehouse"
)

// A lineRead names an example of a load's line.
type lineRead struct {
	site  warehouse.Site
	load  warehouse.Load
	line  warehouse.Line
	stage Stage
	at    time.Time
}

func readOf(e *Example) lineRead {
	return lineRead{e.Position.Site, e.Inbound.Load, e.Inbound.Line, e.Stage, e.At}
}

// inboundEvents are random events with many SKUs, most of which have not been
// heard of when their first load is announced, and the events' facts, some
// known late, in the order of the fold.
func inboundEvents(rng *rand.Rand, s *State, n int) ([]warehouse.Event, []Fact, []int) {
	events := randomEvents(rng, n)
	for i := range events {
		events[i].SKU = warehouse.SKU(fmt.Sprint("K", rng.IntN(n/6)))
	}
	facts := encode(s.coder, events)
	return events, facts, delays(rng, facts)
}

// The vector of a load's line is the same whether the history goes on or ends
// with what was known at its instant.
func TestALineSeesNothingThatComesLater(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 8))
	s := NewState()
	_, facts, _ := inboundEvents(rng, s, 1200)
	schema := s.WithAttrs(LoadSubject, facts)
	replay := func(facts []Fact) []Example {
		examples, err := s.Empty().Replay(context.Background(), facts, &schema, 2)
		if err != nil {
			t.Fatal(err)
		}
		return examples
	}
	whole := replay(facts)
	checked := 0
	for i := 0; i < len(whole); i += 1 + rng.IntN(2) {
		e := &whole[i]
		past := slices.DeleteFunc(slices.Clone(facts), func(f Fact) bool {
			return f.Known >= e.At.UnixMicro() && f.At != e.At.UnixMicro()
		})
		ended := replay(past)
		at := slices.IndexFunc(ended, func(x Example) bool { return readOf(&x) == readOf(e) })
		if at < 0 {
			t.Fatalf("%v is not read of a history that ends there", readOf(e))
		}
		same(t, fmt.Sprint(readOf(e)), schema.Names(), map[string][]float32{"v": ended[at].Vector}, map[string][]float32{"v": e.Vector})
		checked++
	}
	if checked < 50 {
		t.Errorf("only %d examples were checked", checked)
	}
}

// An example of a load's line is the vector that the live state gives at that
// instant. The lines and the value of the load are the caller's to say, and a
// line that is not announced yet does not wait.
func TestReplayReadsLinesAsServingDoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 31))
	s := NewState()
	events, facts, order := inboundEvents(rng, s, 4000)
	schema := s.WithAttrs(LoadSubject, facts)
	examples, err := s.Replay(context.Background(), facts, &schema, 2)
	if err != nil {
		t.Fatal(err)
	}
	notices := map[lineRead]*warehouse.Event{}
	for i := range events {
		e := &events[i]
		key := lineRead{e.Site, e.Load, e.Line, AtNotice, e.OccurredAt.UTC()}
		if e.Type == warehouse.ASN && notices[key] == nil {
			notices[key] = e
		}
	}
	live, next := NewState(), 0
	encode(live.coder, events) // so that it knows the names
	checked := map[Stage]int{}
	for i := range examples {
		e := &examples[i]
		for next < len(order) && facts[order[next]].Known < e.At.UnixMicro() {
			live.Add(&events[order[next]])
			next++
		}
		if err := live.Advance(e.At); err != nil {
			t.Fatal(err)
		}
		q, said := LineQuery{Site: e.Position.Site, Load: e.Inbound.Load, Line: e.Inbound.Line, Arrived: true}, []int{lLoadLines, lLoadValue}
		if e.Stage == AtNotice {
			n := notices[readOf(e)]
			q = LineQuery{Site: n.Site, SKU: n.SKU, Supplier: n.Supplier, Carrier: n.Carrier, Expected: n.Expected, ExpectedAt: n.ExpectedAt, Cost: n.Cost, Pack: n.Pack, Attrs: n.Attrs}
			said = append(said, lDaysWaiting, lLeadDays)
		}
		got, _ := live.Line(&q, &schema)
		for _, f := range said {
			got[f] = e.Vector[f]
		}
		same(t, fmt.Sprint(readOf(e)), schema.Names(), map[string][]float32{"v": e.Vector}, map[string][]float32{"v": got})
		checked[e.Stage]++
	}
	if checked[AtNotice] < 100 || checked[AtReceipt] < 25 {
		t.Errorf("only %v examples were checked by stage", checked)
	}
}
