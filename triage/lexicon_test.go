package triage

import (
	"slices"
	"strings"
	"testing"
)

// The oracle is what a person on the dock would say a text is about.
func TestLexiconFeatures(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a concept by its stem", "two cartons damaged", "damage"},
		{"without its accents", "kartony uszkodzone, pozar", "fire"},
		{"in another language", "Notausgang zugestellt", "blocked_exit"},
		{"words apart", "the seal on it was broken", "tamper"},
		{"what is denied", "there is no label", "not label"},
		{"two that stand together", "his foot under the forklift", "body+vehicle"},
		{"less than there should be", "ordered 18, received 16", "is less"},
		{"more than there should be", "expected 40 but got 52", "is more"},
		{"nothing of what should be there", "the list says 5, counted 0", "is none"},
		{"below zero", "on hand -12", "below zero"},
		{"a pack size apart", "picked 24 for 2", "pack size apart"},
		{"what is called all right", "labels are fine, two cartons crushed", "fine label"},
		{"one after the other", "three short", "#>fewer"},
		{"what a text begins with", "damaged, all of it", "^>damage"},
		{"numbers with what they are about", "ordered 18, received 16 at the dock", "is less+receive"},
	} {
		var got []string
		DefaultLexicon().features(Normalize(c.text), func(f string) { got = append(got, f) })
		if !slices.Contains(got, c.want) {
			t.Errorf("%s: %q has %q, want %q among them", c.name, c.text, got, c.want)
		}
	}
}

func TestALexiconThatSaysNothingIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no version", "concepts: {a: [b]}", "version is 0"},
		{"a concept without phrases", "version: 1\nconcepts: {a: []}", "needs an id and phrases"},
		{"a phrase of nothing", "version: 1\nconcepts: {a: ['*']}", "says nothing"},
		{"a phrase that ends in a gap", "version: 1\nconcepts: {a: [seal ..]}", "says nothing"},
		{"a key nobody knows", "version: 1\nwords: {}", "words"},
	} {
		if _, err := ParseLexicon([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestTheLexiconReadsNumbersAndWordsAsPeopleWriteThem(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"fewer came", "announced 88, booked 80", "is less"},
		{"more came", "PO 81177 ordered 1,440 received 1,500", "is more"},
		{"numbers as words", "ordered twelve, only ten arrived", "is less"},
		{"one instead of the other", "19 pallets instead of 20", "rather less"},
		{"a number of two words", "ordered thirty two, received thirty", "is less"},
		{"hundreds as words", "wanted a thousand, got eleven hundred", "is more"},
		{"numbers with their unit", "expected 24pcs, got 20pcs", "is less"},
		{"a clause for each", "gloves, 30 cs on the asn, 28 physical", "is less"},
		{"one that says nothing of itself", "po wants 436, butter, 400 of it", "may be less"},
		{"what each number belongs to", "rcvd qty 18 / expected qty 20", "is less"},
		{"an order's number with a dash", "PO 88-2201 line 1, ordered 640 received 704", "is more"},
		{"a long number after one", "PO 88-2201: 1200 ordered, 1000 received", "is less"},
		{"many dozens", "ordered 144 dozen, received 1728", "is same"},
		{"a range is no id", "10-12 boxes came, ordered 15", "is less"},
		{"what it is instead of", "instead of 45 cs passata we now have 54", "is more"},
		{"dozens", "wanted two dozen, got 25", "is more"},
		{"a word within a word", "Palettenetikett fehlt", "label"},
		{"a slip in a long word", "the emplyoee needs an ambulnace", "medical"},
	} {
		seen := map[string]bool{}
		DefaultLexicon().features(Normalize(c.text), func(f string) { seen[f] = true })
		if !seen[c.want] {
			t.Errorf("%s: %q has no %q", c.name, c.text, c.want)
		}
	}
	seen := map[string]bool{}
	DefaultLexicon().features(Normalize("door 4 PO 8812, waiting since 10:30"), func(f string) { seen[f] = true })
	for f := range seen {
		if strings.HasPrefix(f, "then ") || strings.HasPrefix(f, "is ") {
			t.Errorf("a door, an order and a clock are compared: %q", f)
		}
	}
}
