package web

import "testing"

func TestSeen(t *testing.T) {
	for page, want := range map[string]string{
		"":                                   "",
		"<p title=\"a\u202eb\">S\u202ex</p>": "<p title=\"a⟦U+202E⟧b\">S⟦U+202E⟧x</p>",
		"<option value=\"Z\u00ad1\">Z\u00ad1</option><textarea name=\"r\">a\u200bb</textarea>\u200b": "<option value=\"Z\u00ad1\">Z⟦U+00AD⟧1</option><textarea name=\"r\">a\u200bb</textarea>⟦U+200B⟧",
		"می\u200cخواهم <b": "می\u200cخواهم <b",
		"\u2066<b\u2066":   "⟦U+2066⟧<b⟦U+2066⟧",
	} {
		if got := string(seen([]byte(page))); got != want {
			t.Errorf("%q: %q, want %q", page, got, want)
		}
	}
}
