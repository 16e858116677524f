package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tallyman/warehouse"
)

// Files that overlap give each event once, the first of an id where they
// disagree; what was left out is told. Ids of different systems are different.
func TestABacktestReadsEachEventOnce(t *testing.T) {
	const header = "id,source,type,occurred_at,site,sku,qty,unit_cost,currency\n"
	first := write(t, "1.csv", header+
		"a,,count,2026-01-01T10:00:00Z,S,A,1,2.50,EUR\n"+
		"b,,count,2026-01-02T10:00:00Z,S,A,1,2.50,EUR\n")
	second := write(t, "2.csv", header+
		"b,,count,2026-01-02T10:00:00Z,S,A,1.0,2.50,EUR\n"+
		"a,,count,2026-01-01T10:00:00Z,S,A,7,2.50,EUR\n"+
		"a,erp,count,2026-01-03T10:00:00Z,S,A,3,9,USD\n")
	read := newOnce()
	files := newEventFiles([]string{first, second}, "", false, func(_ string, r *warehouse.Refusal) error { return r })
	files.options.Unnamed = "backtest"
	for {
		e, err := files.next()
		if err != nil {
			break
		}
		read.add(e, filepath.Base(files.name), files.reader.Line())
	}
	var got []string
	for _, e := range read.events {
		got = append(got, string(e.Source)+" "+e.ID+" "+e.Qty.String())
	}
	if s := strings.Join(got, ", "); s != "backtest a 1, backtest b 1, erp a 3" {
		t.Errorf("events %s", s)
	}
	var told strings.Builder
	read.tell(&told)
	for _, want := range []string{"1 record left out: the same source, id and content", `other content, was there before; first in 2.csv, line 3, id "a"`, "EUR, USD"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("told %q, want %q", told.String(), want)
		}
	}
}

// Outputs that cannot be written end a command before the work, not after it.
func TestOutputsAreCheckedFirst(t *testing.T) {
	events := write(t, "e.csv", "")
	nowhere := filepath.Join(t.TempDir(), "no", "folder", "out.json")
	day := func(s string) (c backtestCmd) {
		c = backtestCmd{Subject: "position", Outcome: "variance", Events: []string{events}, Tolerance: "0"}
		c.TrainUntil = c.TrainUntil.AddDate(2017, 0, 0)
		c.TestUntil = c.TrainUntil.AddDate(1, 0, 0)
		c.JSON = s
		return c
	}
	missing, same := day(nowhere), day(events)
	if err := missing.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "make it first") {
		t.Errorf("no folder: %v", err)
	}
	if err := same.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "overwritten") {
		t.Errorf("the input as output: %v", err)
	}
	if _, err := triageRun(t, "train", "--csv", fruit(t, 0, 30), "--out", nowhere); err == nil || !strings.Contains(err.Error(), "make it first") {
		t.Errorf("triage train: %v", err)
	}
	if _, err := os.Stat(nowhere); err == nil {
		t.Error("something was written")
	}
}
