package guardrails

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// maxGrid bounds how many inputs a grid has; beyond it they are drawn.
const maxGrid = 4096

// grid is boundary inputs: every literal of the conditions and its neighbours,
// what is absent, and what is beyond all.
type grid struct {
	axes  []axis
	whole bool // every combination is in it
}

// axis is the values of one fact.
type axis struct {
	n   int
	set func(f *policyFacts, i int)
}

// gridOf makes the grid of some conditions for some kinds.
func gridOf(kinds []Kind, conditions ...*condition) grid {
	g := grid{axes: []axis{{len(kinds), func(f *policyFacts, i int) { f.kind = kinds[i] }}}}
	for i := range policyFields {
		field := &policyFields[i]
		var read []*condition
		for _, c := range conditions {
			if c != nil && slices.Contains(c.fields, field.name) {
				read = append(read, c)
			}
		}
		if len(read) > 0 {
			g.axes = append(g.axes, axisOf(field, read)...)
		}
	}
	total := 1
	for _, a := range g.axes {
		if total *= a.n; total > maxGrid {
			return g
		}
	}
	g.whole = true
	return g
}

func axisOf(field *policyField, read []*condition) []axis {
	var numbers []int64
	var texts []string
	mayLack := field.unknown != nil
	for _, c := range read {
		for _, v := range slices.Concat(c.literals[field.name], c.literals[""]) {
			switch v := v.(type) {
			case int64:
				numbers = append(numbers, v)
			case string:
				texts = append(texts, v)
			}
		}
		mayLack = mayLack && !slices.Contains(c.needs, field.name)
	}
	texts = sorted(append(texts, "~")) // and one that nothing names
	if mayLack {
		texts = append(texts, "")
	}
	pick := func(set func(*policyFacts, string)) []axis {
		return []axis{{len(texts), func(f *policyFacts, i int) { set(f, texts[i]) }}}
	}
	switch field.name {
	case "action":
		return nil // the kinds are an axis already
	case "site":
		return pick(func(f *policyFacts, s string) { f.site = s })
	case "class":
		return pick(func(f *policyFacts, s string) { f.class = s })
	case "currency":
		return pick(func(f *policyFacts, s string) { f.currency = s })
	case "flags":
		return flagAxes(texts)
	case "within_tolerance":
		return []axis{{2, func(f *policyFacts, i int) { f.withinTol = i > 0 }}}
	case "customer_agreed":
		return []axis{{2, func(f *policyFacts, i int) { f.customerYes = i > 0 }}}
	}
	edges := edgesOf(numbers)
	return []axis{{len(edges), func(f *policyFacts, i int) { *amountOf(f, field.name) = edges[i] }}}
}

// flagAxes has each flag there or not.
func flagAxes(texts []string) []axis {
	axes := []axis{{1, func(f *policyFacts, _ int) { f.flags = nil }}}
	for _, s := range texts[:min(len(texts), maxFlags)] {
		axes = append(axes, axis{2, func(f *policyFacts, i int) {
			if i > 0 {
				f.flags = append(f.flags, s)
			}
		}})
	}
	return axes
}

func amountOf(f *policyFacts, name string) *int64 {
	switch name {
	case "value_minor":
		return &f.value
	case "stake_minor":
		return &f.stake
	case "recent_minor":
		return &f.recent
	case "variance_ppm":
		return &f.variance
	case "repeats":
		return &f.repeats
	case "score_ppm":
		return &f.score
	}
	panic("no amount is called " + name) // a field was added to the table alone
}

func edgesOf(numbers []int64) []int64 {
	edges := []int64{0, UnknownAmount}
	for _, n := range numbers {
		if n < 0 || n == UnknownAmount {
			continue
		}
		edges = append(edges, max(n-1, 0), n, n+1)
	}
	return sorted(edges)
}

func sorted[T cmp.Ordered](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}

// each calls visit with every input of the grid, or with many drawn ones, the
// same every time, until visit returns false.
func (g grid) each(visit func(*policyFacts) bool) {
	at := make([]int, len(g.axes))
	draw := rand.New(rand.NewPCG(1, 1)) // any seed will do, as long as it stays
	for range maxGrid {
		f := &policyFacts{site: "DC-1"}
		for i, a := range g.axes {
			if !g.whole {
				at[i] = draw.IntN(a.n)
			}
			a.set(f, at[i])
		}
		if !visit(f) {
			return
		}
		if g.whole && !g.next(at) {
			return
		}
	}
}

func (g grid) next(at []int) bool {
	for i := range at {
		if at[i]++; at[i] < g.axes[i].n {
			return true
		}
		at[i] = 0
	}
	return false
}
