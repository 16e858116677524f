package features

import (
	"cmp"
	"math"
	"slices"
)

// deal deals the sites out so that the workers have about as much to do.
func (r *replay) deal(threads int) []worker {
	var parts []part // by site
	examples := 0
	for i := range r.facts {
		f := &r.facts[i]
		parts = reach(parts, f.Site+1)
		p := &parts[f.Site]
		p.entries++
		if f.Other != 0 {
			p.entries++
		}
		if f.Kind == kindCount {
			p.counts++
		}
		if r.gives(f) {
			p.reads++
			examples++
		}
	}
	if examples > 0 {
		r.examples, r.width = make([]Example, examples), r.schema.Width()
	}
	return r.workers(parts, threads)
}

// A part is how much of the work is a site's.
type part struct {
	site                   uint32
	entries, counts, reads int
}

// workers makes the workers, and shares of just the size for what they get.
func (r *replay) workers(parts []part, threads int) []worker {
	for id := range parts {
		parts[id].site = uint32(id)
	}
	order := slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.entries == 0 })
	slices.SortStableFunc(order, func(a, b part) int { return cmp.Compare(b.entries, a.entries) })
	workers := make([]worker, min(threads, max(1, len(order))))
	load := make([]int, len(workers))
	for i := range workers {
		workers[i].shareOf = make([]*share, len(parts))
	}
	for _, p := range order {
		i := slices.Index(load, slices.Min(load))
		load[i] += p.entries
		w := &workers[i]
		share := &share{site: r.state.site(p.site), entries: make([]entered, 0, p.entries), reads: make([]read, 0, p.reads)}
		share.site.outcomes = make([]outcome, 0, p.counts)
		w.shares, w.shareOf[p.site] = append(w.shares, share), share
	}
	return workers
}

// prepare gives the worker's sites their facts, every example its number,
// and folds what depends on one position alone.
func (w *worker) prepare(r *replay) {
	example := int32(0)
	for i := range r.facts {
		f := &r.facts[i]
		g := given{int32(i), -1}
		if r.gives(f) {
			g.example = example
			example++
		}
		if share := w.shareOf[f.Site]; share != nil {
			share.give(r, g)
		}
	}
	for _, share := range w.shares {
		share.prepare(r)
		w.ledgers(r, share)
	}
	w.entries, w.reads = visits{}, visits{}
}

// expectDays gives the tallies of the SKUs room for the days with counts.
func (r *replay) expectDays() {
	var days []dayCount // by SKU
	for i := range r.facts {
		if f := &r.facts[i]; f.Kind == kindCount {
			days = reach(days, f.SKU+1)
			days[f.SKU].add(dayOf(f.At))
		}
	}
	var tiles slab[tile]
	for sku := range days {
		if days[sku].n > 0 {
			r.state.network[scopeSKU].reach(uint32(sku)).expect(&days[sku], &tiles)
		}
	}
}

// fronts returns the instants up to which sites are folded side by side before
// what they share is settled: where days with facts begin and end, each time that
// something of a day before becomes known, and last the end of all facts.
func fronts(facts []Fact) []int64 {
	var ends []int64
	last, late := int64(math.MinInt64), false
	for i := range facts {
		f := &facts[i]
		end := int64(dayOf(f.At)+1) * dayMicros
		switch n := len(ends); {
		case n == 0 || ends[n-1] < end-dayMicros: // time passed without facts
			ends = append(ends, end-dayMicros, end)
		case ends[n-1] != end:
			ends = append(ends, end)
		}
		if f.Known >= end {
			from := int64(dayOf(f.Known)) * dayMicros
			ends, late = append(ends, from, f.Known+1, from+dayMicros, end), true
		}
		last = max(last, f.Known+1)
	}
	if late {
		slices.Sort(ends)
		ends = slices.Compact(ends)
	}
	if n := len(ends); n > 0 {
		ends = append(slices.DeleteFunc(ends, func(end int64) bool { return end >= last }), last)
	}
	return ends
}
