package triage

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxRunes is how much of a text is read: the beginning and the end, where
// people say what they want.
const (
	maxRunes = 4000
	maxTail  = 1000
)

// Normalize is the text as the classifier and the rules read it: in Unicode's
// compatibility form NFKC, without characters that nobody sees (controls, zero
// width, direction overrides, tags, variation selectors), in lower case, with
// single spaces. Letters that only look Latin become Latin in words that mix
// the scripts. Of a long text the first 3,000 and the last 1,000 characters
// remain.
func Normalize(text string) string {
	text = norm.NFKC.String(clipMiddle(strings.ToValidUTF8(text, " ")))
	var b strings.Builder
	b.Grow(len(text))
	space := true
	for _, r := range text {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r):
			if !space {
				b.WriteByte(' ')
				space = true
			}
		case invisible(r):
		default:
			b.WriteRune(unicode.ToLower(r))
			space = false
		}
	}
	return foldLookalikes(strings.TrimSuffix(b.String(), " "))
}

// clipMiddle cuts the middle out of a text of more than maxRunes.
func clipMiddle(text string) string {
	if len(text) <= maxRunes || utf8.RuneCountInString(text) <= maxRunes {
		return text
	}
	runes := []rune(text)
	return string(runes[:maxRunes-maxTail]) + " " + string(runes[len(runes)-maxTail:])
}

func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Variation_Selector) ||
		r == '\u034f' || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == utf8.RuneError
}

// lookalikes are Cyrillic and Greek small letters and the Latin ones they pass
// for (Unicode Technical Standard 39, confusables).
var lookalikes = strings.NewReplacer(
	"а", "a", "е", "e", "о", "o", "р", "p", "с", "c", "у", "y", "х", "x", "і", "i", "ј", "j", "ѕ", "s",
	"ԁ", "d", "ԛ", "q", "ԝ", "w", "һ", "h", "ӏ", "l", "к", "k", "м", "m", "т", "t", "в", "b", "н", "h",
	"α", "a", "ο", "o", "ν", "v", "ρ", "p", "ι", "i", "κ", "k", "τ", "t", "υ", "u", "ε", "e",
)

// foldLookalikes makes Latin the words that mix Latin with Cyrillic or Greek
// letters; a word in one script stays as it is.
func foldLookalikes(text string) string {
	if !foreign(text) {
		return text
	}
	words := strings.Split(text, " ")
	for i, w := range words {
		if foreign(w) && strings.ContainsFunc(w, func(r rune) bool { return unicode.Is(unicode.Latin, r) }) {
			words[i] = lookalikes.Replace(w)
		}
	}
	return strings.Join(words, " ")
}

func foreign(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > 0x36f && unicode.In(r, unicode.Cyrillic, unicode.Greek) })
}
