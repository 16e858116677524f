package store_test

// The closed sets of Go and the CHECK constraints of SQL say the same.

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

func TestChecksListTheSetsOfGo(t *testing.T) {
	conn := connect(t, storetest.DSN(t))
	for constraint, want := range map[string][]string{
		"event_type":            stringsOf(warehouse.Types),
		"step_state":            stringsOf(guardrails.StepStates),
		"recommendation_action": stringsOf(guardrails.Actions),
		"api_key_scopes":        stringsOf(store.Scopes),
		"model_state":           {string(store.Candidate), string(store.Champion), string(store.Retired)},
	} {
		var def string
		err := conn.QueryRow(t.Context(), `
			select pg_get_constraintdef(oid)
			from pg_constraint
			where conname = $1 and conrelid = any(array['event', 'step', 'recommendation', 'api_key', 'model']::regclass[])`, constraint).Scan(&def)
		if err != nil {
			t.Fatalf("%s: %v", constraint, err)
		}
		var got []string
		for _, m := range regexp.MustCompile(`'([^']+)'::text`).FindAllStringSubmatch(def, -1) {
			got = append(got, m[1])
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-Go +SQL):\n%s", constraint, diff)
		}
	}
	var live string
	err := conn.QueryRow(t.Context(), `select pg_get_expr(indpred, indrelid) from pg_index where indexrelid = 'step_live'::regclass`).Scan(&live)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range guardrails.StepStates {
		if in := regexp.MustCompile(fmt.Sprintf(`'%s'`, s)).MatchString(live); in != s.Live() {
			t.Errorf("%s: live is %v in Go and %v in SQL", s, s.Live(), in)
		}
	}
}

func stringsOf[T ~string](set []T) []string {
	var all []string
	for _, v := range set {
		all = append(all, string(v))
	}
	return all
}
