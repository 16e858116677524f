package store_test

import (
	"slices"
	"testing"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// Rows that break one rule each, by table and rule: what a right row is changed by.
var brokenRows = map[string]map[string]string{
	"step": {
		"step_id_check":            `{"id": "st_1"}`,
		"step_state":               `{"state": "open"}`,
		"step_version_check":       `{"version": 0}`,
		"step_payload_hash_check":  `{"payload_hash": "\\x00"}`,
		"step_evidence_hash_check": `{"evidence_hash": "\\x00"}`,
		"step_plan_hash_check":     `{"plan_hash": "\\x00"}`,
		"step_binding_check":       `{"binding": "\\x00"}`,
		"step_lane_check":          `{"lane": ""}`,
		"step_stake_minor_check":   `{"stake_minor": -1}`,
		"step_check":               `{"stake_minor": 2, "value_minor": 1}`,
		"step_currency_check":      `{"currency": "eur"}`,
		"step_approved":            `{"approved_at": null}`,
		"step_life":                `{"expires_at": "2000-01-01"}`,
		"step_break_glass":         `{"break_glass": true}`,
		"step_superseded":          `{"superseded_by": "st_1"}`,
		"step_audited_check":       `{"audited": -1}`,
		"step_escalation_check":    `{"escalation": -1}`,
		"step_matched_check":       `{"matched": {}}`,
		"step_requirement_check":   `{"requirement": {"slots": 1}}`,
		"step_human":               `{"requirement": {"slots": []}}`,
	},
	"decision": {
		"decision_verdict":        `{"verdict": "maybe"}`,
		"decision_slot":           `{"slot": null}`,
		"decision_as_role":        `{"as_role": "supervisor"}`,
		"decision_strength_check": `{"strength": "weak"}`,
		"decision_session_check":  `{"session": ""}`,
		"decision_incident_check": `{"incident": ""}`,
		"decision_incident":       `{"incident": "x"}`,
		"decision_reason":         `{"verdict": "reject", "slot": null, "reason": ""}`,
		"decision_people":         `{"on_behalf_of": 1, "person_id": 1}`,
		"decision_pending":        `{}`,
	},
	"execution": {
		"execution_idempotency_key_check": `{"idempotency_key": "tly_1"}`,
		"execution_operation_check":       `{"operation": -1}`,
		"execution_target_check":          `{"target": ""}`,
		"execution_lane_check":            `{"lane": ""}`,
		"execution_state":                 `{"state": "lost"}`,
		"execution_attempt_check":         `{"attempt": -1}`,
		"execution_claim_epoch_check":     `{"claim_epoch": -1}`,
	},
}

// Audit entries that do.
var brokenEntries = map[string]string{
	"audit_entry_stream_check": `'', 1, sha256('x'), 'x'`,
	"audit_entry_body_check":   `'x', 1, sha256('x'), ''`,
	"audit_entry_chain":        `'x', 1, '\x00', 'x'`,
}

// Changes of right rows that do.
var brokenChanges = map[string]string{
	"step_approved":          `step set state = 'executing', approved_at = null, version = version + 1`,
	"step_life":              `step set state = 'executing', approved_at = expires_at, version = version + 1`,
	"step_escalation_check":  `step set state = 'executing', escalation = -1, version = version + 1`,
	"step_matched_check":     `step set state = 'executing', matched = '{}', version = version + 1`,
	"step_break_glass":       `step set state = 'executing', break_glass = true, version = version + 1`,
	"step_superseded":        `step set state = 'executing', superseded_by = 'x', version = version + 1`,
	"execution_state":        `execution set state = 'lost'`,
	"execution_answer_check": `execution set answer = convert_to(repeat('x', 65537), 'UTF8')`,
}

// A row that breaks one rule is refused by its name, from whoever owns the tables too.
func TestNoRowBreaksARule(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step := propose(t, db)
	by := store.By{Person: supervisor(t, conn), Session: "s"}
	if _, err := db.Decide(t.Context(), step.ID, by, guardrails.Approve{Binding: step.Binding}); err != nil {
		t.Fatal(err)
	}
	for table, broken := range brokenRows {
		for rule, row := range broken {
			_, err := conn.Exec(t.Context(), `
				insert into `+table+` overriding system value
				select (jsonb_populate_record(x, $1)).*
				from `+table+` x
				limit 1`, row)
			if got := constraintOf(err); got != rule {
				t.Errorf("%s with %s: %v, want %s", table, row, err, rule)
			}
		}
	}
	for rule, row := range brokenEntries {
		if _, err := conn.Exec(t.Context(), `insert into audit_entry (stream, seq, prev, body, at) values (`+row+`, now())`); constraintOf(err) != rule {
			t.Errorf("audit entry %s: %v, want %s", row, err, rule)
		}
	}
	for rule, change := range brokenChanges {
		if _, err := conn.Exec(t.Context(), `update `+change); constraintOf(err) != rule {
			t.Errorf("update %s: %v, want %s", change, err, rule)
		}
	}
}

// A step that somebody decided about stays, whatever else says that it may go.
func TestAStepWithADecisionStays(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step := propose(t, db)
	exec(t, conn, `insert into decision (step_id, person_id, verdict, binding, roles, strength, session, reason)
		select id, $1, 'reject', binding, '{}', 'session', 's', 'no' from step where id = $2`, supervisor(t, conn), step.ID)
	exec(t, conn, `alter table step disable trigger user`)
	exec(t, conn, `update step set state = 'superseded', audited = 0`)
	exec(t, conn, `alter table step enable trigger user`)
	if _, err := conn.Exec(t.Context(), `delete from step`); constraintOf(err) != "step_stays" {
		t.Errorf("deleted: %v", err)
	}
}

// Nothing is decided about, or carried out for, a step that does not exist.
func TestThereIsNoDecisionOrExecutionWithoutItsStep(t *testing.T) {
	dsn := storetest.DSN(t)
	db, conn := open(t, dsn), connect(t, dsn)
	step := propose(t, db)
	by := store.By{Person: supervisor(t, conn), Session: "s"}
	if _, err := db.Decide(t.Context(), step.ID, by, guardrails.Approve{Binding: step.Binding}); err != nil {
		t.Fatal(err)
	}
	for table, x := range map[string]struct{ row, rule string }{
		"decision":  {`{"step_id": "st_00000000000000000000000000", "id": 99}`, "decision_step"},
		"execution": {`{"step_id": "st_00000000000000000000000000", "id": 99, "idempotency_key": "tly_aaaaaaaaaaaaaaaaaaaaaaaaaa"}`, "execution_approved"},
	} {
		_, err := conn.Exec(t.Context(), `
			insert into `+table+` overriding system value
			select (jsonb_populate_record(x, $1)).*
			from `+table+` x
			limit 1`, x.row)
		if constraintOf(err) != x.rule {
			t.Errorf("%s: %v, want %s", table, err, x.rule)
		}
	}
	exec(t, conn, `alter table step disable trigger user`)
	exec(t, conn, `update step set value_minor = value_minor + 1`)
	exec(t, conn, `alter table step enable trigger user`)
	broken, err := db.Invariants(t.Context())
	if err != nil || !slices.ContainsFunc(broken, func(v store.Violation) bool { return v.Invariant == "I22" }) {
		t.Errorf("a decision of another value than its step: %+v, %v", broken, err)
	}
}
