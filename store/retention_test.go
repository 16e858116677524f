package store_test

import (
	"os"
	"strings"
	"testing"

	"tallyman/store/storetest"
)

// What the page tells an owner of the tables to run does run.
func TestTheRetentionPageIsRight(t *testing.T) {
	page, err := os.ReadFile("../docs/retention.md")
	if err != nil {
		t.Fatal(err)
	}
	var sql strings.Builder
	for line := range strings.Lines(string(page)) {
		if statement, ok := strings.CutPrefix(line, "    "); ok {
			sql.WriteString(statement)
		}
	}
	conn := connect(t, storetest.DSN(t))
	n := 0
	for statement := range strings.SplitSeq(sql.String(), ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		n++
		exec(t, conn, statement)
	}
	if n < 4 {
		t.Errorf("the page has %d statements", n)
	}
}
