package store_test

import (
	"net/url"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// What approvals and every page ask for is looked up, not searched for.
func TestLookupsUseTheirIndex(t *testing.T) {
	dsn := storetest.DSN(t)
	conn := connect(t, dsn)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query() // so that a small table is read as a large one is
	for _, setting := range []string{"enable_seqscan", "enable_sort"} {
		q.Set(setting, "off")
	}
	u.RawQuery = q.Encode()
	db := open(t, u.String())
	step := propose(t, db)
	by := store.By{Person: supervisor(t, conn), Session: "s", AuthenticatedAt: time.Now()}
	glass := guardrails.Approve{Binding: step.Binding, Reason: "fire", Incident: "INC-1"}
	if _, err := db.Try(t.Context(), step.ID, by, guardrails.Approve{Binding: step.Binding}, glass); err != nil {
		t.Fatal(err)
	}
	if _, err := db.InboxSteps(t.Context(), store.Viewer{Person: by.Person}, store.StepFilter{Done: true}, store.StepCursor{}, 10); err != nil {
		t.Fatal(err)
	}
	db.Close() // a connection that ends says what it did
	for _, index := range []string{"decision_authority_idx", "step_glass_idx", "step_done_idx"} {
		var used bool
		err := conn.QueryRow(t.Context(), `
			with recursive wait (scans, n) as (
				select 0::bigint, 0
				union all
				select pg_stat_get_numscans($1::text::regclass), n + 1
				from wait, lateral (select pg_sleep(0.01), pg_stat_clear_snapshot()) s
				where scans = 0 and n < 500)
			select max(scans) > 0 from wait`, index).Scan(&used)
		if err != nil || !used {
			t.Errorf("%s is not used: %v", index, err)
		}
	}
}
