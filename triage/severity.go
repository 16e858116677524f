package triage

import (
	"slices"
	"strings"
	"unicode"

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
// text can only add: no word lowers a severity or widens a view.
func (t *Taxonomy) Route(label, text string, f Facts) Routing {
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
	words := signalWords(text)
	for _, s := range t.Signals {
		if s.found(words) {
			r.add(t, s)
		}
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

func signalWords(text string) []string {
	return strings.FieldsFunc(Normalize(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// found reports whether one of the phrases is in the text.
func (s *Signal) found(words []string) bool {
	return slices.ContainsFunc(s.phrases, func(phrase []string) bool {
		for i := 0; i+len(phrase) <= len(words); i++ {
			if matches(phrase, words[i:]) {
				return true
			}
		}
		return false
	})
}

func matches(phrase, words []string) bool {
	for k, want := range phrase {
		stem, open := strings.CutSuffix(want, "*")
		if !open && words[k] != want || open && !strings.HasPrefix(words[k], stem) {
			return false
		}
	}
	return true
}
