package triage

import (
	"bytes"
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

	book            *phraseBook
	expected, found int32 // the concepts numbers are related by
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

// Concepts that numbers are related by: what should be there and what is.
const expectedConcept, foundConcept, negationConcept = "expected", "found", "negation"

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
	l.book, l.expected, l.found = newPhraseBook(), -1, -1
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

// features calls each with what the lexicon sees in a normalised text.
func (l *Lexicon) features(normalized string, each func(feature string)) {
	words := plainWords(plainAmounts(normalized))
	var hits []hit
	l.book.find(words, func(id int32, at int) { hits = append(hits, hit{id, at}) })
	slices.SortFunc(hits, func(a, b hit) int { return a.at - b.at })
	var negations []int
	for _, h := range hits {
		if l.Concepts[h.concept].ID == negationConcept {
			negations = append(negations, h.at)
		}
	}
	seen := map[int32]bool{}
	var named []int32
	for _, h := range hits {
		id := l.Concepts[h.concept].ID
		if id != negationConcept && slices.ContainsFunc(negations, func(n int) bool { return n < h.at && h.at-n <= negationReach }) {
			each("not " + id)
		}
		if !seen[h.concept] {
			seen[h.concept] = true
			named = append(named, h.concept)
			each(id)
		}
	}
	slices.Sort(named)
	for i, a := range named {
		for _, b := range named[:i] {
			each(l.Concepts[b].ID + "+" + l.Concepts[a].ID)
		}
	}
	l.numbers(normalized, words, hits, each)
}

const (
	negationReach = 3
	numberReach   = 3
)

// numbers relates what should be there to what is, and tells of clocks, weights
// and numbers below zero.
func (l *Lexicon) numbers(normalized string, words []string, hits []hit, each func(string)) {
	for _, shape := range numberShapes {
		if n := len(shape.pattern.FindAllStringIndex(normalized, 2)); n > 0 {
			each(shape.name)
			if n > 1 {
				each(shape.name + "s")
			}
		}
	}
	all := countedIn(words)
	should, is := -1, -1
	for _, q := range all {
		switch l.nearest(hits, q.at) {
		case l.expected:
			should = max(should, q.n)
		case l.found:
			is = max(is, q.n)
		}
	}
	if should >= 0 && is >= 0 {
		each("is " + compared(is, should))
	}
	for i := 1; i < len(all); i++ {
		each("then " + compared(all[i].n, all[i-1].n))
		if slices.ContainsFunc(words[all[i-1].at+1:all[i].at], func(w string) bool { return slices.Contains(contrasts, w) }) {
			each("rather " + compared(all[i-1].n, all[i].n))
		}
		low, high := min(all[i].n, all[i-1].n), max(all[i].n, all[i-1].n)
		if low > 0 && high > low && high%low == 0 && slices.Contains(packSizes, high/low) {
			each("pack size apart")
		}
	}
}

// contrasts stand between what is and what should be: "19 instead of 20".
var contrasts = strings.Fields("instead rather vs versus against not statt anstatt gegen vez lugar contra plaats ipv tegen zamiast lieu contre")

var packSizes = []int{6, 8, 10, 12, 20, 24, 25, 36, 48, 50, 100, 144}

func compared(a, b int) string {
	switch {
	case a == 0 && b != 0:
		return "none"
	case a < b:
		return "less"
	case a > b:
		return "more"
	}
	return "same"
}

// nearest is the concept, of the two that numbers are related by, next to a
// word; of two as near, the one before it. -1 if there is none.
func (l *Lexicon) nearest(hits []hit, at int) int32 {
	best, concept := numberReach+1, int32(-1)
	for _, h := range hits {
		if h.concept != l.expected && h.concept != l.found {
			continue
		}
		if d := max(at-h.at, h.at-at); d > 0 && d < best {
			best, concept = d, h.concept
		}
	}
	return concept
}
