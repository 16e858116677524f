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

// reading is a text as a lexicon sees it.
type reading struct {
	words   []string
	clauses []int // of each word, the number of its clause
	hits    []hit // by place
	amounts []amount
}

func (l *Lexicon) read(normalized string) reading {
	var r reading
	r.words, r.clauses = clausedWords(plainAmounts(normalized))
	r.amounts = countedIn(r.words)
	l.book.find(r.words, func(id int32, at int) { r.hits = append(r.hits, hit{id, at}) })
	slices.SortFunc(r.hits, func(a, b hit) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.concept, b.concept)) })
	r.hits = slices.Compact(r.hits)
	return r
}

// features calls each with what the lexicon sees in a normalised text: concepts,
// how they are spoken of, how numbers relate, which of those are in one text and
// which follow one another.
func (l *Lexicon) features(normalized string, each func(feature string)) {
	r := l.read(normalized)
	var named []string
	names := func(feature string) {
		each(feature)
		named = append(named, feature)
	}
	seen := map[int32]bool{}
	for _, h := range r.hits {
		if !seen[h.concept] {
			seen[h.concept] = true
			names(l.Concepts[h.concept].ID)
		}
	}
	l.judged(r, each)
	numberForms(normalized, names)
	l.related(r, names)
	slices.Sort(named)
	named = slices.Compact(named)
	for i, a := range named {
		for _, b := range named[:i] {
			each(b + "+" + a)
		}
	}
	l.neighbours(r, each)
}

// How many words after a negation a concept is denied, and how many before a
// word of praise in its clause it is called all right.
const negationReach, praiseReach = 3, 3

// judged calls each with the concepts that are denied or called all right.
func (l *Lexicon) judged(r reading, each func(string)) {
	var negations, praises []int
	denied := func(at int) bool {
		return slices.ContainsFunc(negations, func(n int) bool { return n < at && at-n <= negationReach })
	}
	for _, h := range r.hits {
		switch {
		case h.concept == l.negation:
			negations = append(negations, h.at)
		case h.concept == l.praise && !denied(h.at):
			praises = append(praises, h.at)
		}
	}
	for _, h := range r.hits {
		id := l.Concepts[h.concept].ID
		if h.concept != l.negation && denied(h.at) {
			each("not " + id)
		}
		if h.concept != l.praise && slices.ContainsFunc(praises, func(p int) bool {
			return p > h.at && p-h.at <= praiseReach && r.clauses[p] == r.clauses[h.at]
		}) {
			each("fine " + id)
		}
	}
}

// neighbourReach is how many words apart two that follow one another may be.
const neighbourReach = 4

// neighbours calls each with concepts and numbers (#) that follow one another in
// a clause, and with those near the beginning (^) of the text.
func (l *Lexicon) neighbours(r reading, each func(string)) {
	type name struct {
		text string
		at   int
	}
	all := make([]name, 0, len(r.hits)+len(r.amounts)+1)
	all = append(all, name{"^", -1})
	for _, h := range r.hits {
		all = append(all, name{l.Concepts[h.concept].ID, h.at})
	}
	for _, q := range r.amounts {
		all = append(all, name{"#", q.at})
	}
	slices.SortStableFunc(all, func(a, b name) int { return cmp.Compare(a.at, b.at) })
	seen := map[string]bool{}
	for i, b := range all {
		for k := i - 1; k >= 0 && b.at-all[k].at <= neighbourReach; k-- {
			a := all[k]
			if a.at == b.at || a.at >= 0 && r.clauses[a.at] != r.clauses[b.at] {
				continue
			}
			if f := a.text + ">" + b.text; !seen[f] {
				seen[f] = true
				each(f)
			}
		}
	}
}
