package triage

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

type found struct {
	id int32
	at int
}

func findIn(b *phraseBook, words []string) (all []found) {
	b.find(words, func(id int32, at int) { all = append(all, found{id, at}) })
	return all
}

// A word of a stranger may be as long as the text. What it costs must not grow with
// every part that it has: allocations count the parts that are looked at.
func TestALongWordCostsLittle(t *testing.T) {
	b := DefaultLexicon().book
	if n := testing.AllocsPerRun(1, func() { findIn(b, []string{strings.Repeat("a", maxRunes)}) }); n > 20_000 {
		t.Errorf("a word of %d letters takes %.0f allocations", maxRunes, n)
	}
}

// The oracle is the same book told that it has a longer word, so that it looks at
// every part.
func TestNoPartOfALongWordIsMissed(t *testing.T) {
	b := DefaultLexicon().book
	patient := *b
	patient.longest = 1 << 20
	r := rand.New(rand.NewPCG(1, 2))
	var firsts []string
	for w := range b.whole {
		firsts = append(firsts, w)
	}
	for w := range b.stems {
		firsts = append(firsts, w)
	}
	slices.Sort(firsts)
	hits := 0
	for range 300 {
		w := ""
		for range 1 + r.IntN(4) {
			part := firsts[r.IntN(len(firsts))]
			if at := r.IntN(len(part)); r.IntN(3) == 0 {
				part = part[:at] + part[at+1:]
			}
			w += part
		}
		words := []string{w, firsts[r.IntN(len(firsts))]}
		want, got := findIn(&patient, words), findIn(b, words)
		hits += len(want)
		slices.SortFunc(want, compareFound)
		slices.SortFunc(got, compareFound)
		if !slices.Equal(want, got) {
			t.Fatalf("%q: found %v, want %v", words, got, want)
		}
	}
	if hits < 300 {
		t.Errorf("only %d phrases were in the words", hits)
	}
}

func compareFound(a, b found) int { return (a.at-b.at)*1_000_000 + int(a.id-b.id) }
