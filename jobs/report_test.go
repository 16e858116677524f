package jobs

import (
	"fmt"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// byHand has no target for counts, so that people carry them out.
func byHand(t *store.Target) { t.Kinds = []guardrails.Kind{guardrails.KindInventoryAdjustment} }

// given is an approved step that people are carrying out.
func (w *world) given(a guardrails.Action) store.Step {
	w.Helper()
	s := w.run(w.approve(w.propose(a)), 1)
	if s.State != guardrails.Executing {
		w.Fatalf("the step is %s", s.State)
	}
	return s
}

func TestPeopleSayWhatTheyDid(t *testing.T) {
	w := newWorld(t, byHand)
	s := w.given(count("S"))
	needed := w.person(s.Requirement.Slots[0].Role)
	visitor := w.person("visitor")
	for _, c := range []struct {
		name string
		by   store.By
		word store.Word
		want guardrails.Code
	}{
		{"a machine", store.By{Machine: "llm"}, store.Word{Done: true}, guardrails.CodeInactive},
		{"whoever is about that it was not done", visitor, store.Word{Reason: "blocked"}, guardrails.CodeRoleMissing},
		{"who may, without a reason", needed, store.Word{Reason: " "}, guardrails.CodeReasonMissing},
	} {
		tried, err := w.db.TryReports(t.Context(), s.ID, c.by, c.word)
		if err != nil || tried[0] == nil || tried[0].Code != c.want {
			t.Errorf("%s tries: %v, %v", c.name, tried, err)
		}
		if err := w.db.ReportByHand(t.Context(), s.ID, c.by, c.word); codeOf(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got := w.step(s); got.State != guardrails.Executing {
		t.Fatalf("a refused word made it %s", got.State)
	}
	if err := w.db.ReportByHand(t.Context(), s.ID, visitor, store.Word{Done: true}); err != nil {
		t.Error(err)
	}
	w.ends(s, guardrails.Succeeded, 0)
	if err := w.db.ReportByHand(t.Context(), s.ID, needed, store.Word{Done: true}); codeOf(err) != guardrails.CodeNotPending {
		t.Errorf("said twice: %v", err)
	}

	s = w.given(count("T"))
	if err := w.db.ReportByHand(t.Context(), s.ID, needed, store.Word{Reason: "the aisle is blocked"}); err != nil {
		t.Error(err)
	}
	w.ends(s, guardrails.Withdrawn, 0)
	if got := w.step(s); got.Reason != "not carried out: the aisle is blocked" {
		t.Errorf("the reason is kept as %q", got.Reason)
	}
}

func TestEventsShowWhatPeopleDid(t *testing.T) {
	w := newWorld(t, byHand)
	settled := func(name string, want int) {
		t.Helper()
		if n, err := w.db.SettleSeen(t.Context()); err != nil || n != want {
			t.Errorf("%s settles %d steps (%v), want %d", name, n, err, want)
		}
	}
	said := 0
	say := func(kind warehouse.Type, at time.Time, change func(*warehouse.Event)) {
		t.Helper()
		said++
		e := warehouse.Event{Type: kind, ID: fmt.Sprint(said), Source: "wms", Site: "DC-1", SKU: "S", OccurredAt: at, Qty: warehouse.Some(1000)}
		change(&e)
		w.ingest(e)
	}
	before := time.Now().Add(-time.Hour)
	s := w.given(count("S"))
	main := w.given(&guardrails.CountPosition{Location: warehouse.Main, SKU: "S"})
	after := time.Now().Add(time.Second)
	at := func(l warehouse.Location) func(*warehouse.Event) { return func(e *warehouse.Event) { e.Location = l } }
	say(warehouse.Count, before, at("A-1"))
	say(warehouse.Count, after, at("B-2"))
	say(warehouse.Pick, after, func(e *warehouse.Event) { e.From = "A-1" })
	settled("what is about something else", 0)
	say(warehouse.Count, after, at("A-1"))
	settled("a count of the position", 1)
	w.ends(s, guardrails.Succeeded, 0)
	say(warehouse.Count, after, at(""))
	settled("a count where no locations are tracked", 1)
	w.ends(main, guardrails.Succeeded, 0)

	l := w.given(&guardrails.VerifyLoad{Load: "L-1"})
	line := func(n string) func(*warehouse.Event) {
		return func(e *warehouse.Event) { e.Load, e.Line, e.Expected = "L-1", warehouse.Line(n), warehouse.Some(1000) }
	}
	say(warehouse.Receipt, after, line("1"))
	settled("a receipt of a load that nobody announced", 0)
	say(warehouse.ASN, before, line("1"))
	say(warehouse.ASN, before, line("2"))
	say(warehouse.Receipt, before, line("2"))
	settled("half a load", 0)
	say(warehouse.Receipt, after, line("2"))
	settled("the whole load", 1)
	w.ends(l, guardrails.Succeeded, 0)
}

func TestWhatNobodySaysIsADeadLetter(t *testing.T) {
	w := newWorld(t, byHand)
	letters := func() int {
		t.Helper()
		all, err := w.db.DeadLetters(t.Context(), time.Time{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	w.given(count("S"))
	if n := letters(); n != 0 {
		t.Errorf("just approved, and %d dead letters", n)
	}
	w.exec(`update execution set changed_at = changed_at - interval '25 hours'`)
	if n := letters(); n != 1 {
		t.Errorf("approved yesterday, and %d dead letters", n)
	}
}

func TestATargetThatNeverSays(t *testing.T) {
	w := newWorld(t)
	w.fail("timeout-after-apply:x1")
	w.exec(`update target set query_url = 'http://127.0.0.1:1/'`)
	s := w.run(w.approve(w.propose(count("S"))), 4)
	if s.State != guardrails.Unknown {
		t.Fatalf("the step is %s", s.State)
	}
	var pause time.Duration
	if err := w.owner.QueryRow(t.Context(), `select next_attempt_at - changed_at from execution`).Scan(&pause); err != nil || pause < 90*time.Second {
		t.Errorf("after three questions without an answer the next comes after %s (%v)", pause, err)
	}
	letters := func() []store.DeadLetter {
		t.Helper()
		all, err := w.db.DeadLetters(t.Context(), time.Time{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := letters(); len(all) != 0 {
		t.Errorf("lost a moment ago, and %+v", all)
	}
	w.exec(`set session_replication_role = replica`)
	w.exec(`update execution_attempt set answered_at = answered_at - interval '11 minutes'`)
	w.exec(`set session_replication_role = origin`)
	if all := letters(); len(all) != 1 || all[0].State != guardrails.Uncertain {
		t.Errorf("nobody is told of what has been unknown for minutes: %+v", all)
	}
}
