package jobs

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// The third of three targets refuses for good: the second is taken back, then the
// first.
func attackReverse(w *world) {
	wms, _, err := w.db.Target(w.Context(), "wms")
	if err != nil {
		w.Fatal(err)
	}
	for _, name := range []string{"erp", "aps"} {
		w.exec(`insert into target (name, url, query_url, sites, kinds, allow_private) values ($1, $2, $2, '{*}', '{count_position}', true)`, name, wms.URL)
		w.exec(`insert into target_secret (target, secret) select $1, secret from target_secret where target = 'wms'`, name)
	}
	s := w.approve(w.propose(count("S")))
	w.run(s, 2)
	w.fail("409:x1")
	if s = w.run(s, 1); s.State != guardrails.Compensating {
		w.Fatalf("the step is %s: %s", s.State, s.Reason)
	}
	w.run(s, 2)
	w.ends(s, guardrails.Compensated, 1)
	all, err := w.db.Executions(w.Context(), s.ID)
	if err != nil {
		w.Fatal(err)
	}
	var order []string
	for _, e := range all {
		if e.Compensation {
			order = append(order, e.Target)
		}
	}
	if !slices.Equal(order, []string{"erp", "wms"}) || w.counted(s, 1, true) != 1 || w.counted(s, 0, true) != 1 {
		w.Errorf("taken back: %v", order)
	}
}

// What has no inverse is not taken back: people must look, and are told.
func attackFinal(w *world) {
	w.exec(`update target set kinds = array['order_short_shipment']`)
	s := w.chained(&guardrails.OrderShortShipment{Order: "O-1", Line: "1", SKU: "S", Ordered: 5 * warehouse.Unit, Shipped: warehouse.Unit})
	view, err := w.db.StepView(w.Context(), store.Viewer{Person: w.person("supervisor").Person}, s.ID)
	if err != nil || len(view.Plan) != 3 {
		w.Fatalf("%+v, %v", view.Plan, err)
	}
	for _, o := range view.Plan {
		if o.Compensate != nil || o.Final == "" {
			w.Errorf("an approver sees %+v", o)
		}
	}
	w.run(s, 3)
	w.ends(s, guardrails.Failed, 1)
}

// Whoever changes the operations of a step gets no approval for it, even the owner
// of the tables.
func attackPlan(w *world) {
	w.exec(`alter table operation disable trigger operation_change`)
	for i, sql := range []string{
		`insert into operation select recommendation_id, 1, 'erp', body, compensate, irreversible from operation where recommendation_id = $1`,
		`update operation set compensate = '{}' where recommendation_id = $1`,
		`update operation set compensate = null, irreversible = 'because' where recommendation_id = $1`,
		`update operation set target = 'erp' where recommendation_id = $1`,
	} {
		s := w.propose(count("S-" + string(rune('a'+i))))
		w.exec(sql, s.Recommendation)
		var pg *pgconn.PgError
		_, err := w.db.Decide(w.Context(), s.ID, w.person(s.Requirement.Slots[0].Role), guardrails.Approve{Binding: s.Binding})
		if !errors.As(err, &pg) || pg.ConstraintName != "step_plan" {
			w.Errorf("%s: approved with %v", sql, err)
		}
		w.ends(s, guardrails.Pending, 0)
	}
	if _, err := w.db.Propose(w.Context(), recommendation(count("S")), store.Source{}); err != nil {
		w.Error(err)
	}
}
