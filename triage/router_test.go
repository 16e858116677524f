package triage

import (
	"testing"
)

// The oracle: a supervisor's answer to each case, and texts that are edited
// copies of one another.

func TestSettle(t *testing.T) {
	sure := Verdict{Choice: Choice{"inbound.short", 0.97}, Stray: 0.3}
	unsure, strange, elsewhere, blank, made := sure, sure, sure, sure, sure
	unsure.Abstain = true
	strange.Stray, strange.Abstain = 0.99, true
	elsewhere.Label = "out_of_scope"
	blank.Label = "unclear"
	made.Label = "sales.lead"
	for _, c := range []struct {
		name  string
		v     Verdict
		label string
		path  Path
		ask   bool
	}{
		{"sure and in scope stands", sure, "inbound.short", ByModel, false},
		{"unsure is unclear until somebody says more", unsure, "unclear", ByHuman, true},
		{"strange is unclear", strange, "unclear", ByHuman, true},
		{"surely something else needs no language model", elsewhere, "out_of_scope", ByModel, false},
		{"a text without a decision is unclear", blank, "unclear", ByHuman, true},
		{"a label of another taxonomy is unclear", made, "unclear", ByHuman, true},
	} {
		if got := DefaultTaxonomy().Settle(c.v); got.Label != c.label || got.Path != c.path || got.Ask != c.ask {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestAnIndexFindsTheSameEventToldTwice(t *testing.T) {
	x := NewIndex[int](small())
	for i, text := range []string{
		"customer sent back 3 cartons without an RMA number, box is opened",
		"scale at pack 4 says 4.1 kg, expected 5.6 kg",
		"can we send the green one instead of the blue one",
	} {
		x.Add(i, text)
	}
	found := x.Nearest("Customer sent back 3 cartons without RMA number, boxes opened", 2, 0.1)
	if len(found) == 0 || found[0].Key != 0 || found[0].Similarity < NearDuplicate {
		t.Errorf("got %+v, want ticket 0 as a near duplicate", found)
	}
	if same := x.Nearest("scale at pack 4 says 4.1 kg, expected 5.6 kg", 1, NearDuplicate); len(same) != 1 || same[0].Key != 1 || same[0].Similarity < 0.999 {
		t.Errorf("a text is like itself: got %+v", same)
	}
	if none := x.Nearest("", 3, 0); len(none) != 0 {
		t.Errorf("nothing is like %+v", none)
	}
}
