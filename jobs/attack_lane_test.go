package jobs

import "tallyman/guardrails"

func attackLane(w *world) {
	first := w.approve(w.propose(count("S")))
	second := w.approve(w.propose(&guardrails.InventoryAdjustment{Location: "A-1", SKU: "S", Book: 10_000, Counted: 9_000, Reason: "counted"}))
	w.run(second, 1)
	w.ends(second, guardrails.Approved, 0)
	w.run(first, 1)
	w.run(second, 1)
	w.ends(first, guardrails.Succeeded, 1)
	w.ends(second, guardrails.Succeeded, 1)
}

// Behind an operation that the target refuses for hours nothing is wrong, and nobody is
// woken for nothing.
func waitsForItsTurn(w *world) {
	w.fail("503:x1")
	first := w.approve(w.propose(count("S")))
	if err := w.work(first); err != nil {
		w.Fatal(err)
	}
	behind := w.approve(w.propose(&guardrails.CountPosition{Location: "A-2", SKU: "S"}))
	w.exec(`delete from river_job where args ->> 'step' = $1`, behind.ID)
	w.exec(`update execution set next_attempt_at = next_attempt_at - interval '1 hour', changed_at = changed_at - interval '1 hour' where step_id = $1`, behind.ID)
	w.sound()
	if n, err := w.db.ReconcileExecutions(w.Context()); err != nil || n != 0 {
		w.Errorf("%d are woken, %v", n, err)
	}
	w.ends(w.run(first, 1), guardrails.Succeeded, 1)
	w.ends(w.run(behind, 1), guardrails.Succeeded, 1)
}
