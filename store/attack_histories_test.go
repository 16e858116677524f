package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"tallyman/guardrails"
	"tallyman/store"
)

// tried is what somebody tries to do to a step.
type tried struct {
	step, person int
	verb         verb
}

type verb int

const (
	toApprove verb = iota
	toReject
	toWithdraw
	verbs
)

// standing is where a step is, told in the simplest words: it needs two approvals.
type standing struct {
	over  bool // rejected or withdrawn
	first int  // who approved, from 1; 0 for nobody
	both  bool
}

// may says whether something is let through, and what then is.
func (s standing) may(t tried) (bool, standing) {
	who := t.person + 1
	switch {
	case s.over:
		return false, s
	case t.verb == toWithdraw: // also after approval, as long as nothing was sent
		return true, standing{over: true}
	case s.both || s.first == who:
		return false, s
	case t.verb == toReject:
		return true, standing{over: true}
	case s.first == 0:
		return true, standing{first: who}
	}
	return true, standing{both: true}
}

// rules is the model that histories are held against: each step has one of its own.
var rules = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byStep := map[int][]porcupine.Operation{}
		for _, o := range history {
			n := o.Input.(tried).step //nolint:forcetypeassert // only those are recorded
			byStep[n] = append(byStep[n], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range byStep {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return standing{} },
	Step: func(state, in, out any) (bool, any) {
		may, next := state.(standing).may(in.(tried)) //nolint:forcetypeassert // see above
		return may == out.(bool), next                //nolint:forcetypeassert // see above
	},
}

// attackHistories has many people do what they like to many steps at once, and
// asks whether what each was told could have happened one after the other.
func attackHistories(f *floor) {
	steps, people, each := 40, 16, 20
	if os.Getenv("TALLYMAN_SOAK") == "long" {
		steps, people, each = 10_000, 200, 500
	}
	seed := uint64(time.Now().UnixNano())
	f.Logf("seed %d, %d steps, %d people", seed, steps, people)
	all, by := make([]store.Step, steps), make([]store.By, people)
	for i := range all {
		all[i] = f.forTwo(ticket(fmt.Sprint("T-", i), "receiving"))
	}
	for i := range by {
		by[i] = f.person("supervisor")
	}
	var mu sync.Mutex
	var history []porcupine.Operation
	began := time.Now()
	var group sync.WaitGroup
	for person := range by {
		group.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(person)))
			for range each {
				t := tried{r.IntN(steps), person, [...]verb{toApprove, toApprove, toApprove, toReject, toWithdraw}[r.IntN(5)]}
				call := time.Since(began)
				_, err := f.db.Decide(context.WithoutCancel(f.Context()), all[t.step].ID, by[person], commandOf(t.verb, &all[t.step]))
				if err != nil && codeOf(err) == "" {
					f.Errorf("%+v: %v", t, err)
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: person, Input: t, Call: int64(call), Output: err == nil, Return: int64(time.Since(began))})
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if len(history) != people*each || !porcupine.CheckOperations(rules, history) {
		f.Errorf("%d answers have no order that the rules allow (seed %d)", len(history), seed)
	}
	// The test of the test: one answer that is wrong has no order.
	for i := range history {
		if history[i].Output == true {
			history[i].Output = false
			break
		}
	}
	history[len(history)-1].Output = history[len(history)-1].Output == false
	if porcupine.CheckOperations(rules, history) {
		f.Error("answers that were turned around are allowed too")
	}
}

func commandOf(v verb, s *store.Step) guardrails.Command {
	switch v {
	case toReject:
		return guardrails.Reject{Binding: s.Binding, Reason: "no"}
	case toWithdraw:
		return guardrails.Withdraw{Reason: "no"}
	case toApprove, verbs:
	}
	return guardrails.Approve{Binding: s.Binding}
}
