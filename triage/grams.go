package triage

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// block is a kind of feature. Each kind is weighted and normalised on its own.
type block int

const (
	wordBlock    block = iota // words and pairs of neighbouring words
	charBlock                 // runs of 2 to 5 characters within a word and its borders
	conceptBlock              // what a lexicon sees
	blocks
)

const shortestRun, longestRun = 2, 5

// grams calls each with every word, pair of words and run of characters of a
// normalised text. All of them are parts of two strings made once, so nothing
// else is allocated.
func grams(text string, each func(b block, gram string)) {
	text = shape(text)
	wordGrams(text, each)
	charGrams(text, each)
}

// shape makes all digits alike: a number says that there is a number.
func shape(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '0'
		}
		return r
	}, text)
}

// wordGrams calls each with the words, the pairs of neighbours and the pairs
// with one word between them; the text's beginning and end count as words there.
func wordGrams(text string, each func(b block, gram string)) {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '_'
	})
	joined := strings.Join(words, " ")
	start := 0
	for i, w := range words {
		end := start + len(w)
		each(wordBlock, joined[start:end])
		if i+1 < len(words) {
			each(wordBlock, joined[start:end+1+len(words[i+1])])
		}
		start = end + 1
	}
	apart(words, each)
}

func apart(words []string, each func(b block, gram string)) {
	if len(words) == 0 {
		return
	}
	at := func(i int) string {
		if i < 0 || i >= len(words) {
			return ""
		}
		return words[i]
	}
	var all strings.Builder
	for i := -1; i+1 < len(words); i++ {
		all.WriteString(at(i))
		all.WriteByte('~')
		all.WriteString(at(i + 2))
	}
	rest := all.String()
	for i := -1; i+1 < len(words); i++ {
		n := len(at(i)) + 1 + len(at(i+2))
		each(wordBlock, rest[:n])
		rest = rest[n:]
	}
}

func charGrams(text string, each func(b block, gram string)) {
	padded := " " + text + " "
	for start := 0; start+1 < len(padded); {
		length := strings.IndexByte(padded[start+1:], ' ')
		if length < 0 {
			return
		}
		if length > 0 {
			charRuns(padded[start:start+length+2], each)
		}
		start += length + 1
	}
}

// charRuns calls each with the runs of one word, which has a space on either
// side. A word shorter than a length counts once as a whole.
func charRuns(word string, each func(b block, gram string)) {
	var ends [longestRun + 1]int // byte positions of the runes after start
	for start := 0; start < len(word); {
		n, at := 0, start
		for n < longestRun && at < len(word) {
			_, size := utf8.DecodeRuneInString(word[at:])
			at += size
			n++
			ends[n] = at
			if n >= shortestRun {
				each(charBlock, word[start:at])
			}
		}
		start = ends[1]
	}
}
