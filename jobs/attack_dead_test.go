package jobs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"tallyman/guardrails"
	"tallyman/webhook"
)

// attackDeadWorker has a worker die at each place of an attempt, again and again:
// with its claim, with the message sent and not applied, with it applied and nothing
// written down. What comes after it finds out, and nothing is done twice.
func attackDeadWorker(w *world) {
	rounds := 24
	if os.Getenv("TALLYMAN_SOAK") == "long" {
		rounds = 200
	}
	seed := uint64(time.Now().UnixNano())
	w.Logf("seed %d, %d rounds", seed, rounds)
	r := rand.New(rand.NewPCG(seed, 0))
	target, secrets, err := w.db.Target(w.Context(), "wms")
	if err != nil {
		w.Fatal(err)
	}
	for round := range rounds {
		s := w.approve(w.propose(count(fmt.Sprint("S-", round))))
		for range 1 + r.IntN(2) {
			w.due()
			e := w.crash(s)
			m := &webhook.Message{URL: target.URL, Key: e.Key, Body: e.Body, Secrets: secrets, Private: true}
			switch r.IntN(3) {
			case 0: // before it sends
			case 1: // while it does
				w.fail("reset:x1")
				w.sender.out.Deliver(w.Context(), m, time.Now())
			case 2: // before it writes down what came of it
				w.sender.out.Deliver(w.Context(), m, time.Now())
			}
			w.reconcile()
			w.due()
			if err := w.work(s); err != nil { // asks the target
				w.Fatal(err)
			}
			if w.step(s).State == guardrails.Succeeded {
				break
			}
		}
		if w.step(s).State != guardrails.Succeeded {
			w.run(s, 2)
		}
		if got := w.step(s); got.State != guardrails.Succeeded || w.counted(s, 0, false) != 1 {
			w.Errorf("round %d: %s (%s), applied %d times (seed %d)", round, got.State, got.Reason, w.counted(s, 0, false), seed)
		}
	}
	w.sound()
}
