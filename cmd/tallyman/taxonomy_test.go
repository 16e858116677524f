package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tallyman/store"
	"tallyman/store/storetest"
)

const brewery = `version: 1
name: brewery
currency: EUR
unclear: ask
labels:
  - {id: keg.leaks, name: Keg leaks, definition: A keg loses beer., owner: cellar, severity: S2}
  - {id: label.torn, name: Label torn, definition: A label is torn or off., owner: packaging, severity: S4}
  - {id: ask, name: Not said, definition: The text does not say what is wrong., owner: shift, severity: S4}
`

// ownFiles writes a taxonomy and tickets of it.
func ownFiles(t *testing.T, taxonomy, more string) *ownTickets {
	t.Helper()
	tickets := "text,label\n" + more
	for i := range 150 {
		tickets += fmt.Sprintf("keg %d at tap %d drips on the floor,keg.leaks\nlabel of crate %d came off at line %d,label.torn\n", i, i%7, i, i%5)
	}
	dir := t.TempDir()
	o := &ownTickets{Taxonomy: filepath.Join(dir, "taxonomy.yaml"), Tickets: filepath.Join(dir, "tickets.csv")}
	for name, text := range map[string]string{o.Taxonomy: taxonomy, o.Tickets: tickets} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestAWarehouseBringsItsOwnTaxonomy(t *testing.T) {
	db := storetest.DB(t)
	desk, basis, err := ownFiles(t, brewery, "").desk(t.Context(), db, false, 1)
	if err != nil {
		t.Fatal(err)
	}
	office := openOfficeOf(t, db, desk)
	id := office.post(t, "keg 3 at tap 3 drips on the floor")
	v := office.ticket(t, id)
	if r := v.Current.Routing; v.Current.Label != "keg.leaks" || r.Owner != "cellar" || r.Severity.String() != "S2" {
		t.Errorf("label %s, %+v", v.Current.Label, r)
	}
	if len(basis.Examples) != 300 || basis.Settings.OutOfScope != "" {
		t.Errorf("models learn from %d tickets, out of scope is %q", len(basis.Examples), basis.Settings.OutOfScope)
	}
	refitted := store.Refitted{Artifact: []byte("a model"), From: time.Now().Add(-time.Hour), Until: time.Now(), Settings: basis.Settings, Report: []byte(`{}`)}
	step, err := db.ProposeTicketModel(t.Context(), desk.Taxonomy, &refitted, time.Now())
	if err != nil || !slices.Equal(step.Subject, []string{"ticket", "label/brewery"}) {
		t.Errorf("a model of its own is proposed for %v: %v", step.Subject, err)
	}
}

func TestOwnTicketsAreChecked(t *testing.T) {
	db := storetest.DB(t)
	for _, c := range []struct {
		name string
		own  *ownTickets
		want string
	}{
		{"a label that the taxonomy lacks", ownFiles(t, brewery, "beer is warm,beer.warm\n"), `"beer is warm" has the label "beer.warm"`},
		{"the program's name", ownFiles(t, strings.Replace(brewery, "brewery", "default", 1), ""), "give yours another"},
		{"no name", ownFiles(t, strings.Replace(brewery, "name: brewery\n", "", 1), ""), "name it"},
		{"a taxonomy alone", &ownTickets{Taxonomy: "taxonomy.yaml"}, "go together"},
		{"tickets alone", &ownTickets{Tickets: "tickets.csv"}, "go together"},
	} {
		if _, _, err := c.own.desk(context.Background(), db, false, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
