package triage

import (
	"bytes"
	"cmp"
	_ "embed" // the default lexicon
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Lexicon is what the trade calls things: concepts and their words in several
// languages. A model with a lexicon sees, beside the words of a text, which
// concepts it names, which of them it denies, which stand together and how its
// numbers relate. It is part of the model, and never changes.
type Lexicon struct {
	Version  int
	Concepts []Concept

	book             *phraseBook
	expected, found  int32 // the concepts numbers are related by
	negation, praise int32
}

// Concept is a thing people mean, and the phrases they say it with.
type Concept struct {
	ID      string
	Phrases []string // a word that ends in * stands for all that begin so, ".." for up to three words
}

//go:embed lexicon.yaml
var defaultLexicon []byte

// DefaultLexicon is the lexicon of the default taxonomy.
var DefaultLexicon = sync.OnceValue(func() *Lexicon {
	l, err := ParseLexicon(defaultLexicon)
	if err != nil {
		panic(err) // a file of the program itself
	}
	return l
})

const maxConcepts, maxPhrases = 5000, 50000

// Concepts with a part of their own: numbers are related by what should be
// there and what is; others are denied or called all right.
const (
	expectedConcept = "expected"
	foundConcept    = "found"
	negationConcept = "negation"
	praiseConcept   = "all_right"
)

// ParseLexicon reads a lexicon and checks it: "version: 1", then under
// "concepts" an id for each list of phrases.
func ParseLexicon(text []byte) (*Lexicon, error) {
	if len(text) > maxTaxonomyBytes {
		return nil, fmt.Errorf("lexicon has %d bytes, want at most %d", len(text), maxTaxonomyBytes)
	}
	var file struct {
		Version  int
		Concepts map[string][]string
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("lexicon: %w", err)
	}
	l := &Lexicon{Version: file.Version}
	for id, phrases := range file.Concepts {
		l.Concepts = append(l.Concepts, Concept{id, phrases})
	}
	slices.SortFunc(l.Concepts, func(a, b Concept) int { return strings.Compare(a.ID, b.ID) })
	if err := l.prepare(); err != nil {
		return nil, fmt.Errorf("lexicon: %w", err)
	}
	return l, nil
}

func (l *Lexicon) prepare() error {
	if l.Version < 1 {
		return fmt.Errorf("version is %d, want 1 or more", l.Version)
	}
	if len(l.Concepts) > maxConcepts {
		return fmt.Errorf("there are %d concepts, want at most %d", len(l.Concepts), maxConcepts)
	}
	l.book, l.expected, l.found, l.negation, l.praise = newPhraseBook(), -1, -1, -1, -1
	all := 0
	for i, c := range l.Concepts {
		if c.ID == "" || len(c.Phrases) == 0 {
			return fmt.Errorf("concept %q needs an id and phrases", c.ID)
		}
		if i > 0 && l.Concepts[i-1].ID >= c.ID {
			return fmt.Errorf("concept %q comes after %q", c.ID, l.Concepts[i-1].ID)
		}
		switch c.ID {
		case expectedConcept:
			l.expected = int32(i)
		case foundConcept:
			l.found = int32(i)
		case negationConcept:
			l.negation = int32(i)
		case praiseConcept:
			l.praise = int32(i)
		}
		if all += len(c.Phrases); all > maxPhrases {
			return errors.New("there are too many phrases")
		}
		for _, p := range c.Phrases {
			if !l.book.add(int32(i), p) {
				return fmt.Errorf("concept %q: the phrase %q says nothing", c.ID, p)
			}
		}
	}
	return nil
}

// mayFind reports whether a text may have the feature: a concept or a pair.
func (l *Lexicon) mayFind(feature string) bool {
	a, b, pair := strings.Cut(feature, "+")
	has := func(id string) bool {
		_, ok := slices.BinarySearchFunc(l.Concepts, id, func(c Concept, id string) int { return strings.Compare(c.ID, id) })
		return ok
	}
	return has(a) && (!pair || has(b) && a < b)
}

// hit is a concept at a word.
type hit struct {
	concept int32
	at      int
}

// How many words after a negation a concept is denied, and how many before a
// word of praise it is said to be all right.
const negationReach, praiseReach = 3, 3

// features calls each with what the lexicon sees in a normalised text.
func (l *Lexicon) features(normalized string, each func(feature string)) {
	words, clauses := clausedWords(plainAmounts(normalized))
	var hits []hit
	l.book.find(words, func(id int32, at int) { hits = append(hits, hit{id, at}) })
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.concept, b.concept)) })
	var standing []string
	stands := func(feature string) {
		each(feature)
		standing = append(standing, feature)
	}
	seen := map[int32]bool{}
	for _, h := range hits {
		id := l.Concepts[h.concept].ID
		if id != negationConcept && l.before(hits, h, l.negation, negationReach) {
			each("not " + id)
		}
		if id != praiseConcept && l.praised(hits, h, clauses) {
			each("fine " + id)
		}
		if !seen[h.concept] {
			seen[h.concept] = true
			stands(id)
		}
	}
	l.numbers(normalized, words, clauses, hits, stands)
	l.neighbours(countedIn(words), clauses, hits, each)
	slices.Sort(standing)
	standing = slices.Compact(standing)
	for i, a := range standing {
		for _, b := range standing[:i] {
			each(b + "+" + a)
		}
	}
}

// before reports whether a concept is at most reach words before a hit.
func (l *Lexicon) before(hits []hit, h hit, concept int32, reach int) bool {
	return slices.ContainsFunc(hits, func(n hit) bool { return n.concept == concept && n.at < h.at && h.at-n.at <= reach })
}

// praised reports whether what is named is called all right in its clause.
func (l *Lexicon) praised(hits []hit, h hit, clauses []int) bool {
	return slices.ContainsFunc(hits, func(p hit) bool {
		return p.concept == l.praise && p.at > h.at && p.at-h.at <= praiseReach && clauses[p.at] == clauses[h.at] &&
			!l.before(hits, p, l.negation, negationReach)
	})
}

// neighbourReach is how many words lie at most between the first words of two
// concepts that follow one another.
const neighbourReach = 4

// neighbours calls each with concepts and numbers that follow one another in a
// clause, in their order.
func (l *Lexicon) neighbours(all []amount, clauses []int, hits []hit, each func(string)) {
	type name struct {
		text string
		at   int
	}
	names := make([]name, 0, len(hits)+len(all))
	for _, h := range hits {
		names = append(names, name{l.Concepts[h.concept].ID, h.at})
	}
	for _, q := range all {
		names = append(names, name{"#", q.at})
	}
	names = append(names, name{"^", -1})
	slices.SortFunc(names, func(a, b name) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.text, b.text)) })
	seen := map[string]bool{}
	for i, b := range names {
		for _, a := range names[:i] {
			if d := b.at - a.at; d == 0 || d > neighbourReach || a.at >= 0 && clauses[a.at] != clauses[b.at] {
				continue
			}
			if f := a.text + ">" + b.text; !seen[f] {
				seen[f] = true
				each(f)
			}
		}
	}
}
