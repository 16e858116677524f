package guardrails

import (
	"slices"
	"testing"
	"time"
)

// What was bound before anybody could stand in is bound as it was: these are hashes
// of that time.
func TestWithoutALadderABindingIsAsItWas(t *testing.T) {
	r := Requirement{
		Slots: []Slot{{"finance", 1}, {"supervisor", 2}}, Auth: Fresh, Excludes: Proposer | Counter, Life: 8 * time.Hour, Deny: []string{"no"},
	}
	s := Step{ID: "st_1", Payload: Hash{1}, Evidence: Hash{2}, Plan: Hash{3}, Policy: "v1", Requirement: r, WaitsSince: noon, ExpiresAt: noon}
	if got := r.Hash().String(); got != "4847e53ae69bdd9b6792f331cfb60f622a9d705a342e4c1a797e202748b52c08" {
		t.Errorf("the requirement is %s", got)
	}
	if got := s.NewBinding().String(); got != "1b3a6e83990a217a62b1dc0a0a5e25da0a7ea98e0e9dc11b06a24491d1b6987b" {
		t.Errorf("the binding is %s", got)
	}
}

// Everything about a ladder is in the binding.
func TestALadderIsBound(t *testing.T) {
	bound := func(since time.Time, ladder ...StandIn) Hash {
		r := mustRequire(Session, Slot{"finance", 1}, Slot{"supervisor", 1})
		r.StandIns = ladder
		s := Step{ID: "st_1", Requirement: r, WaitsSince: since, ExpiresAt: noon}
		return s.NewBinding()
	}
	seen := map[Hash]bool{}
	for _, h := range []Hash{
		bound(noon), bound(noon, StandIn{"finance", "controller", time.Hour}), bound(noon, StandIn{"finance", "controller", 2 * time.Hour}),
		bound(noon, StandIn{"finance", "site_manager", time.Hour}), bound(noon, StandIn{"supervisor", "controller", time.Hour}),
		bound(noon.Add(time.Microsecond), StandIn{"finance", "controller", time.Hour}),
		bound(noon, StandIn{"finance", "controller", time.Hour}, StandIn{"supervisor", "controller", time.Hour}),
	} {
		if seen[h] {
			t.Errorf("%s is bound twice", h.Short())
		}
		seen[h] = true
	}
}

func TestJoinedLadders(t *testing.T) {
	sup, both := mustRequire(Session, Slot{"supervisor", 1}), mustRequire(Session, Slot{"finance", 1}, Slot{"supervisor", 1})
	with := func(r Requirement, ladder ...StandIn) Requirement {
		r, err := r.WithStandIns(ladder...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	manager := func(after time.Duration) StandIn { return StandIn{"supervisor", "site_manager", after} }
	for name, c := range map[string]struct {
		a, b Requirement
		want string
	}{
		"both, at the later time":         {with(sup, manager(time.Hour)), with(sup, manager(90*time.Minute)), "supervisor (or site_manager after 1h30m)"},
		"only what both allow":            {with(sup, manager(time.Hour), StandIn{"supervisor", "controller", time.Hour}), with(sup, manager(time.Hour)), "supervisor (or site_manager after 1h)"},
		"one lets nobody":                 {with(sup, manager(time.Hour)), sup, "supervisor"},
		"one does not ask for it":         {with(sup, manager(time.Hour)), mustRequire(Session, Slot{"ap", 1}), "ap + supervisor (or site_manager after 1h)"},
		"who is asked for stands in not":  {with(sup, StandIn{"supervisor", "finance", time.Hour}), mustRequire(Session, Slot{"finance", 1}), "finance + supervisor"},
		"of two slots":                    {with(both, manager(time.Hour), StandIn{"finance", "controller", 2 * time.Hour}), with(sup, manager(3*time.Hour)), "finance (or controller after 2h) + supervisor (or site_manager after 3h)"},
		"the soonest is named first":      {with(sup, manager(2*time.Hour), StandIn{"supervisor", "inventory_control", time.Second}), Requirement{}, "supervisor (or inventory_control after 1s, site_manager after 2h)"},
		"with what asks for nobody":       {Requirement{}, with(sup, manager(time.Hour)), "supervisor (or site_manager after 1h)"},
		"denied, and nobody is asked for": {with(sup, manager(time.Hour)), Denied("no"), "supervisor (or site_manager after 1h) + denied: no"},
	} {
		if got := Join(c.a, c.b).Full(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if got := Join(c.b, c.a).Full(); got != c.want {
			t.Errorf("%s, the other way round: %s, want %s", name, got, c.want)
		}
	}
	if sup.Covers(with(sup, manager(time.Hour))) == false || with(sup, manager(time.Hour)).Covers(sup) {
		t.Error("a ladder is not the weaker")
	}
	if !with(sup, manager(2*time.Hour)).Covers(with(sup, manager(time.Hour))) || with(sup, manager(time.Hour)).Covers(with(sup, manager(2*time.Hour))) {
		t.Error("a sooner ladder is not the weaker")
	}
}

func TestLaddersThatAreNone(t *testing.T) {
	r := mustRequire(Session, Slot{"finance", 1}, Slot{"supervisor", 1})
	manager := StandIn{"supervisor", "site_manager", time.Hour}
	for name, ladder := range map[string][]StandIn{
		"for a role that is not asked for": {{"ap", "site_manager", time.Hour}},
		"by the role itself":               {{"supervisor", "supervisor", time.Hour}},
		"by another role that decides":     {{"supervisor", "finance", time.Hour}},
		"by nobody":                        {{"supervisor", "", time.Hour}},
		"at once":                          {{"supervisor", "site_manager", 0}},
		"before it waits":                  {{"supervisor", "site_manager", -time.Hour}},
		"when it is over":                  {{"supervisor", "site_manager", 8 * time.Hour}},
		"twice":                            {manager, manager},
	} {
		if got, err := r.WithStandIns(ladder...); err == nil {
			t.Errorf("%s: accepted: %s", name, got.Full())
		}
	}
}

// Who would stand in when the step is over is not named.
func TestALadderEndsWithItsStep(t *testing.T) {
	s := stage(func(s *scene) { s.laddered(0) })
	if got := s.step.Ladder("supervisor"); len(got) != 1 {
		t.Errorf("%v", got)
	}
	s.step.ExpiresAt = noon.Add(4 * time.Hour)
	if got := s.step.Ladder("supervisor"); len(got) != 0 {
		t.Errorf("at the end: %v", got)
	}
	if got := s.step.Roles(noon.Add(9 * time.Hour)); len(got) != 1 {
		t.Errorf("after the end: %v", got)
	}
	s.step.Binding = s.step.NewBinding()
	s.approve()
	if _, code := run(s, guards); code != CodeRoleMissing {
		t.Errorf("%q", code)
	}
}

// A role's time comes at the instant, not before, and stays.
func TestDue(t *testing.T) {
	s := stage(func(s *scene) { s.laddered(0) }).step
	s.ExpiresAt = noon.Add(500 * time.Hour)
	for after, want := range map[time.Duration][]Role{
		-time.Hour: {"supervisor"}, 4*time.Hour - 1: {"supervisor"}, 4 * time.Hour: {"supervisor", "site_manager"}, 400 * time.Hour: {"supervisor", "site_manager"},
	} {
		if got := s.Roles(noon.Add(after)); !slices.Equal(got, want) {
			t.Errorf("after %s: %v", after, got)
		}
	}
}

// An approval says in which role it was given, and for which.
func TestAStandInIsWrittenDown(t *testing.T) {
	tr, code := run(stage(func(s *scene) { s.laddered(4 * time.Hour) }), guards)
	if d := tr.Decision; code != "" || d == nil || d.Slot != "supervisor" || d.As != "site_manager" || !slices.Equal(d.Roles, []Role{"site_manager"}) {
		t.Errorf("%q: %+v", code, tr.Decision)
	}
	tr, _ = run(stage(func(s *scene) {
		s.laddered(4 * time.Hour)
		s.person(mia, func(p *Person) { p.Grants = append(p.Grants, grant("supervisor")) })
		s.as(mia)
	}), guards)
	if d := tr.Decision; d == nil || d.As != "" {
		t.Errorf("who holds the role itself stands in: %+v", tr.Decision)
	}
	tr, _ = run(stage(func(s *scene) { s.laddered(9 * time.Hour); s.machine("clock"); s.cmd = Escalate{} }), guards)
	if tr.Reason != "site_manager stands in for supervisor" {
		t.Errorf("escalated: %q", tr.Reason)
	}
}

// A stricter policy has the step wait anew: whoever stands in does so later.
func TestTighteningBeginsTheWaitAnew(t *testing.T) {
	s := stage(func(s *scene) { s.laddered(9 * time.Hour); s.machine(Judge) })
	r := Join(s.step.Requirement, mustRequire(Session, Slot{"finance", 1}))
	s.cmd = Tighten{Requirement: r, Policy: "v2"}
	tr, code := run(s, guards)
	if code != "" || !tr.Step.WaitsSince.Equal(noon) || len(tr.Step.Due(noon.Add(4*time.Hour-1))) != 0 || len(tr.Step.Due(noon.Add(4*time.Hour))) != 1 {
		t.Errorf("%q: %+v", code, tr.Step)
	}
}
