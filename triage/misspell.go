package triage

import (
	"math/rand/v2"
	"strings"
)

// misspeltWords is the share of words with a slip in a text learned again.
const misspeltWords = 0.1

// misspell makes slips of the hand in a text's words of three letters or more:
// two letters swapped, one left out, one doubled or another one.
func misspell(r *rand.Rand, normalized string) string {
	words := strings.Split(normalized, " ")
	for i, w := range words {
		letters := []rune(w)
		if r.Float64() >= misspeltWords || len(letters) < 3 {
			continue
		}
		at := r.IntN(len(letters) - 1)
		switch r.IntN(4) {
		case 0:
			letters[at], letters[at+1] = letters[at+1], letters[at]
		case 1:
			letters = append(letters[:at], letters[at+1:]...)
		case 2:
			letters = append(letters[:at+1], letters[at:]...)
		default:
			letters[at+1] = rune('a' + r.IntN(26))
		}
		words[i] = string(letters)
	}
	return strings.Join(words, " ")
}
