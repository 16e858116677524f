package triage

import (
	"slices"

	"tallyman/warehouse"
)

// Facts are what structured data says about a ticket. Its text has no part in
// them.
type Facts struct {
	Holding []Fact
	Value   warehouse.Money // at stake; the zero value is unknown
	Share   float64         // percent of the quantity concerned that is in question, 0 if unknown
}

// Routing is where a ticket goes and how urgent it is.
type Routing struct {
	Label      string
	Secondary  []string // labels that signals add
	Owner      string
	Copies     []string
	Severity   Severity
	Restricted bool
	Immediate  bool
	Signals    []string // ids of the signals found
}

// Route decides owner, readers and severity from a label, the facts and the
// words of the text. A label that the taxonomy lacks counts as unclear. The
// text can only add: no word lowers a severity or widens a view. raised are the
// ids of signals that hold whatever the words say.
func (t *Taxonomy) Route(label, text string, f Facts, raised ...string) Routing {
	l, ok := t.Label(label)
	if !ok {
		l, _ = t.Label(t.Unclear)
	}
	r := Routing{Label: l.ID, Owner: l.Owner, Copies: slices.Clone(l.Copies), Severity: l.Severity, Restricted: l.Restricted, Immediate: l.Immediate}
	for _, fact := range f.Holding {
		if owner := l.OwnerIf[fact]; owner != "" {
			r.Owner = owner
		}
	}
	for _, raise := range l.Raise {
		if raise.holds(f, t.Currency) {
			r.Severity = min(r.Severity, raise.To)
		}
	}
	if slices.ContainsFunc(t.RaiseOne, func(fact Fact) bool { return slices.Contains(f.Holding, fact) }) {
		r.Severity = max(r.Severity-1, S1)
	}
	told := tell(text)
	for _, s := range t.Signals {
		if slices.Contains(raised, s.ID) || s.found(told) {
			r.add(t, s)
		}
	}
	return r
}

// RouteVerdict decides from what a model says and the words of the text. A model
// can only add here: a signal holds too when its label has the signal's chance,
// and a ticket that is unclear is as urgent and as closely kept as its likeliest
// label would make it, so that noise in a text does not let it wait.
func (t *Taxonomy) RouteVerdict(v Verdict, text string, f Facts) Routing {
	var raised []string
	for _, s := range t.Signals {
		if s.Chance > 0 && v.chance(s.Label) >= s.Chance {
			raised = append(raised, s.ID)
		}
	}
	r := t.Route(t.Settle(v).Label, text, f, raised...)
	if _, known := t.Label(v.Label); known && r.Label == t.Unclear {
		likeliest := t.Route(v.Label, text, f, raised...)
		r.Severity = min(r.Severity, likeliest.Severity)
		r.Restricted = r.Restricted || likeliest.Restricted
	}
	return r
}

func (r *Routing) add(t *Taxonomy, s Signal) {
	r.Signals = append(r.Signals, s.ID)
	r.Severity = min(r.Severity, s.Severity)
	r.Restricted = r.Restricted || s.Restricted
	copies := s.Copies
	if s.Label != r.Label {
		r.Secondary = append(r.Secondary, s.Label)
		l, _ := t.Label(s.Label)
		copies = append(append([]string{l.Owner}, l.Copies...), copies...)
		r.Restricted = r.Restricted || l.Restricted
		r.Immediate = r.Immediate || l.Immediate
	}
	for _, c := range copies {
		if c != r.Owner && !slices.Contains(r.Copies, c) {
			r.Copies = append(r.Copies, c)
		}
	}
}

// holds reports whether the condition is met. A value in another currency than
// the taxonomy's cannot be compared and counts as met.
func (r Raise) holds(f Facts, currency warehouse.Currency) bool {
	switch {
	case r.If != "":
		return slices.Contains(f.Holding, r.If)
	case r.ShareFrom > 0:
		return f.Share >= r.ShareFrom
	case f.Value.Currency != currency:
		return f.Value.Minor != 0
	}
	least := r.ValueFrom
	for range currency.Exponent() {
		least *= 10
	}
	return f.Value.Minor >= least
}

// told is what signals look at.
type told struct {
	words    []string
	concepts map[string]bool
}

func tell(text string) told {
	normalized := Normalize(text)
	t := told{plainWords(normalized), map[string]bool{}}
	DefaultLexicon().features(normalized, func(f string) { t.concepts[f] = true })
	return t
}

// found reports whether one of the words or concepts is in the text.
func (s *Signal) found(t told) bool {
	if slices.ContainsFunc(s.Concepts, func(c string) bool { return t.concepts[c] }) {
		return true
	}
	found := false
	s.book.find(t.words, func(int32, int) { found = true })
	return found
}
