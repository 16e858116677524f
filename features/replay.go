package features

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"tallyman/warehouse"
)

// Stage says when in its life a subject was scored.
type Stage uint8

// The stages of an [Example].
const (
	AtCount   Stage = iota // a position, just before its count
	AtNotice               // a load's line, when its ASN came
	AtReceipt              // a load's line, just before its first receipt
)

// An Example is one subject as it was known at an instant, with the outcome
// that became known later.
type Example struct {
	Position warehouse.Position // of a load's line, without location
	Load     warehouse.Load
	Line     warehouse.Line
	Supplier warehouse.Supplier
	Stage    Stage
	At       time.Time
	Vector   []float32
	Cost     warehouse.Cost // without currency

	// Of a count.
	Book     warehouse.Qty
	Variance warehouse.Qty // counted minus book

	// Of a load's line; the times are zero while the outcome is not known.
	Late      bool
	LateKnown time.Time
	Short     warehouse.Qty // expected minus received
	Settled   time.Time
}

// SortFacts puts facts in the order of the fold: by time, then by intake.
func SortFacts(facts []Fact) {
	if !slices.IsSortedFunc(facts, byTime) {
		slices.SortStableFunc(facts, byTime)
	}
}

func byTime(a, b Fact) int { return cmp.Compare(a.At, b.At) }

// Replay folds sorted facts into an empty state with one worker per thread,
// and returns an example for every count (a position schema) or for every
// notice and first receipt of a load's line (a load schema), each read just
// before it happened: of what carries the same time, nothing is seen. With a
// nil schema it only folds. The result does not depend on threads.
func (s *State) Replay(ctx context.Context, facts []Fact, schema *Schema, threads int) ([]Example, error) {
	r := replay{state: s, facts: facts, schema: schema}
	workers := r.partition(max(1, threads))
	each(workers, func(w *worker) {
		for _, share := range w.shares {
			share.prepare(s.coder, facts)
		}
	})
	for start := 0; start < len(facts); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		day := dayOf(facts[start].At)
		end := start
		for end < len(facts) && dayOf(facts[end].At) == day {
			end++
		}
		front := int64(day+1) * dayMicros
		if end == len(facts) {
			front = facts[end-1].At + 1
		}
		each(workers, func(w *worker) { w.day(&r, end, front) })
		for _, site := range s.sites {
			if site != nil {
				s.settle(site)
			}
		}
		s.front = front
		start = end
	}
	return r.outcomes(workers), nil
}

// each runs all workers at once and waits for them.
func each(workers []worker, run func(*worker)) {
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { run(&workers[w]) })
	}
	wg.Wait()
}

type replay struct {
	state    *State
	facts    []Fact
	schema   *Schema
	examples []Example // a place for each fact that may give rise to one
	vectors  []float32 // of the examples
}

// gives reports whether a fact may give rise to an example.
func (r *replay) gives(f *Fact) bool {
	if r.schema == nil {
		return false
	}
	if r.schema.Subject == PositionSubject {
		return f.Kind == kindCount
	}
	return f.Kind == kindASN || f.Kind == kindReceipt && f.Load != 0
}

// A worker folds the facts of its sites.
type worker struct {
	shares  []*share
	warmer  warmer
	pending []pendingLine
}

// A share is what is still to be folded of a site.
type share struct {
	site    *site
	facts   []int32 // indices
	touches []touch // of each fact
	places  []int32 // of the examples they may give rise to
}

// pendingLine is an example whose outcome is read at the end.
type pendingLine struct {
	example *Example
	line    *line
}

// deal deals the sites out so that the workers have about as many facts.
func (r *replay) deal(threads int) (workers []worker, shares []*share) {
	counts := []int{}
	for i := range r.facts {
		id := int(r.facts[i].Site)
		for id >= len(counts) {
			counts = append(counts, 0)
		}
		counts[id]++
	}
	order := make([]int, 0, len(counts))
	for id, n := range counts {
		if n > 0 {
			order = append(order, id)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	workers = make([]worker, min(threads, max(1, len(order))))
	load := make([]int, len(workers))
	shares = make([]*share, len(counts))
	for _, id := range order {
		w := slices.Index(load, slices.Min(load))
		load[w] += counts[id]
		shares[id] = &share{site: r.state.site(uint32(id)), facts: make([]int32, 0, counts[id])}
		workers[w].shares = append(workers[w].shares, shares[id])
	}
	return workers, shares
}

// partition gives every fact to the worker of its site, every example its
// place, and the tallies of the SKUs room for the days with counts.
func (r *replay) partition(threads int) []worker {
	workers, shares := r.deal(threads)
	places := 0
	var days []dayCount // by SKU
	for i := range r.facts {
		f := &r.facts[i]
		share := shares[f.Site]
		share.facts = append(share.facts, int32(i))
		if r.gives(f) {
			share.places = append(share.places, int32(places))
			places++
		}
		if f.Kind == kindCount {
			days = reach(days, f.SKU+1)
			days[f.SKU].add(dayOf(f.At))
		}
	}
	if places > 0 {
		r.examples = make([]Example, places)
		r.vectors = make([]float32, places*r.schema.Width())
	}
	var tiles slab[tile]
	for sku := range days {
		if days[sku].n > 0 {
			r.state.network[scopeSKU].reach(uint32(sku)).expect(&days[sku], &tiles)
		}
	}
	return workers
}

// day folds the worker's facts up to index end, and time up to front.
func (w *worker) day(r *replay, end int, front int64) {
	for _, share := range w.shares {
		cold := len(share.facts) // what is left when the facts that are warm are folded
		for len(share.facts) > 0 && int(share.facts[0]) < end {
			if len(share.facts) <= cold {
				n := min(block, len(share.facts))
				w.warmer.warm(r.state, share.site, r.facts, share.facts[:n], share.touches[:n])
				cold = len(share.facts) - n
			}
			w.instant(r, share)
		}
		share.site.advance(r.state.coder, front)
	}
}

// instant reads the examples of one instant, then folds its facts.
func (w *worker) instant(r *replay, share *share) {
	n, at := 1, r.facts[share.facts[0]].At
	for n < len(share.facts) && r.facts[share.facts[n]].At == at {
		n++
	}
	facts, touches := share.facts[:n], share.touches[:n]
	share.facts, share.touches = share.facts[n:], share.touches[n:]
	share.site.advance(r.state.coder, at)
	for k, i := range facts {
		if f := &r.facts[i]; r.gives(f) {
			place := int(share.places[0])
			share.places = share.places[1:]
			if f.Kind == kindCount {
				p, _ := share.site.touched(touches[k])
				r.count(share.site, p, f, place)
			} else {
				w.line(r, share.site, facts, f, place)
			}
		}
	}
	for k, i := range facts {
		share.site.apply(r.state.coder, &r.facts[i], touches[k], at+1)
	}
}

func (r *replay) vector(place int) []float32 {
	n := r.schema.Width()
	return r.vectors[place*n : (place+1)*n : (place+1)*n]
}

func (r *replay) count(site *site, p *position, f *Fact, place int) {
	s := r.state
	v := r.vector(place)
	s.positionVector(site, p, f.At, f.Book, v[:numPosition])
	s.coder.writeAttrs(r.schema, site.items.at(p.item).attrs.value, v)
	book := f.Book
	if book == none {
		book = p.ledger.book
	}
	r.examples[place] = Example{
		Position: s.coder.position(f.Site, f.SKU, f.Location), Stage: AtCount, At: time.UnixMicro(f.At).UTC(), Vector: v,
		Cost: costOf(site.items.at(p.item)), Book: warehouse.Qty(book), Variance: warehouse.Qty(f.Qty - book),
	}
}

func costOf(it *item) warehouse.Cost {
	if !it.cost.known {
		return warehouse.Cost{}
	}
	return warehouse.Cost{Micros: it.cost.value, Currency: warehouse.NoCurrency}
}

// line reads the example of a first notice or a first receipt.
func (w *worker) line(r *replay, site *site, instant []int32, f *Fact, place int) {
	s := r.state
	l := site.line(f)
	q := lineQuery{site: f.Site, notice: notice{
		at: f.At, expected: f.Expected, expectedAt: f.ExpectedAt, cost: f.Cost, pack: f.Pack,
		sku: f.SKU, supplier: f.Supplier, carrier: f.Carrier, attrs: f.Attrs,
	}}
	stage := AtNotice
	if f.Kind == kindReceipt {
		n, edits, ok := l.inForce(f.At)
		if !ok || len(l.receipts) > 0 {
			return
		}
		q.notice, q.edits, q.arrived, stage = n, edits, true, AtReceipt
	} else if len(l.notices) > 0 || len(l.receipts) > 0 {
		return
	}
	if l.read[stage] {
		return // announced twice in one instant
	}
	l.read[stage] = true
	q.lines, q.loadValue = r.composition(site, f.Load, instant)
	v := r.vector(place)
	s.lineVector(&q, f.At, v[:numLine])
	s.coder.writeAttrs(r.schema, q.notice.attrs, v)
	e := &r.examples[place]
	*e = Example{
		Position: s.coder.position(f.Site, f.SKU, 0), Load: warehouse.Load(s.coder.loads.text[f.Load]), Line: warehouse.Line(s.coder.lines.text[f.Line]),
		Supplier: warehouse.Supplier(s.coder.suppliers.text[q.notice.supplier]),
		Stage:    stage, At: time.UnixMicro(f.At).UTC(), Vector: v,
	}
	if q.notice.cost != none {
		e.Cost = warehouse.Cost{Micros: q.notice.cost, Currency: warehouse.NoCurrency}
	}
	w.pending = append(w.pending, pendingLine{e, l})
}

// composition returns the number of lines and the value of a load as
// announced, this instant's notices included.
func (r *replay) composition(site *site, load uint32, instant []int32) (lines int, total float64) {
	for _, l := range site.loads[load] {
		if n := len(l.notices); n > 0 {
			lines++
			total += value(&l.notices[n-1])
		}
	}
	for _, i := range instant {
		f := &r.facts[i]
		if f.Kind != kindASN || f.Load != load || len(site.line(f).notices) > 0 {
			continue
		}
		lines++
		total += value(&notice{expected: f.Expected, cost: f.Cost})
	}
	if lines == 0 {
		return 0, math.NaN()
	}
	return lines, total
}

// outcomes fills in what became known of the examples, and leaves out the
// places that stayed empty.
func (r *replay) outcomes(workers []worker) []Example {
	for w := range workers {
		for _, p := range workers[w].pending {
			o, _ := p.line.judge(r.state.front)
			if o.late != unknown {
				p.example.Late, p.example.LateKnown = o.late == yes, time.UnixMicro(o.lateAt).UTC()
			}
			if o.settled {
				p.example.Short, p.example.Settled = warehouse.Qty(o.short), time.UnixMicro(o.at).UTC()
			}
		}
	}
	return slices.DeleteFunc(r.examples, func(e Example) bool { return e.Vector == nil })
}
