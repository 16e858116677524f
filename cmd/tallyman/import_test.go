package main

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tallyman/fixtures"
	"tallyman/store"
	"tallyman/store/storetest"
)

// Ten thousand malformed records of every kind stand between good ones: each is
// listed with file, line, field and reason, and every good one is in.
func TestImportRefusesRecordByRecord(t *testing.T) {
	dir := t.TempDir()
	var records strings.Builder
	type refusal struct{ line, field string }
	var want []refusal
	good := 0
	for i := range 10_000 {
		kind := &fixtures.MalformedKinds[i%len(fixtures.MalformedKinds)]
		if i%5 == 0 {
			good++
			fmt.Fprintln(&records, fixtures.GoodRecord("good-"+strconv.Itoa(i)))
		}
		fmt.Fprintln(&records, kind.Record("bad-"+strconv.Itoa(i)))
		want = append(want, refusal{strconv.Itoa(i + 1 + good), kind.Field})
	}
	file := filepath.Join(dir, "events.ndjson.gz")
	pack(t, file, records.String())
	dsn := storetest.DSN(t)
	c := importCmd{database: database{URL: dsn, Dir: dir}, Refused: filepath.Join(dir, "refused.csv"), Files: []string{file}}
	err := c.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "10000 records refused; see "+c.Refused) {
		t.Errorf("the import says %v", err)
	}
	rows := listed(t, c.Refused)[1:]
	if len(rows) != len(want) {
		t.Fatalf("%d records are listed, want %d", len(rows), len(want))
	}
	for i, row := range rows {
		kind := fixtures.MalformedKinds[i%len(fixtures.MalformedKinds)]
		if row[0] != file || row[1] != want[i].line || row[3] != want[i].field || row[4] == "" {
			t.Fatalf("%s is listed as %q, want line %s and field %q", kind.Name, row, want[i].line, want[i].field)
		}
	}
	if n := recorded(t, dsn); n != store.Seq(good) {
		t.Errorf("%d events are in, want %d", n, good)
	}
}

// What a spreadsheet does to a CSV file costs a record at most.
func TestImportOfSpoiledCSV(t *testing.T) {
	dir := t.TempDir()
	header := "id,type,occurred_at,site,sku,qty\n"
	first, second := filepath.Join(dir, "1.csv"), filepath.Join(dir, "2.csv")
	save(t, first, header+"1,count,2026-06-01T06:14:05Z,S,A,1\n2,count,2026-06-01T06:14:05Z,S,A\n3,count,2026-06-01T06:14:05Z,S,\"A,1\n4,count,2026-06-01T06:14:05Z,S,A,1\n")
	save(t, second, header+"5,count,2026-06-01T06:14:05Z,S,A,1,,\n\n6,count,2026-06-01T06:14:05Z,S,A,1\n1,count,2026-06-01T06:14:05Z,S,A,2\n")
	dsn := storetest.DSN(t)
	c := importCmd{database: database{URL: dsn, Dir: dir}, Source: "wms", Refused: filepath.Join(dir, "refused.csv"), Files: []string{first, second}}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "4 records refused") {
		t.Errorf("the import says %v", err)
	}
	var got []string
	for _, row := range listed(t, c.Refused)[1:] {
		got = append(got, filepath.Base(row[0])+":"+row[1]+":"+row[3])
	}
	if want := "1.csv:3: 1.csv:4: 2.csv:2: 2.csv:5:id"; strings.Join(got, " ") != want {
		t.Errorf("listed: %q, want %q", got, want)
	}
	if n := recorded(t, dsn); n != 3 {
		t.Errorf("%d events are in, want 3", n)
	}
}

// A file that cannot be read at all stops the import with its name, and what
// came before it stays.
func TestImportStopsAtAFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.ndjson"), filepath.Join(dir, "bad.csv")
	save(t, good, fixtures.GoodRecord("1")+"\n")
	save(t, bad, "when,what,how many\n2026,pick,3\n")
	dsn := storetest.DSN(t)
	c := importCmd{database: database{URL: dsn, Dir: dir}, Refused: filepath.Join(dir, "refused.csv"), Files: []string{good, bad}}
	err := c.Run(t.Context())
	for _, want := range []string{bad, "unknown column", "import again"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the import says %v, want %q in it", err, want)
		}
	}
	if n := recorded(t, dsn); n != 1 {
		t.Errorf("%d events are in, want the one of the good file", n)
	}
	if _, err := os.Stat(c.Refused); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a list of nothing was written: %v", err)
	}
}

func recorded(t *testing.T, dsn string) store.Seq {
	t.Helper()
	db := storetest.Open(t, dsn)
	n, err := db.Watermark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func save(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func pack(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(f)
	_, err = io.WriteString(w, text)
	if err := errors.Join(err, w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, file string) [][]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
