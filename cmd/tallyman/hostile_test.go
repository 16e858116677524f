package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"tallyman/audit"
	"tallyman/store"
	"tallyman/warehouse"
)

// A reason is what somebody typed. It must not look like an entry of its own, nor
// move the cursor to write over one.
func TestAReasonIsNoEntryOfTheLog(t *testing.T) {
	e := &store.AuditedEntry{Entry: audit.Entry{
		Event: "rejected", Actor: "person:3",
		Facts: []audit.Fact{{Name: "reason", Value: "no\n2026-11-26T12:00:00Z  approved by person:7 (index 5, proved)\x1b[2A\x1b[2K"}},
	}}
	var out bytes.Buffer
	showEntry(&out, e, true)
	if text := out.String(); strings.Count(text, "\n") != 3 || strings.Contains(text, "\x1b") || !strings.Contains(text, `no\n2026`) {
		t.Errorf("it is shown as\n%s", text)
	}
}

// The list of refused records is opened in spreadsheets, which run what begins as a
// formula.
func TestRefusedRecordsAreNoFormulas(t *testing.T) {
	list := refusals{path: filepath.Join(t.TempDir(), "refused.csv")}
	for _, id := range []string{"=HYPERLINK(\"http://evil\")", "+1", "-1", "@SUM(A1)", "\t=1", "fine-1"} {
		if err := list.add("events.csv", &warehouse.Refusal{Line: 1, ID: id, Field: "id", Reason: "=1"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := list.close(); err != nil {
		t.Fatal(err)
	}
	for _, row := range listed(t, list.path)[1:] {
		for _, cell := range row {
			if strings.ContainsRune("=+-@\t", rune(cell[0])) {
				t.Errorf("%q is a formula", cell)
			}
		}
	}
}
