package guardrails

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"tallyman/warehouse"
)

// duel drives the machine and the model with the same commands.
type duel struct {
	*rand.Rand
	guards []guard
	m      model
	step   Step
	ctx    Context
	seen   []Hash // binding of each epoch
	log    []string
	cards  []Delegation // as the machine sees the deputies
}

const (
	crew    = 6
	letters = "abcd"
)

// newDuel proposes a step among people with random roles.
func newDuel(r *rand.Rand, guards []guard) *duel {
	d := &duel{Rand: r, guards: guards}
	d.m = model{state: Pending, proposer: r.IntN(crew), counter: r.IntN(crew), needs: map[string]int{}, ladder: map[[2]string]int{}, value: []int64{0, 50, 200_000}[r.IntN(3)], life: 60 * (1 + r.IntN(72))}
	for range crew {
		p := modelPerson{active: true, roles: map[string]bool{}, limit: []int64{0, 100, 1 << 40}[r.IntN(3)], login: -r.IntN(30)}
		for _, role := range letters {
			if r.IntN(2) == 0 {
				p.roles[string(role)] = true
			}
		}
		d.m.people = append(d.m.people, p)
	}
	var slots []Slot
	for _, i := range r.Perm(3)[:1+r.IntN(2)] {
		n := 1 + r.IntN(2)
		slots, d.m.needs[letters[i:i+1]] = append(slots, Slot{Role(letters[i : i+1]), n}), n
	}
	var ladder []StandIn
	for _, slot := range slots {
		for other, after := range d.ladder(func(role string) bool { return d.m.needs[role] > 0 }, d.m.life) {
			ladder = append(ladder, StandIn{slot.Role, Role(other), time.Duration(after) * time.Minute})
			d.m.ladder[[2]string{string(slot.Role), other}] = after
		}
	}
	d.m.expires, d.m.fresh = d.m.life, r.IntN(4) == 0
	auth := Session
	if d.m.fresh {
		auth = Fresh
	}
	req, err := Require(slots, auth, 0, time.Duration(d.m.life)*time.Minute)
	if err == nil {
		req, err = req.WithStandIns(ladder...)
	}
	if err == nil {
		rec := &Recommendation{
			Site: "DC-1", Action: &InventoryAdjustment{Location: "A", SKU: "S", Book: 1, Counted: 2, Reason: "x"},
			Parties: []Party{{Part: Proposer, Person: PersonID(d.m.proposer + 1)}, {Part: Counter, Person: PersonID(d.m.counter + 1)}},
			Facts:   Facts{ValueMinor: d.m.value, Currency: "USD"},
		}
		d.step, err = Propose("st", rec, Plan{{Target: "erp", Body: []byte("x")}}, "v1", req, nil, minutes(0))
	}
	if err != nil {
		panic(err)
	}
	d.seen = []Hash{d.step.Binding}
	return d
}

// ladder draws who stands in for a role, and after how many minutes.
func (d *duel) ladder(taken func(string) bool, life int) map[string]int {
	ladder := map[string]int{}
	for _, letter := range letters {
		if role := string(letter); !taken(role) && d.IntN(2) == 0 {
			ladder[role] = 1 + d.IntN(min(life-1, 12*60))
		}
	}
	return ladder
}

// sync shows the machine the people as the model has them now.
func (d *duel) sync(who, principal int) {
	people := map[PersonID]Person{}
	for i, p := range d.m.people {
		person := Person{ID: PersonID(i + 1), Active: p.active, RefsKnown: true}
		for _, role := range letters {
			if p.roles[string(role)] {
				person.Grants = append(person.Grants, Grant{Role: Role(string(role)), Site: "DC-1", Limit: Limit{Minor: p.limit}, Daily: Limit{Unlimited: true}})
			}
		}
		people[person.ID] = person
	}
	d.ctx.Now, d.ctx.People, d.ctx.ModelInForce, d.ctx.Switches = minutes(d.m.now), people, true, nil
	if d.m.off {
		d.ctx.Switches = []Switch{{Kind: KindInventoryAdjustment}}
	}
	d.ctx.Actor = Actor{Machine: "worker"}
	if who == nobody {
		return
	}
	d.ctx.Actor = Actor{Person: people[PersonID(who+1)], Session: "s", AuthenticatedAt: minutes(d.m.people[who].login)}
	if principal == nobody {
		return
	}
	p := people[PersonID(principal+1)]
	d.ctx.Actor.Principal = &p
	for i := range d.cards { // as the database finds the one in force
		c := &d.cards[i]
		if c.From == p.ID && c.To == PersonID(who+1) && (d.ctx.Actor.Delegation == nil || c.covers(&d.step, d.ctx.Now)) {
			d.ctx.Actor.Delegation = c
		}
	}
}

// give has the machine judge the command and compares with what the model said.
func (d *duel) give(accepted bool, cmd Command) error {
	d.log = append(d.log, fmt.Sprintf("at %d: %T by %d%s: %v", d.m.now, cmd, d.ctx.Actor.Person.ID, d.ctx.Actor.Machine, accepted))
	before := d.step
	t, err := decide(d.step, d.ctx, cmd, d.guards)
	if err != nil {
		if r := (*Refusal)(nil); !errors.As(err, &r) {
			return err
		}
		if accepted {
			return fmt.Errorf("refused: %w", err)
		}
		if !reflect.DeepEqual(before, d.step) {
			return errors.New("a refusal changed the step")
		}
		return nil
	}
	if !accepted {
		return fmt.Errorf("accepted: %s", t.Event)
	}
	d.step = t.Step
	if t.Decision != nil {
		d.ctx.Decisions = append(d.ctx.Decisions, *t.Decision)
	}
	if d.step.Binding != d.seen[len(d.seen)-1] {
		d.seen = append(d.seen, d.step.Binding)
	}
	return d.agree(&before)
}

func (d *duel) agree(before *Step) error {
	switch {
	case d.step.State != d.m.state:
		return fmt.Errorf("the machine is %s, the model %s", d.step.State, d.m.state)
	case len(d.seen) != d.m.epoch+1:
		return fmt.Errorf("the machine has its binding %d, the model %d", len(d.seen)-1, d.m.epoch)
	case !d.step.ExpiresAt.Equal(minutes(d.m.expires)):
		return fmt.Errorf("the machine waits until %s, the model until %s", d.step.ExpiresAt, minutes(d.m.expires))
	case d.step.Version != before.Version+1 || !d.step.Requirement.Covers(before.Requirement):
		return errors.New("version or requirement went back")
	case !before.State.Live():
		return fmt.Errorf("%s became %s", before.State, d.step.State)
	}
	return nil
}

// move makes one random move on both.
func (d *duel) move() error {
	who, principal, epoch := d.IntN(crew+1)-1, nobody, d.m.epoch
	if d.IntN(3) == 0 {
		if principal = d.IntN(crew); principal == who {
			principal = nobody
		}
	}
	if who == nobody {
		principal = nobody
	}
	if d.IntN(10) == 0 {
		epoch = d.IntN(len(d.seen))
	}
	switch d.IntN(24) {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		d.sync(who, principal)
		return d.give(d.m.approve(who, principal, epoch), Approve{Binding: d.seen[epoch]})
	case 8, 9, 11, 12:
		if d.IntN(5) > 0 {
			d.happen(max(who, 0)) // these would end most sequences early
			return nil
		}
		return d.end(d.IntN(4), who, epoch)
	case 10:
		d.sync(nobody, nobody)
		return d.give(d.m.expire(), Expire{})
	case 13:
		return d.tighten()
	case 14, 15:
		d.sync(nobody, nobody)
		return d.give(d.m.dispatch(), Dispatch{})
	case 16, 17:
		e := settling[d.IntN(len(settling))]
		d.sync(nobody, nobody)
		return d.give(d.m.settle(e), Settle{Outcome: e})
	case 18:
		d.sync(who, nobody)
		return d.give(d.m.replay(who), Replay{Reason: "again"})
	}
	d.happen(max(who, 0))
	return nil
}

// end tries one of the ways in which people and programs end a step.
func (d *duel) end(way, who, epoch int) error {
	switch way {
	case 0:
		d.sync(who, nobody)
		return d.give(d.m.decline(who, epoch, Rejected), Reject{Binding: d.seen[epoch], Reason: "no"})
	case 1:
		d.sync(who, nobody)
		return d.give(d.m.decline(who, epoch, ChangesRequested), AskChanges{Binding: d.seen[epoch], Reason: "recount"})
	case 2:
		d.sync(who, nobody)
		return d.give(d.m.withdraw(who), Withdraw{})
	}
	d.sync(nobody, nobody)
	return d.give(d.m.supersede(), Supersede{By: "st_2"})
}

func (d *duel) tighten() error {
	role, n, fresh, life := string(letters[d.IntN(3)]), 1+d.IntN(2), d.IntN(4) == 0, 60*(1+d.IntN(72))
	auth := Session
	if fresh {
		auth = Fresh
	}
	req, err := Require([]Slot{{Role(role), n}}, auth, 0, time.Duration(life)*time.Minute)
	if err != nil {
		return err
	}
	ladder := d.ladder(func(other string) bool { return other == role }, life)
	for other, after := range ladder {
		if req, err = req.WithStandIns(append(req.StandIns, StandIn{Role(role), Role(other), time.Duration(after) * time.Minute})...); err != nil {
			return err
		}
	}
	d.sync(nobody, nobody)
	return d.give(d.m.tighten(role, n, fresh, life, ladder), Tighten{Requirement: req, Policy: "v2"})
}

// happen changes the world around the step.
func (d *duel) happen(who int) {
	p := &d.m.people[who]
	switch role := string(letters[d.IntN(len(letters))]); d.IntN(6) {
	case 0:
		p.active = !p.active
	case 1:
		if p.roles[role] {
			delete(p.roles, role)
		} else {
			p.roles[role] = true
		}
	case 2:
		p.login = d.m.now
	case 3:
		d.m.off = !d.m.off
	case 4:
		d.m.now += d.IntN(8*60) << (3 * (d.IntN(8) / 7)) // now and then some days
	case 5:
		d.delegate(who, d.IntN(crew))
	}
}

func (d *duel) delegate(from, to int) {
	if from == to {
		for i := range d.m.deputies {
			d.m.deputies[i].revoked, d.cards[i].RevokedAt = true, minutes(d.m.now)
		}
		return
	}
	begin, end := d.m.now-d.IntN(10), d.m.now+1+d.IntN(24*60)
	d.m.deputies = append(d.m.deputies, modelDeputy{from: from, to: to, begin: begin, end: end})
	d.cards = append(d.cards, Delegation{
		From: PersonID(from + 1), To: PersonID(to + 1), Kinds: []Kind{KindInventoryAdjustment}, Sites: []warehouse.Site{"DC-1"},
		Limit: Limit{Unlimited: true}, Begin: minutes(begin), End: minutes(end),
	})
}

// TestSequences drives random sequences of commands against a simpler model:
// 2,000 of them, or as many as TALLYMAN_SEQUENCES says.
func TestSequences(t *testing.T) {
	n := 2000
	if s := os.Getenv("TALLYMAN_SEQUENCES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(20261125)
	if s := os.Getenv("TALLYMAN_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d, %d sequences", seed, n)
	reached := map[State]int{}
	for i := range n {
		d, err := play(seed, i, guards)
		if err != nil {
			t.Fatalf("seed %d, sequence %d: %v\n%+v\n%v", seed, i, err, d.m, d.log)
		}
		reached[d.m.state]++
	}
	for _, s := range States {
		if reached[s] == 0 && s != Blocked {
			t.Errorf("no sequence ended %s", s)
		}
	}
	t.Log(reached)
}

// play makes the moves of one sequence, until machine and model disagree.
func play(seed uint64, sequence int, guards []guard) (*duel, error) {
	d := newDuel(rand.New(rand.NewPCG(seed, uint64(sequence))), guards)
	for range 40 {
		if err := d.move(); err != nil {
			return d, err
		}
	}
	return d, nil
}

// The sequences would notice a guard that is gone.
func TestSequencesMissAGuard(t *testing.T) {
	for _, name := range []string{
		"active", "in-time", "over", "binding", "self-approval", "parts", "delegation", "one-slot", "role", "stand-in", "value", "fresh",
		"standing", "no-weaker", "replayer", "kill-switch", "still-approved", "age",
	} {
		noticed := false
		for i := 0; i < 20_000 && !noticed; i++ {
			_, err := play(1, i, without(name))
			noticed = err != nil
		}
		if !noticed {
			t.Errorf("no sequence is about guard %s", name)
		}
	}
}
