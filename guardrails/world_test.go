package guardrails

import (
	"maps"
	"time"

	"tallyman/warehouse"
)

// The cast of the tests of the decision: who they are says what they hold.
const (
	sam   PersonID = iota + 1 // supervisor
	fay                       // finance
	both                      // supervisor and finance
	pat                       // proposer, and supervisor
	cora                      // counter, and supervisor
	owen                      // owner of policy
	gone                      // supervisor who left
	away                      // supervisor at another site
	vera                      // supervisor whose user names nobody vouched for
	small                     // supervisor with a limit of 10
	thief                     // supervisor by a grant of pat an hour ago
	clerk                     // no role at all
	mia                       // site manager
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func grant(role Role) Grant {
	return Grant{Role: role, Site: "DC-1", Limit: Limit{Unlimited: true}, Daily: Limit{Unlimited: true}}
}

func cast() map[PersonID]Person {
	people := map[PersonID]Person{}
	add := func(id PersonID, grants ...Grant) {
		people[id] = Person{ID: id, Active: true, Grants: grants, RefsKnown: true}
	}
	for _, id := range []PersonID{sam, pat, cora, gone, vera} {
		add(id, grant("supervisor"))
	}
	add(fay, grant("finance"))
	add(both, grant("supervisor"), grant("finance"))
	add(owen, grant(PolicyOwner))
	add(mia, grant("site_manager"))
	add(clerk)
	elsewhere := grant("supervisor")
	elsewhere.Site = "DC-2"
	add(away, elsewhere)
	limited := grant("supervisor")
	limited.Limit, limited.Daily = Limit{Minor: 10}, Limit{Minor: 10}
	add(small, limited)
	given := grant("supervisor")
	given.By, given.At = pat, noon.Add(-time.Hour)
	add(thief, given)
	left, unsure := people[gone], people[vera]
	left.Active, unsure.RefsKnown = false, false
	people[gone], people[vera] = left, unsure
	return people
}

// scene is a step, its context and a command on it.
type scene struct {
	step Step
	ctx  Context
	cmd  Command
}

// stage is a pending adjustment of small value that one supervisor may approve,
// and sam doing so.
func stage(changes ...func(*scene)) scene {
	s := scene{ctx: Context{Now: noon, People: cast(), ModelInForce: true}}
	one := mustRequire(Session, Slot{"supervisor", 1})
	r := &Recommendation{
		Site: "DC-1", Action: &InventoryAdjustment{Location: "A-01", SKU: "S", Book: 10_000, Counted: 9_000, Reason: "count"},
		Parties: []Party{{Part: Proposer, Person: pat}, {Part: Counter, Person: cora}, {Part: Counter, Ref: "wms:jo"}},
		Facts:   Facts{ValueMinor: 20, Currency: "USD"},
	}
	step, err := Propose("st_1", r, Plan{{Target: "erp", Body: []byte("{}")}}, "v1", one, nil, noon.Add(-time.Hour))
	if err != nil {
		panic(err)
	}
	s.step = step
	s.as(sam)
	s.approve()
	for _, change := range changes {
		change(&s)
	}
	return s
}

func mustRequire(auth Strength, slots ...Slot) Requirement {
	r, err := Require(slots, auth, 0, 8*time.Hour)
	if err != nil {
		panic(err)
	}
	return r
}

func (s *scene) as(id PersonID) {
	s.ctx.Actor = Actor{Person: s.ctx.People[id], Session: "s", AuthenticatedAt: noon.Add(-time.Minute)}
}

func (s *scene) machine(name string) { s.ctx.Actor = Actor{Machine: name} }

func (s *scene) approve() { s.cmd = Approve{Binding: s.step.Binding} }

// requires gives the step another requirement, as if it had been proposed so.
func (s *scene) requires(r Requirement) {
	r.Excludes |= s.step.Kind.Excludes()
	s.step.Requirement = r
	s.step.Binding = s.step.NewBinding()
	s.approve()
}

// laddered lets site managers stand in for the supervisor, four hours after it
// began to wait, as it is now when it waited so long.
func (s *scene) laddered(waited time.Duration) {
	r, err := mustRequire(Session, Slot{"supervisor", 1}).WithStandIns(StandIn{"supervisor", "site_manager", 4 * time.Hour})
	if err != nil {
		panic(err)
	}
	s.step.WaitsSince = noon.Add(-waited)
	s.requires(r)
	s.as(mia)
}

// manages gives a person the role of a site manager instead of what they hold.
func (s *scene) manages(id PersonID) {
	s.person(id, func(p *Person) { p.Grants = []Grant{grant("site_manager")} })
	s.as(id)
}

func (s *scene) said(id PersonID, slot Role) {
	s.ctx.Decisions = append(s.ctx.Decisions, Decision{Person: id, Verdict: Approval, Slot: slot, Binding: s.step.Binding, At: noon})
}

// approved is as when sam approved a while ago.
func (s *scene) approved(ago time.Duration) {
	s.said(sam, "supervisor")
	s.step.State, s.step.ApprovedAt = Approved, s.ctx.Now.Add(-ago)
	s.machine("worker")
	s.cmd = Dispatch{}
}

func (s *scene) failed() {
	s.approved(time.Hour)
	s.step.State = Failed
	s.as(both)
	s.cmd = Replay{Reason: "the target is back"}
}

func (s *scene) blocked() {
	s.step.State, s.step.Requirement = Blocked, Requirement{Life: MaxLife, Excludes: s.step.Kind.Excludes(), Deny: []string{"no"}}
	s.step.Binding = s.step.NewBinding()
	one := mustRequire(Session, Slot{"supervisor", 1})
	s.ctx.Judged, s.ctx.Policy = &one, "v2"
	s.machine(Judge)
	s.cmd = Unblock{Requirement: one, Policy: "v2"}
}

// delegated lets sam act for fay.
func (s *scene) delegated(kinds ...Kind) {
	s.requires(mustRequire(Session, Slot{"finance", 1}))
	fay := s.ctx.People[fay]
	s.ctx.Actor.Principal = &fay
	s.ctx.Actor.Delegation = &Delegation{
		From: fay.ID, To: sam, Kinds: kinds, Sites: []warehouse.Site{"DC-1"}, Limit: Limit{Unlimited: true},
		Begin: noon.Add(-time.Hour), End: noon.Add(time.Hour),
	}
}

func (s *scene) person(id PersonID, change func(*Person)) {
	people := maps.Clone(s.ctx.People)
	p := people[id]
	change(&p)
	people[id] = p
	s.ctx.People = people
}
