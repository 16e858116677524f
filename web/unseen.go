package web

import (
	"bytes"
	"fmt"
	"regexp"
	"unicode"
)

// unseen reports whether a character shows nothing by itself, or turns around what
// stands beside it: with U+202E in its name an article shows the quantities after it
// backwards. Joiners and signs of Arabic are not meant, which writing needs.
func unseen(r rune) bool {
	return unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// sentBack finds what a form sends back: values of fields, in attributes and as texts.
var sentBack = regexp.MustCompile(` value="[^"]*"|<textarea[^>]*>[^<]*`)

// seen puts the number of every unseen character in its place, so that people decide
// on what a page says. No page of ours needs one. What a form sends back stays as it is.
func seen(page []byte) []byte {
	if bytes.IndexFunc(page, unseen) < 0 {
		return page
	}
	var b bytes.Buffer
	written := 0
	for _, field := range sentBack.FindAllIndex(page, -1) {
		writeSeen(&b, page[written:field[0]])
		b.Write(page[field[0]:field[1]])
		written = field[1]
	}
	writeSeen(&b, page[written:])
	return b.Bytes()
}

func writeSeen(b *bytes.Buffer, page []byte) {
	for _, r := range string(page) {
		if unseen(r) {
			fmt.Fprintf(b, "⟦%U⟧", r)
		} else {
			b.WriteRune(r)
		}
	}
}
