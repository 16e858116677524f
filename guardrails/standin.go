package guardrails

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// StandIn lets holders of one role fill a slot of another, once a step has waited
// so long. Those of a slot are its ladder. Standing in changes neither how many
// humans approve nor who is excluded, and nobody has to.
type StandIn struct {
	For   Role // the slot
	Role  Role
	After time.Duration // since the step began to wait
}

// WithStandIns returns the requirement with a ladder for its slots, or an error
// when somebody would stand in for a role that it does not ask for, for
// themselves, at once, or when the step is over.
func (r Requirement) WithStandIns(ladder ...StandIn) (Requirement, error) {
	for i, x := range ladder {
		switch {
		case !r.asks(x.For):
			return Requirement{}, fmt.Errorf("%s would stand in for %s, which it does not ask for", x.Role, x.For)
		case x.Role == "" || r.asks(x.Role):
			return Requirement{}, fmt.Errorf("%s would stand in for %s, and decides here itself", x.Role, x.For)
		case x.After <= 0 || x.After >= r.Life:
			return Requirement{}, fmt.Errorf("%s would stand in for %s after %s, which is not between 0 and its life of %s", x.Role, x.For, short(x.After), short(r.Life))
		case slices.ContainsFunc(ladder[:i], func(y StandIn) bool { return y.rung() == x.rung() }):
			return Requirement{}, fmt.Errorf("%s would stand in for %s twice", x.Role, x.For)
		}
	}
	r.StandIns = slices.SortedFunc(slices.Values(ladder), byRung)
	return r, nil
}

func (x StandIn) rung() [2]Role { return [2]Role{x.For, x.Role} }

func byRung(a, b StandIn) int { return cmp.Or(cmp.Compare(a.For, b.For), cmp.Compare(a.Role, b.Role)) }

func (r Requirement) asks(role Role) bool {
	return slices.ContainsFunc(r.Slots, func(s Slot) bool { return s.Role == role })
}

// joinStandIns keeps what both requirements allow, at the later time, for a slot
// that both ask for, and what one allows for a slot that it alone asks for. A role
// that is asked for itself stands in for no other: who needs two departments gets
// two.
func joinStandIns(a, b Requirement, slots []Slot) []StandIn {
	var both []StandIn
	keep := func(x StandIn, other Requirement) {
		if slices.ContainsFunc(slots, func(s Slot) bool { return s.Role == x.Role }) {
			return
		}
		if other.asks(x.For) {
			i := slices.IndexFunc(other.StandIns, func(y StandIn) bool { return y.rung() == x.rung() })
			if i < 0 {
				return
			}
			x.After = max(x.After, other.StandIns[i].After)
		}
		both = append(both, x)
	}
	for _, x := range a.StandIns {
		keep(x, b)
	}
	for _, x := range b.StandIns {
		if !a.asks(x.For) {
			keep(x, a)
		}
	}
	slices.SortFunc(both, byRung)
	return both
}

// rungs are the stand-ins of a role, the soonest first.
func (r Requirement) rungs(role Role) []StandIn {
	var rungs []StandIn
	for _, x := range r.StandIns {
		if x.For == role {
			rungs = append(rungs, x)
		}
	}
	slices.SortStableFunc(rungs, soonest)
	return rungs
}

func soonest(a, b StandIn) int { return cmp.Compare(a.After, b.After) }

// ladder says it in words: " (or site_manager after 4h)".
func (r Requirement) ladder(role Role) string {
	rungs := r.rungs(role)
	if len(rungs) == 0 {
		return ""
	}
	words := make([]string, len(rungs))
	for i, x := range rungs {
		words[i] = string(x.Role) + " after " + short(x.After)
	}
	return " (or " + strings.Join(words, ", ") + ")"
}

// short writes 4h0m0s as 4h.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// From returns the instant from which a stand-in counts for the step.
func (s *Step) From(x StandIn) time.Time { return s.WaitsSince.Add(x.After) }

// Ladder returns who may stand in for a role before the step expires, the soonest
// first.
func (s *Step) Ladder(role Role) []StandIn {
	return slices.DeleteFunc(s.Requirement.rungs(role), func(x StandIn) bool { return !s.comes(x) })
}

// comes reports whether the time of a stand-in is one of the step's.
func (s *Step) comes(x StandIn) bool { return s.From(x).Before(s.ExpiresAt) }

// Due returns who may stand in at an instant.
func (s *Step) Due(now time.Time) []StandIn {
	var due []StandIn
	for _, x := range s.Requirement.StandIns {
		if s.comes(x) && !now.Before(s.From(x)) {
			due = append(due, x)
		}
	}
	return due
}

// Roles returns the roles whose holders have a say in the step at an instant: those
// that it asks for, and those that stand in for one by then.
func (s *Step) Roles(now time.Time) []Role {
	var roles []Role
	for _, slot := range s.Requirement.Slots {
		roles = append(roles, slot.Role)
	}
	for _, x := range s.Due(now) {
		if !slices.Contains(roles, x.Role) {
			roles = append(roles, x.Role)
		}
	}
	return roles
}

// hasSay reports whether the person holds one of the [Step.Roles].
func (s *Step) hasSay(p *Person, now time.Time) bool {
	return slices.ContainsFunc(s.Roles(now), func(role Role) bool {
		_, ok := p.grantFor(role, s, now)
		return ok
	})
}

// seat is a slot, and in which role somebody fills it.
type seat struct {
	slot Role
	as   StandIn // the zero value in the slot's own role
}

func (x seat) role() Role {
	if x.as.Role != "" {
		return x.as.Role
	}
	return x.slot
}

// seats are what the person could fill, now or later: in their own roles first,
// then as stand-ins, the soonest first.
func (s *Step) seats(p *Person, now time.Time) []seat {
	var seats []seat
	for _, slot := range s.Requirement.Slots {
		seats = append(seats, seat{slot: slot.Role})
	}
	var ladder []StandIn
	for _, slot := range s.Requirement.Slots {
		ladder = append(ladder, s.Ladder(slot.Role)...)
	}
	slices.SortStableFunc(ladder, soonest)
	for _, x := range ladder {
		seats = append(seats, seat{slot: x.For, as: x})
	}
	return slices.DeleteFunc(seats, func(x seat) bool {
		_, ok := p.grantFor(x.role(), s, now)
		return !ok
	})
}

// standingIn says in words who stands in at an instant, "" for nobody.
func (s *Step) standingIn(now time.Time) string {
	var words []string
	for _, x := range s.Due(now) {
		words = append(words, fmt.Sprintf("%s stands in for %s", x.Role, x.For))
	}
	return strings.Join(words, ", ")
}
