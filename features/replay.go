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

	order int // of the fact that gave rise to it
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
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() { workers[w].day(&r, end, front) })
		}
		wg.Wait()
		for _, site := range s.sites {
			if site != nil {
				s.settle(site)
			}
		}
		s.front = front
		start = end
	}
	return r.examples(workers), nil
}

type replay struct {
	state  *State
	facts  []Fact
	schema *Schema
}

// A worker folds the facts of its sites.
type worker struct {
	sites    []*site
	facts    [][]int32 // by site, indices of its facts still to come
	examples []Example
	pending  []pendingLine
	vectors  []float32 // arena
}

// pendingLine is an example whose outcome is read at the end.
type pendingLine struct {
	example int
	site    *site
	line    *line
}

// partition deals the sites out so that the workers have about as many facts.
func (r *replay) partition(threads int) []worker {
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
	workers := make([]worker, min(threads, max(1, len(order))))
	load := make([]int, len(workers))
	slot := make([][2]int, len(counts))
	for _, id := range order {
		w := slices.Index(load, slices.Min(load))
		load[w] += counts[id]
		slot[id] = [2]int{w, len(workers[w].sites)}
		workers[w].sites = append(workers[w].sites, r.state.site(uint32(id)))
		workers[w].facts = append(workers[w].facts, make([]int32, 0, counts[id]))
	}
	for i := range r.facts {
		at := slot[r.facts[i].Site]
		workers[at[0]].facts[at[1]] = append(workers[at[0]].facts[at[1]], int32(i))
	}
	return workers
}

// day folds the worker's facts up to index end, and time up to front.
func (w *worker) day(r *replay, end int, front int64) {
	for i, site := range w.sites {
		todo := w.facts[i]
		for len(todo) > 0 && int(todo[0]) < end {
			n := 1
			for n < len(todo) && r.facts[todo[n]].At == r.facts[todo[0]].At {
				n++
			}
			w.instant(r, site, todo[:n])
			todo = todo[n:]
		}
		w.facts[i] = todo
		site.advance(r.state.coder, front)
	}
}

// instant reads the examples of one instant, then folds its facts.
func (w *worker) instant(r *replay, site *site, facts []int32) {
	at := r.facts[facts[0]].At
	site.advance(r.state.coder, at)
	if r.schema != nil {
		for _, i := range facts {
			switch f := &r.facts[i]; {
			case r.schema.Subject == PositionSubject && f.Kind == kindCount:
				w.count(r, site, int(i))
			case r.schema.Subject == LoadSubject && (f.Kind == kindASN || f.Kind == kindReceipt && f.Load != 0):
				w.line(r, site, facts, int(i))
			}
		}
	}
	for _, i := range facts {
		f := &r.facts[i]
		site.apply(r.state.coder, f, at+1)
	}
}

func (w *worker) vector(schema *Schema) []float32 {
	n := schema.Width()
	if len(w.vectors) < n {
		w.vectors = make([]float32, 4096*n)
	}
	v := w.vectors[:n:n]
	w.vectors = w.vectors[n:]
	return v
}

func (w *worker) count(r *replay, site *site, i int) {
	s, f := r.state, &r.facts[i]
	p := site.position(s.coder, f.SKU, f.Location)
	v := w.vector(r.schema)
	s.positionVector(site, p, f.At, f.Book, v[:numPosition])
	s.coder.writeAttrs(r.schema, site.items.at(p.item).attrs.value, v)
	book := f.Book
	if book == none {
		book = p.ledger.book
	}
	w.examples = append(w.examples, Example{
		Position: s.coder.position(f.Site, f.SKU, f.Location), Stage: AtCount, At: time.UnixMicro(f.At).UTC(), Vector: v,
		Cost: costOf(site.items.at(p.item)), Book: warehouse.Qty(book), Variance: warehouse.Qty(f.Qty - book), order: i,
	})
}

func costOf(it *item) warehouse.Cost {
	if !it.cost.known {
		return warehouse.Cost{}
	}
	return warehouse.Cost{Micros: it.cost.value, Currency: warehouse.NoCurrency}
}

// line reads the example of a first notice or a first receipt.
func (w *worker) line(r *replay, site *site, instant []int32, i int) {
	s, f := r.state, &r.facts[i]
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
	v := w.vector(r.schema)
	s.lineVector(&q, f.At, v[:numLine])
	s.coder.writeAttrs(r.schema, q.notice.attrs, v)
	e := Example{
		Position: s.coder.position(f.Site, f.SKU, 0), Load: warehouse.Load(s.coder.loads.text[f.Load]), Line: warehouse.Line(s.coder.lines.text[f.Line]),
		Supplier: warehouse.Supplier(s.coder.suppliers.text[q.notice.supplier]),
		Stage:    stage, At: time.UnixMicro(f.At).UTC(), Vector: v, order: i,
	}
	if q.notice.cost != none {
		e.Cost = warehouse.Cost{Micros: q.notice.cost, Currency: warehouse.NoCurrency}
	}
	w.examples = append(w.examples, e)
	w.pending = append(w.pending, pendingLine{len(w.examples) - 1, site, l})
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

// examples returns every worker's examples in the order of their facts, with
// the outcomes of lines filled in.
func (r *replay) examples(workers []worker) []Example {
	var all []Example
	for w := range workers {
		for _, p := range workers[w].pending {
			e := &workers[w].examples[p.example]
			o, _ := p.line.judge(r.state.front)
			if o.late != unknown {
				e.Late, e.LateKnown = o.late == yes, time.UnixMicro(o.lateAt).UTC()
			}
			if o.settled {
				e.Short, e.Settled = warehouse.Qty(o.short), time.UnixMicro(o.at).UTC()
			}
		}
		all = append(all, workers[w].examples...)
	}
	slices.SortFunc(all, func(a, b Example) int { return cmp.Compare(a.order, b.order) })
	return all
}
