package store_test

// The closed sets of Go and of SQL are the same.

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
		"recommendation_action": stringsOf(guardrails.Kinds),
		"api_key_scopes":        stringsOf(store.Scopes),
		"model_state":           {string(store.Candidate), string(store.Champion), string(store.Retired)},
	} {
		var def string
		err := conn.QueryRow(t.Context(), `
			select pg_get_constraintdef(oid)
			from pg_constraint
			where conname = $1 and conrelid = any(array['event', 'recommendation', 'api_key', 'model']::regclass[])`, constraint).Scan(&def)
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
	for function, want := range map[string][]string{
		"step_states":      stringsOf(guardrails.States),
		"verdicts":         stringsOf(guardrails.Verdicts),
		"execution_states": stringsOf(guardrails.ExecutionStates),
	} {
		var got []string
		if err := conn.QueryRow(t.Context(), `select `+function+`()`).Scan(&got); err != nil {
			t.Fatalf("%s: %v", function, err)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-Go +SQL):\n%s", function, diff)
		}
	}
	var live string
	err := conn.QueryRow(t.Context(), `select pg_get_expr(indpred, indrelid) from pg_index where indexrelid = 'step_live'::regclass`).Scan(&live)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range guardrails.States {
		if in := regexp.MustCompile(fmt.Sprintf(`'%s'`, s)).MatchString(live); in != s.Live() {
			t.Errorf("%s: live is %v in Go and %v in SQL", s, s.Live(), in)
		}
	}
}

// The state machine is in Go and in SQL.
func TestTransitionsAreTheSameInSQL(t *testing.T) {
	conn := connect(t, storetest.DSN(t))
	for _, from := range guardrails.States {
		can := map[guardrails.State]bool{}
		for _, e := range guardrails.Events {
			if to, err := from.After(e); err == nil {
				can[to] = true
			}
		}
		for _, to := range guardrails.States {
			var may bool
			if err := conn.QueryRow(t.Context(), `select step_may_become($1, $2)`, from, to).Scan(&may); err != nil {
				t.Fatal(err)
			}
			if may != can[to] {
				t.Errorf("%s to %s: %v in SQL, %v in Go", from, to, may, can[to])
			}
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
