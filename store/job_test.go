package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

func TestIntakeWakesTheRankingOfItsSites(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	waiting := func() []string {
		rows, _ := conn.Query(t.Context(), `select args->>'site' from river_job where kind = 'rank' and state = 'available' order by 1`)
		sites, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return sites
	}
	ingest(t, db, count("a", "S1", 1), count("b", "S1", 1), count("c", "S2", 1))
	ingest(t, db, count("d", "S1", 1))
	if diff := cmp.Diff([]string{"S1", "S2"}, waiting()); diff != "" {
		t.Errorf("one job per site (-want +got):\n%s", diff)
	}
	exec(t, conn, `update river_job set state = 'completed', finalized_at = now()`)
	ingest(t, db, count("a", "S1", 1)) // a duplicate
	if got := waiting(); len(got) > 0 {
		t.Errorf("nothing happened and %v is to be ranked", got)
	}
	r := store.Ranking{Site: "S2", AsOf: noon, Watermark: 4}
	if _, err := db.ReplaceQueue(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	n, err := db.RankStale(t.Context())
	if diff := cmp.Diff([]string{"S1"}, waiting()); n != 1 || err != nil || diff != "" {
		t.Errorf("%d stale, %v (-want +got):\n%s", n, err, diff)
	}
	ingest(t, db, count("e", "S2", 1))
	if diff := cmp.Diff([]string{"S1", "S2"}, waiting()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A name and a time zone are given by hand; what is empty stays.
func TestSetSite(t *testing.T) {
	db := storetest.DB(t)
	ingest(t, db, count("1", "DC-1", 1))
	for _, set := range [][2]string{{"Chicago", ""}, {"", "America/Chicago"}} {
		if err := db.SetSite(t.Context(), "DC-1", set[0], set[1]); err != nil {
			t.Fatal(err)
		}
	}
	ingest(t, db, count("2", "DC-1", 2)) // which leaves them
	sites, err := db.Sites(t.Context())
	if err != nil || len(sites) != 1 || sites[0].Name != "Chicago" || sites[0].TimeZone != "America/Chicago" {
		t.Errorf("%+v, %v", sites, err)
	}
	for _, zone := range []string{"Middle/Earth", "Local", "../etc/passwd"} {
		if err := db.SetSite(t.Context(), "DC-1", "", zone); err == nil {
			t.Errorf("time zone %q is taken", zone)
		}
	}
	if err := db.SetSite(t.Context(), "DC-2", "x", ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a site never heard of: %v", err)
	}
}

func TestSites(t *testing.T) {
	db := storetest.DB(t)
	priced := count("b", "DC-1", 1)
	priced.Cost = warehouse.Cost{Micros: 5, Currency: "SEK"}
	later := count("c", "DC-1", 1)
	later.Cost = warehouse.Cost{Micros: 5, Currency: "EUR"}
	ingest(t, db, count("a", "DC-1", 1))
	ingest(t, db, priced, count("d", "AA", 2))
	ingest(t, db, later)
	sites, err := db.Sites(t.Context())
	if err != nil || len(sites) != 2 {
		t.Fatal(sites, err)
	}
	if s := sites[1]; s.Code != "DC-1" || s.Name != "DC-1" || s.TimeZone != "UTC" || s.Currency != "SEK" || s.LastSeq != 4 {
		t.Errorf("%+v", s)
	}
	if s := sites[0]; s.Code != "AA" || s.Currency != warehouse.NoCurrency || s.LastSeq != 3 {
		t.Errorf("%+v", s)
	}
}

// A decision inserts its job itself, to do so together with everything else.
func TestADecisionsJobIsAsRiverInsertsIt(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	if err := db.ExecuteJobs(t.Context(), "st_1"); err != nil {
		t.Fatal(err)
	}
	rows, _ := conn.Query(t.Context(), `select to_jsonb(j) - '{id,created_at,scheduled_at}'::text[] from river_job j order by id`)
	jobs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(jobs) != 2 || jobs[0] != jobs[1] {
		t.Errorf("%v, %v", jobs, err)
	}
}

// Whoever sends hears of a decision through the channel that River listens to.
func TestADecisionWakesTheSender(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step, by := propose(t, db), store.By{Person: supervisor(t, conn), Session: "s"}
	exec(t, conn, `listen "public.river_insert"`)
	if _, err := db.Decide(t.Context(), step.ID, by, guardrails.Approve{Binding: step.Binding}); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `notify "public.river_insert", 'none'`) // so that the wait ends
	n, err := conn.WaitForNotification(t.Context())
	if err != nil || n.Payload != `{"queue": "execute"}` {
		t.Errorf("heard %+v, %v", n, err)
	}
}
