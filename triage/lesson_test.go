package triage

import (
	"fmt"
	"math"
	"testing"

	"tallyman/fixtures"
)

// The oracles: caps that are counted, labels that were swapped on purpose, and
// sums of the binomial distribution written out.

func TestNobodyAloneTeachesMuch(t *testing.T) {
	var lessons []Lesson
	for i, x := range fixtures.Tickets()[:200] {
		l := Lesson{Text: x.Text, Label: x.Label, Reporter: fmt.Sprint("r", i%50), Teacher: int64(i % 7)}
		if i%2 == 0 {
			l.Reporter = "busy"
		}
		lessons = append(lessons, l)
	}
	for range 30 {
		lessons = append(lessons, Lesson{Text: "the same thing again and again at dock 4", Label: "inbound.short", Reporter: "", Teacher: 1})
	}
	by, same := map[string]int{}, 0
	for _, i := range Curate(DefaultModel(), lessons) {
		by[lessons[i].Reporter]++
		if lessons[i].Label == "inbound.short" && lessons[i].Reporter == "" {
			same++
		}
	}
	if by["busy"] != 23 || same != perEvent {
		t.Errorf("the busy reporter has %d lessons of 230, want 23; one event has %d, want %d", by["busy"], same, perEvent)
	}
}

func TestSwappedLabelsAreSuspected(t *testing.T) {
	if testing.Short() {
		t.Skip("trains models")
	}
	labels := map[string]bool{"inbound.damaged": true, "safety.incident_or_hazard": true, "return.unexpected": true, "system.device_or_master_data": true}
	var lessons []Lesson
	swapped := map[int]bool{}
	perLabel := map[string]int{}
	for _, x := range fixtures.Tickets() {
		if !labels[x.Label] || perLabel[x.Label] == 60 {
			continue
		}
		l := Lesson{Text: x.Text, Label: x.Label}
		if perLabel[x.Label]++; perLabel[x.Label] <= 3 && x.Label != "return.unexpected" {
			swapped[len(lessons)] = true
			l.Label = "return.unexpected"
		}
		lessons = append(lessons, l)
	}
	s := DefaultSettings()
	s.OutOfScope, s.Lexicon = "", DefaultLexicon()
	found, err := Suspects(t.Context(), nil, lessons, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	hits := 0
	for _, x := range found[:min(len(found), 2*len(swapped))] {
		hits += one(swapped[x.Lesson])
	}
	if hits < 7 {
		t.Errorf("%d of %d swapped labels are among the first %d of %d suspects", hits, len(swapped), 2*len(swapped), len(found))
	}
}

func TestBinomialTail(t *testing.T) {
	for _, c := range []struct {
		k, n int
		want float64
	}{{0, 0, 1}, {0, 5, 1}, {5, 5, 1.0 / 32}, {4, 5, 6.0 / 32}, {8, 10, 56.0 / 1024}, {10, 10, 1.0 / 1024}} {
		if got := binomialTail(c.k, c.n); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%d or more of %d: %v, want %v", c.k, c.n, got, c.want)
		}
	}
}

func TestScoresOfALanguageModelsLabel(t *testing.T) {
	sure := Hints{CodeP: 0.95, Embedded: 0.3, Offered: 10, Votes: 1, Shown: true}
	alone := Hints{Embedded: 0.01, Offered: 10}
	against := Hints{CodeP: 0.6, Embedded: 0.01, Offered: 10, Votes: 0, Shown: true}
	if s := sure.Score(); s < AcceptLLM {
		t.Errorf("everything agrees: %v", s)
	}
	for _, h := range []Hints{alone, against} {
		if s := h.Score(); s >= AcceptLLM {
			t.Errorf("%+v is accepted with %v", h, s)
		}
	}
	var judged []Judgement
	for i := range 200 { // scores of 0.9 are right half of the time
		judged = append(judged, Judgement{0.9 + float64(i%3)/100, i%2 == 0})
	}
	c, err := Calibrate(judged)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Probability(0.91); math.Abs(p-0.5) > 0.05 {
		t.Errorf("a score of 0.91 that is right half of the time becomes %v", p)
	}
	if few, err := Calibrate(judged[:50]); err != nil || few.Probability(0.91) != 0.91 {
		t.Errorf("50 judgements change a score: %v", err)
	}
}

func TestAMemoryForgetsTheOldest(t *testing.T) {
	m := NewMemory(DefaultModel())
	for i := range int64(2*generation + 10) {
		m.Add(i+1, fmt.Sprintf("pallet %d crushed", i))
	}
	if r := m.Recent(); len(r) != overlapping || r[len(r)-1] != 2*generation+10 {
		t.Errorf("recent numbers end with %d of %d", r[len(r)-1], len(r))
	}
	near := m.Nearest("pallet 3 crushed", 3000, 0.1)
	for _, n := range near {
		if n.Key <= generation {
			t.Errorf("ticket %d is remembered", n.Key)
		}
	}
	before := len(m.Recent())
	m.Add(2*generation+10, "twice")
	m.Add(5, "late by far")
	if len(m.Recent()) != before {
		t.Error("a known ticket was added")
	}
}
