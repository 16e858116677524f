package jobs

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
	"tallyman/webhook"
)

func TestAttack(t *testing.T) {
	for _, tt := range []struct {
		name    string
		attack  func(*world)
		options []option
	}{
		{"16 a worker dies before, while or after it sends", attackDeadWorker, nil},
		{"18 the target applies, then times out", attackTimeout, nil},
		{"19 a target that repeats what it is sent answers 500 after applying", attackCareless, []option{careless}},
		{"19 a target that repeats what it is sent applies late", attackLate, []option{func(t *store.Target) { t.Idempotent = false }}},
		{"21 the job is run again after success", attackRerun, nil},
		{"22 the job is lost", attackLostJob, nil},
		{"23 two workers hold one execution", attackTwoWorkers, nil},
		{"24 expiry while an approval waits for the lock", attackExpiry, nil},
		{"25 the host's clock is two hours off", attackClock, nil},
		{"35 the model was withdrawn", attackModel, nil},
		{"35 the model of a ranking was withdrawn", attackRanked, nil},
		{"35 the model of a risk call was withdrawn", attackEvaluated, nil},
		{"49 a model's kill switch is on", attackModelSwitch, nil},
		{"36 another artifact under the same name", attackArtifact, nil},
		{"47 the second operation fails for good and the first is taken back", attackCompensation, nil},
		{"47 and cannot be taken back", attackCompensationFails, nil},
		{"47 two are taken back in reverse order", attackReverse, nil},
		{"47 nothing takes back what was applied", attackFinal, nil},
		{"47 the plan is another one than was approved", attackPlan, nil},
		{"48 withdrawal races the claim", attackWithdraw, nil},
		{"49 a kill switch is on, or the calendar closed", attackSwitch, nil},
		{"50 every way to fail", attackFaults, nil},
		{"the book moved since it was counted", attackMoved, nil},
		{"a signature that is not accepted pauses the target", attackPaused, nil},
		{"given up, and replayed under the same key", attackReplay, nil},
		{"what is earlier in the lane goes first", attackLane, nil},
		{"what waits for its turn is left alone", waitsForItsTurn, nil},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.attack(newWorld(t, tt.options...)) })
	}
}

func attackTimeout(w *world) {
	w.fail("timeout-after-apply:x1")
	s := w.approve(w.propose(count("S")))
	if s = w.run(s, 1); s.State != guardrails.Unknown {
		w.Errorf("after the timeout the step is %s", s.State)
	}
	w.sound()
	w.run(s, 1)
	w.ends(s, guardrails.Succeeded, 1)
}

func attackCareless(w *world) {
	w.fail("500-after-apply:x1")
	s := w.approve(w.propose(count("S")))
	w.run(s, 3)
	w.reconcile()
	w.ends(s, guardrails.Unknown, 1)
	letters, err := w.db.DeadLetters(w.Context(), time.Time{}, 10)
	if err != nil || len(letters) != 1 || letters[0].State != guardrails.Uncertain {
		w.Errorf("nobody is told: %+v, %v", letters, err)
	}
	if err := w.db.ReportByHand(w.Context(), s.ID, store.By{Machine: "llm"}, store.Word{Done: true, Reason: "sure"}); codeOf(err) != guardrails.CodeInactive {
		w.Errorf("a machine said what became of it: %v", err)
	}
	if err := w.db.ReportByHand(w.Context(), s.ID, w.person("visitor"), store.Word{Done: true, Reason: "sure"}); codeOf(err) != guardrails.CodeRoleMissing {
		w.Errorf("anybody said what became of it: %v", err)
	}
	if err := w.db.ReportByHand(w.Context(), s.ID, w.person(s.Requirement.Slots[0].Role), store.Word{Done: true, Reason: "seen in the ERP"}); err != nil {
		w.Error(err)
	}
	w.ends(s, guardrails.Succeeded, 1)
}

func attackLate(w *world) {
	w.fail("timeout:x1")
	s := w.approve(w.propose(count("S")))
	w.run(s, 3)
	w.ends(s, guardrails.Unknown, 0) // it said that it had not applied it, and was still at work
	e, err := w.db.Executions(w.Context(), s.ID)
	if err != nil {
		w.Fatal(err)
	}
	w.receiver.Secrets = nil
	late := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(e[0].Body))
	late.Header.Set(webhook.HeaderKey, e[0].Key)
	w.receiver.ServeHTTP(httptest.NewRecorder(), late)
	w.run(s, 1)
	w.ends(s, guardrails.Succeeded, 1)

	w.fail("timeout:x1")
	s = w.approve(w.propose(count("T")))
	w.run(s, 2)
	w.exec(`set session_replication_role = replica`)
	w.exec(`update execution_attempt set sent_at = sent_at - interval '6 minutes'`)
	w.exec(`set session_replication_role = origin`)
	w.run(s, 2)
	w.ends(s, guardrails.Succeeded, 1)
}

func attackRerun(w *world) {
	s := w.approve(w.propose(count("S")))
	w.run(s, 1)
	w.ends(s, guardrails.Succeeded, 1)
	w.run(s, 3)
	w.ends(s, guardrails.Succeeded, 1)
}

func attackLostJob(w *world) {
	s := w.approve(w.propose(count("S")))
	jobs := func() (n int) {
		if err := w.owner.QueryRow(w.Context(), `select count(*) from river_job where kind = 'execute' and state = 'available'`).Scan(&n); err != nil {
			w.Fatal(err)
		}
		return n
	}
	for _, loss := range []string{
		`delete from river_job where kind = 'execute'`,
		`update river_job set state = 'discarded', finalized_at = now() where kind = 'execute'`,
		`update river_job set state = 'running', finalized_at = null, attempted_at = now() - interval '1 hour' where kind = 'execute'`,
	} {
		w.exec(loss)
		w.exec(`update execution set next_attempt_at = clock_timestamp() - interval '30 seconds'`)
		w.reconcile()
		if n := jobs(); n != 1 {
			w.Errorf("after %q there are %d jobs", loss, n)
		}
		w.reconcile()
		if n := jobs(); n != 1 {
			w.Errorf("a second look made %d jobs of one", n)
		}
	}
	w.run(s, 1)
	w.ends(s, guardrails.Succeeded, 1)
}

func attackTwoWorkers(w *world) {
	s := w.approve(w.propose(count("S")))
	first := w.crash(s)
	w.reconcile() // takes the first for dead
	w.due()
	if err := w.work(s); err != nil { // asks: never applied
		w.Fatal(err)
	}
	w.due()
	second, err := w.db.ClaimExecution(w.Context(), s.ID, "second")
	if err != nil || second.Epoch <= first.Epoch || second.Key != first.Key {
		w.Fatalf("claimed %+v after %+v: %v", second, first, err)
	}
	if err := w.db.SettleExecution(w.Context(), first, store.Report{Outcome: store.ReportRefused, Detail: "late"}, "first"); !errors.Is(err, store.ErrFenced) {
		w.Errorf("the older claim wrote a result: %v", err)
	}
	target, secrets, err := w.db.Target(w.Context(), "wms")
	if err != nil {
		w.Fatal(err)
	}
	m := &webhook.Message{URL: target.URL, Key: second.Key, Body: second.Body, Secrets: secrets, Private: true}
	for range 2 { // both send
		w.sender.out.Deliver(w.Context(), m, time.Now())
	}
	if err := w.db.SettleExecution(w.Context(), second, store.Report{Outcome: store.ReportApplied}, "second"); err != nil {
		w.Error(err)
	}
	w.ends(s, guardrails.Succeeded, 1)
}

func attackExpiry(w *world) {
	s := w.propose(count("S"))
	by := w.person(s.Requirement.Slots[0].Role)
	w.exec(`alter table step disable trigger step_change`)
	w.exec(`alter table step disable trigger step_audited`)
	w.exec(`update step set expires_at = clock_timestamp() + interval '300 milliseconds' where id = $1`, s.ID)
	w.exec(`alter table step enable trigger step_change`)
	w.exec(`alter table step enable trigger step_audited`)
	tx, err := w.owner.Begin(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	if _, err := tx.Exec(w.Context(), `select from step where id = $1 for update`, s.ID); err != nil {
		w.Fatal(err)
	}
	refused := make(chan error, 1)
	go func() {
		_, err := w.db.Decide(w.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding})
		refused <- err
	}()
	// Until the approval waits and the step has expired.
	if _, err := tx.Exec(w.Context(), `
		do $$ begin
			while not exists (select from pg_locks where not granted)
				or (select expires_at > clock_timestamp() from step) loop
				perform pg_sleep(0.01);
			end loop;
		end $$`); err != nil {
		w.Fatal(err)
	}
	if err := tx.Commit(w.Context()); err != nil {
		w.Fatal(err)
	}
	if err := <-refused; codeOf(err) != guardrails.CodeExpired {
		w.Errorf("approved late: %v", err)
	}
	if n, err := w.db.ExpireDue(w.Context()); n != 1 || err != nil {
		w.Errorf("%d steps expired, %v", n, err)
	}
	w.ends(s, guardrails.Expired, 0)
}

func attackClock(w *world) {
	w.sender.clock = func() time.Time { return time.Now().Add(2 * time.Hour) }
	s := w.approve(w.propose(count("S")))
	w.run(s, 1)
	w.ends(s, guardrails.Executing, 0) // the target accepts no such signature
	w.sender.clock = time.Now
	if n, err := w.db.ResumeTarget(w.Context(), "wms"); n != 1 || err != nil {
		w.Errorf("%d steps wait, %v", n, err)
	}
	w.run(s, 1)
	w.ends(s, guardrails.Succeeded, 1)
}

func attackWithdraw(w *world) {
	for i := range 8 {
		s := w.approve(w.propose(count(fmt.Sprint("S", i))))
		by := w.person(s.Requirement.Slots[0].Role)
		var claimed, withdrawn error
		var both errgroup.Group
		both.Go(func() error { _, claimed = w.db.ClaimExecution(w.Context(), s.ID, "w"); return nil })
		both.Go(func() error {
			_, withdrawn = w.db.Decide(w.Context(), s.ID, by, guardrails.Withdraw{Reason: "no"})
			return nil
		})
		_ = both.Wait()
		if (claimed == nil) == (withdrawn == nil) {
			w.Errorf("claim: %v; withdrawal: %v", claimed, withdrawn)
		}
		want := guardrails.Executing
		if withdrawn == nil {
			want = guardrails.Withdrawn
			if err := w.work(s); err != nil {
				w.Error(err)
			}
		}
		w.ends(s, want, 0)
	}
}

func attackSwitch(w *world) {
	id, err := w.db.ThrowSwitch(w.Context(), guardrails.Switch{Target: "wms", Reason: "the WMS is moved"})
	if err != nil {
		w.Fatal(err)
	}
	freeze, err := w.db.AddFreeze(w.Context(), guardrails.Freeze{
		Site: "DC-1", Begin: time.Now().Add(-time.Hour), End: time.Now().Add(time.Hour), Reason: "physical inventory",
	})
	if err != nil {
		w.Fatal(err)
	}
	s := w.approve(w.propose(count("S"))) // may be recorded
	for _, lift := range []func() error{
		func() error { return w.db.LiftSwitch(w.Context(), id) },
		func() error { return w.db.LiftFreeze(w.Context(), freeze) },
	} {
		var snoozed *river.JobSnoozeError
		if err := w.work(s); !errors.As(err, &snoozed) {
			w.Errorf("sent, or given up: %v", err)
		}
		w.ends(s, guardrails.Approved, 0)
		if err := lift(); err != nil {
			w.Fatal(err)
		}
	}
	w.run(s, 1)
	w.ends(s, guardrails.Succeeded, 1)
}

func attackFaults(w *world) {
	for _, fault := range webhook.Faults {
		w.fail(fault + ":x1")
		s := w.approve(w.propose(count("S-" + fault)))
		w.run(s, 1)
		switch fault {
		case "409":
			w.ends(s, guardrails.Failed, 0)
			continue
		case "401":
			if _, err := w.db.ResumeTarget(w.Context(), "wms"); err != nil {
				w.Fatal(err)
			}
		}
		w.run(s, 3)
		w.ends(s, guardrails.Succeeded, 1)
	}
}

func attackMoved(w *world) {
	at := time.Now().UTC().Truncate(time.Microsecond)
	for i, c := range []struct {
		location warehouse.Location
		event    warehouse.Event
		moved    bool
	}{
		{"A-1", warehouse.Event{Type: warehouse.Pick, From: "A-1", OccurredAt: at}, true},
		{"A-1", warehouse.Event{Type: warehouse.Pick, From: "A-1", OccurredAt: at.AddDate(0, -2, 0)}, true}, // recorded now
		{"A-1", warehouse.Event{Type: warehouse.Adjustment, Location: "A-1", Reason: warehouse.ReasonCount, OccurredAt: at}, true},
		{"A-1", warehouse.Event{Type: warehouse.Pick, From: "A-2", OccurredAt: at}, false},
		{"A-1", warehouse.Event{Type: warehouse.Count, Location: "A-1", OccurredAt: at}, false},
		{warehouse.Main, warehouse.Event{Type: warehouse.Shipment, OccurredAt: at}, true}, // no locations are tracked
		{warehouse.Main, warehouse.Event{Type: warehouse.Return, OccurredAt: at}, true},
		{warehouse.Main, warehouse.Event{Type: warehouse.Pick, From: "A-1", OccurredAt: at}, false},
	} {
		sku := warehouse.SKU(fmt.Sprint("S", i))
		s := w.approve(w.propose(&guardrails.InventoryAdjustment{Location: c.location, SKU: sku, Book: 10_000, Counted: 9_000, Reason: "counted"}))
		c.event.Source, c.event.ID, c.event.Site, c.event.SKU, c.event.Qty = "wms", fmt.Sprint(i), "DC-1", sku, warehouse.Some(warehouse.Unit)
		w.ingest(c.event)
		w.run(s, 1)
		if c.moved {
			w.ends(s, guardrails.Invalidated, 0)
		} else {
			w.ends(s, guardrails.Succeeded, 1)
		}
	}
}

func attackPaused(w *world) {
	w.fail("401:x1")
	s := w.approve(w.propose(count("S")))
	w.run(s, 1)
	var snoozed *river.JobSnoozeError
	w.due()
	if err := w.work(s); !errors.As(err, &snoozed) {
		w.Errorf("a paused target was sent to: %v", err)
	}
	all, err := w.db.Executions(w.Context(), s.ID)
	if err != nil || all[0].Attempt != 0 {
		w.Errorf("the attempt counts: %+v, %v", all, err)
	}
	w.ends(s, guardrails.Executing, 0)
}

func attackReplay(w *world) {
	w.fail("503")
	s := w.approve(w.propose(count("S")))
	w.run(s, guardrails.MaxAttempts)
	w.ends(s, guardrails.Failed, 0)
	w.run(s, 2)
	w.ends(s, guardrails.Failed, 0)
	w.fail()
	if _, err := w.db.Decide(w.Context(), s.ID, store.By{Machine: "job"}, guardrails.Replay{Reason: "again"}); codeOf(err) != guardrails.CodeMachine {
		w.Errorf("a machine replayed: %v", err)
	}
	if _, err := w.db.Decide(w.Context(), s.ID, w.person(s.Requirement.Slots[0].Role), guardrails.Replay{Reason: "it is up again"}); err != nil {
		w.Fatal(err)
	}
	w.run(s, 1)
	w.ends(s, guardrails.Succeeded, 1)
}
