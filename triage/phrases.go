package triage

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// phraseBook finds phrases in a text. A word that ends in * stands for all that
// begin so; between two words ".." lets up to maxGap others stand.
type phraseBook struct {
	whole map[string][]phrase // by their first word
	stems map[string][]phrase // those whose first word ends in *
	near  map[string][]string // long words and stems, by themselves less one letter

	longest int // bytes of a first word: no longer part of a text need be looked up
}

type phrase struct {
	id   int32
	rest []phraseWord // after the first word
}

type phraseWord struct {
	text string
	open bool // the beginning of a word
	gap  bool // others may stand before it
}

const maxGap = 3

func newPhraseBook() *phraseBook {
	return &phraseBook{whole: map[string][]phrase{}, stems: map[string][]phrase{}, near: map[string][]string{}}
}

// add adds a phrase; it reports false if a word of it says nothing.
func (b *phraseBook) add(id int32, text string) bool {
	var words []phraseWord
	gap := false
	for w := range strings.FieldsSeq(Normalize(text)) {
		if w == ".." {
			gap = true
			continue
		}
		stem, open := strings.CutSuffix(w, "*")
		for _, part := range plainWords(stem) {
			words = append(words, phraseWord{text: part, gap: gap})
			gap = false
		}
		if stem == "" || len(words) == 0 {
			return false
		}
		words[len(words)-1].open = open
	}
	if len(words) == 0 || gap {
		return false
	}
	b.longest = max(b.longest, len(words[0].text))
	byFirst := b.whole
	if words[0].open {
		byFirst = b.stems
	}
	if first := words[0].text; len(first) >= misspeltLength && len(byFirst[first]) == 0 {
		lessOne(first, func(short string) { b.near[short] = append(b.near[short], first) })
	}
	byFirst[words[0].text] = append(byFirst[words[0].text], phrase{id, words[1:]})
	return true
}

// find calls each with the id of every phrase and the place of its first word.
func (b *phraseBook) find(words []string, each func(id int32, at int)) {
	known := false // whether a word is or begins as the first one of a phrase
	try := func(phrases []phrase, at int) {
		known = known || len(phrases) > 0
		for _, p := range phrases {
			if follows(p.rest, words[at+1:]) {
				each(p.id, at)
			}
		}
	}
	for at, w := range words {
		known = false
		try(b.whole[w], at)
		for end := 1; end <= min(len(w), b.longest); end++ {
			try(b.stems[w[:end]], at)
		}
		if !known && len(w) >= misspeltLength-1 {
			b.misspelt(w, func(meant string) {
				if len(w) <= len(meant)+1 {
					try(b.whole[meant], at)
				}
				try(b.stems[meant], at)
			})
		}
		if len(w) < compoundLength {
			continue
		}
		for start := innerStart; start+innerLength <= len(w); start++ {
			try(b.whole[w[start:]], at)
			for end := start + innerLength; end <= min(len(w), start+b.longest); end++ {
				try(b.stems[w[start:end]], at)
			}
		}
	}
}

// misspelt calls each with the long words and stems of the book that a word is
// one slip away from: a letter left out, added, changed or swapped with the next.
func (b *phraseBook) misspelt(w string, each func(meant string)) {
	seen := map[string]bool{}
	look := func(have string) {
		candidates := func(short string) {
			for _, meant := range b.near[short] {
				if !seen[meant] && oneSlip(have, meant) {
					seen[meant] = true
					each(meant)
				}
			}
		}
		candidates(have)
		lessOne(have, candidates)
	}
	if len(w) <= b.longest {
		look(w)
	}
	for end := misspeltLength - 1; end < len(w) && end <= b.longest; end++ {
		look(w[:end])
	}
}

// misspeltLength is the least length of a word that may be misspelt.
const misspeltLength = 8

// lessOne calls each with a word without each of its letters.
func lessOne(w string, each func(short string)) {
	for i := range len(w) {
		each(w[:i] + w[i+1:])
	}
}

// oneSlip reports whether two words differ by one letter or by two swapped.
func oneSlip(a, b string) bool {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	a, b = a[start:], b[start:]
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}

// Words of several in one, as German and Dutch make them, have at least
// compoundLength letters; a word inside begins after innerStart letters and has
// at least innerLength.
const compoundLength, innerStart, innerLength = 10, 3, 5

func follows(want []phraseWord, words []string) bool {
	if len(want) == 0 {
		return true
	}
	reach := 1
	if want[0].gap {
		reach += maxGap
	}
	for i := 0; i < reach && i < len(words); i++ {
		same := words[i] == want[0].text || want[0].open && strings.HasPrefix(words[i], want[0].text)
		if same && follows(want[1:], words[i+1:]) {
			return true
		}
	}
	return false
}

// plainWords are the words of a normalised text without accents: people on a
// dock leave them out.
func plainWords(normalized string) []string {
	return strings.FieldsFunc(plain(normalized), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// clausedWords are the plain words, and for each the number of its clause.
func clausedWords(normalized string) (words []string, clauses []int) {
	clause, start, text := 0, -1, plain(normalized)
	for i, r := range text + " " {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			words, clauses, start = append(words, text[start:i]), append(clauses, clause), -1
		}
		if strings.ContainsRune(",;.!?()\u2013\u2014\u2192|", r) {
			clause++
		}
	}
	return words, clauses
}

var barred = strings.NewReplacer("ł", "l", "ß", "ss", "ø", "o", "æ", "ae", "œ", "oe")

func plain(normalized string) string {
	ascii := true
	for i := 0; i < len(normalized) && ascii; i++ {
		ascii = normalized[i] < 0x80
	}
	if ascii {
		return normalized
	}
	return barred.Replace(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(normalized)))
}
