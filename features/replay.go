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

// SortFacts puts facts in the order of the fold: by time, then by intake.
func SortFacts(facts []Fact) {
	if !slices.IsSortedFunc(facts, byTime) {
		slices.SortStableFunc(facts, byTime)
	}
}

func byTime(a, b Fact) int { return cmp.Compare(a.At, b.At) }

// Replay folds sorted facts into an empty state with one worker per thread,
// and returns an example for every count (a position schema) or for every
// notice and first receipt of a load's line (a load schema). Each is read just
// before it happened, from what had become known by then: of what carries the
// same time, nothing is seen, and of what was recorded late, nothing before it
// was. Outcomes are what is known in the end. With a nil schema it only folds.
// The result does not depend on threads.
func (s *State) Replay(ctx context.Context, facts []Fact, schema *Schema, threads int) ([]Example, error) {
	r := replay{state: s, facts: facts, schema: schema}
	var calendar sync.WaitGroup
	calendar.Go(func() {
		r.fronts = fronts(facts)
		r.expectDays()
	})
	workers := r.deal(max(1, threads))
	each(workers, func(w *worker) { w.prepare(&r) })
	calendar.Wait()
	for _, front := range r.fronts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		each(workers, func(w *worker) { w.until(&r, front) })
		for _, site := range s.sites {
			if site != nil {
				s.settle(site)
			}
		}
		s.front = front
	}
	for _, site := range s.sites {
		if site != nil {
			site.outcomes = nil
		}
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
	fronts   []int64   // up to which sites are folded side by side
	examples []Example // one for each fact that may give rise to one
	width    int       // of their vectors
}

// gives reports whether a fact may give rise to an example.
func (r *replay) gives(f *Fact) bool {
	if r.schema == nil {
		return false
	}
	if r.schema.Subject == PositionSubject {
		return f.Kind == kindCount
	}
	return f.Kind == kindASN || f.Kind == kindReceipt && f.detail().load != 0
}

// A worker folds the facts of its sites.
type worker struct {
	shares  []*share
	shareOf []*share // by site, nil where another worker has it
	entries visits   // of the share whose positions are folded
	reads   visits   // …
	warmer  warmer
	pending []pendingLine
	unsure  []unsureCount
}

// next is when something is to be read or folded next.
func (share *share) next(facts []Fact) int64 {
	next := int64(math.MaxInt64)
	if len(share.entries) > 0 {
		next = facts[share.entries[0].fact].Known
	}
	if len(share.reads) > 0 {
		next = min(next, facts[share.reads[0].fact].At)
	}
	return next
}

// unsureCount is an example whose book may still change by what becomes known
// late.
type unsureCount struct {
	example *Example
	site    *site
	read    *read
}

// pendingLine is an example whose outcome is read at the end.
type pendingLine struct {
	inbound *Inbound
	line    *line
}

// until folds the worker's facts, and time, up to a front.
func (w *worker) until(r *replay, front int64) {
	for _, share := range w.shares {
		cold := len(share.entries) // what is left when the entries that are warm are folded
		for at := share.next(r.facts); at < front; at = share.next(r.facts) {
			if n := min(block, len(share.entries)); n > 0 && len(share.entries) <= cold {
				w.warmer.surroundings(r, share, n)
				cold = len(share.entries) - n
			}
			w.instant(r, share, at)
		}
		share.site.advance(r.state.coder, front)
	}
}

// instant reads the examples of one instant, then folds what became known in
// it.
func (w *worker) instant(r *replay, share *share, at int64) {
	share.site.advance(r.state.coder, at)
	n := 0
	for n < len(share.reads) && r.facts[share.reads[n].fact].At == at {
		n++
	}
	reads := share.reads[:n]
	for i := range reads {
		v := share.vector(r, i)
		if f := &r.facts[reads[i].fact]; f.Kind == kindCount {
			w.count(r, share, &reads[i], v)
		} else {
			w.line(r, share.site, reads, &reads[i], v)
		}
	}
	share.reads, share.vectors = share.reads[n:], share.vectors[n*r.width:]
	for len(share.entries) > 0 && r.facts[share.entries[0].fact].Known == at {
		w.take(r, share, at)
	}
}

// take folds the next fact, and what it changed at its positions, into its
// site.
func (w *worker) take(r *replay, share *share, at int64) {
	f, site := &r.facts[share.entries[0].fact], share.site
	for n := share.entries[0].fact; len(share.entries) > 0 && share.entries[0].fact == n; share.entries = share.entries[1:] {
		if x := &share.entries[0]; x.position != 0 {
			site.spread(f, share.homes[x.position], &x.effect)
		}
	}
	site.take(r.state.coder, f, at+1)
}

func (w *worker) count(r *replay, share *share, at *read, v []float32) {
	s, site, f := r.state, share.site, &r.facts[at.fact]
	s.surroundings(site, &at.outlook, f.At, v[:numPosition])
	it := site.items.at(at.outlook.home.item)
	s.coder.writeAttrs(r.schema, it.attrs.value, v)
	book := at.outlook.book
	e := &r.examples[at.example]
	*e = Example{
		Position: s.coder.position(f.Site, f.SKU, f.Place), Stage: AtCount, At: time.UnixMicro(f.At).UTC(), Vector: v,
		Cost: costOf(it), Book: warehouse.Qty(book), Variance: warehouse.Qty(f.Qty - book),
		Counted: time.UnixMicro(f.Known).UTC(),
	}
	if share.late && f.Ref == none {
		w.unsure = append(w.unsure, unsureCount{e, site, at})
	}
}

func costOf(it *item) warehouse.Cost {
	if !it.cost.known {
		return warehouse.Cost{}
	}
	return warehouse.Cost{Micros: it.cost.value, Currency: warehouse.NoCurrency}
}

// line reads the example of a first notice or a first receipt.
func (w *worker) line(r *replay, site *site, instant []read, at *read, v []float32) {
	s, f := r.state, &r.facts[at.fact]
	l := site.line(f)
	q := lineQuery{site: f.Site, notice: f.notice()}
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
	q.lines, q.loadValue = r.composition(site, l.load, instant)
	s.lineVector(&q, f.At, v[:numLine])
	s.coder.writeAttrs(r.schema, q.notice.attrs, v)
	e := &r.examples[at.example]
	*e = Example{
		Position: s.coder.position(f.Site, f.SKU, 0), Stage: stage, At: time.UnixMicro(f.At).UTC(), Vector: v,
		Inbound: &Inbound{
			Load: warehouse.Load(s.coder.loads.text[l.load]), Line: warehouse.Line(s.coder.lines.text[l.number]),
			Supplier: warehouse.Supplier(s.coder.suppliers.text[q.notice.supplier]),
		},
	}
	if q.notice.cost != none {
		e.Cost = warehouse.Cost{Micros: q.notice.cost, Currency: warehouse.NoCurrency}
	}
	w.pending = append(w.pending, pendingLine{e.Inbound, l})
}

// composition returns the number of lines and the value of a load as
// announced, this instant's notices included.
func (r *replay) composition(site *site, load uint32, instant []read) (lines int, total float64) {
	for _, l := range site.loads[load] {
		if n := len(l.notices); n > 0 {
			lines++
			total += value(&l.notices[n-1])
		}
	}
	for i := range instant {
		f := &r.facts[instant[i].fact]
		if f.Kind != kindASN || f.detail().load != load || len(site.line(f).notices) > 0 {
			continue
		}
		lines++
		n := f.notice()
		total += value(&n)
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
			late, settled := p.line.known(&o)
			if o.late != unknown {
				p.inbound.Late, p.inbound.LateKnown = o.late == yes, time.UnixMicro(late).UTC()
			}
			if o.settled {
				p.inbound.Short, p.inbound.Settled = warehouse.Qty(o.short), time.UnixMicro(settled).UTC()
			}
		}
		for _, u := range workers[w].unsure {
			p, f := u.site.positions.at(u.read.position-1), &r.facts[u.read.fact]
			if c := slices.IndexFunc(p.counts, func(c count) bool { return c.at == f.At && c.qty == f.Qty }); c >= 0 {
				u.example.Book, u.example.Variance = warehouse.Qty(p.counts[c].book), warehouse.Qty(p.counts[c].variance())
			}
		}
	}
	if r.schema != nil && r.schema.Subject == PositionSubject {
		return r.examples // every count gave one
	}
	return slices.DeleteFunc(r.examples, func(e Example) bool { return e.Vector == nil })
}
