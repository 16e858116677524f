package guardrails

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"tallyman/warehouse"
)

// PastStep is a step as it was recorded: what policy looked at, and what it
// required.
type PastStep struct {
	ID             StepID
	At             time.Time
	Recommendation Recommendation
	Value          int64
	Required       Outcome
}

// Simulation is what would have been required of recorded steps.
type Simulation struct {
	Policy        string // version
	Steps         int
	Shifts        map[Shift]int
	Loosened      []ShiftedStep
	Blocked       []ShiftedStep                // or denied, and were not
	LoosenedMinor map[warehouse.Currency]int64 // value of them
	Approvals     []RoleDay                    // more or fewer than were required; the days without a difference are left out
}

// ShiftedStep is a step that another policy would have judged otherwise.
type ShiftedStep struct {
	Step     StepID
	At       time.Time
	Kind     Kind
	Site     warehouse.Site
	Value    warehouse.Money
	From, To Outcome
}

// RoleDay is how many more approvals of a role there would have been in a day
// of UTC.
type RoleDay struct {
	Day   string
	Role  Role
	Extra int
}

// Simulator judges recorded steps one after the other. The same steps give the
// same result, in any order.
type Simulator struct {
	policy *Policy
	result Simulation
	extra  map[RoleDay]int
}

// NewSimulator begins a simulation.
func NewSimulator(p *Policy) *Simulator {
	return &Simulator{
		policy: p, extra: map[RoleDay]int{},
		result: Simulation{Policy: p.Version(), Shifts: map[Shift]int{}, LoosenedMinor: map[warehouse.Currency]int64{}},
	}
}

// Add judges one step.
func (s *Simulator) Add(p *PastStep) {
	var is Outcome
	if j, err := s.policy.Judge(&p.Recommendation, p.At); err != nil {
		is.Blocked = err.Error()
	} else {
		is.Requirement = j.Requirement
	}
	s.result.Steps++
	shift := p.Required.ShiftTo(is)
	s.result.Shifts[shift]++
	day := p.At.UTC().Format(time.DateOnly)
	count := func(o Outcome, by int) {
		if o.closed() {
			return
		}
		for _, slot := range o.Requirement.Slots {
			s.extra[RoleDay{Day: day, Role: slot.Role}] += by * slot.Count
		}
	}
	count(is, 1)
	count(p.Required, -1)
	if shift == Same {
		return
	}
	changed := ShiftedStep{
		Step: p.ID, At: p.At, Kind: p.Recommendation.Action.Kind(), Site: p.Recommendation.Site,
		Value: warehouse.Money{Minor: p.Value, Currency: p.Recommendation.Facts.Currency}, From: p.Required, To: is,
	}
	switch {
	case shift == Looser:
		s.result.Loosened = append(s.result.Loosened, changed)
		s.loosen(changed.Value.Currency, p.Value)
	case is.closed():
		s.result.Blocked = append(s.result.Blocked, changed)
	}
}

// Merge adds what another simulator found, of other steps by the same policy.
func (s *Simulator) Merge(other *Simulator) {
	s.result.Steps += other.result.Steps
	for shift, n := range other.result.Shifts {
		s.result.Shifts[shift] += n
	}
	for day, n := range other.extra {
		s.extra[day] += n
	}
	for currency, minor := range other.result.LoosenedMinor {
		s.loosen(currency, minor)
	}
	s.result.Loosened = append(s.result.Loosened, other.result.Loosened...)
	s.result.Blocked = append(s.result.Blocked, other.result.Blocked...)
}

// loosen adds up what looser steps are worth; a sum that does not fit is unknown.
func (s *Simulator) loosen(currency warehouse.Currency, minor int64) {
	sum := &Facts{ValueMinor: s.result.LoosenedMinor[currency], RecentMinor: minor}
	s.result.LoosenedMinor[currency] = sum.Banded()
}

// Result returns what was found so far: steps by time, days by date and role.
func (s *Simulator) Result() Simulation {
	byTime := func(a, b ShiftedStep) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Step, b.Step))
	}
	slices.SortFunc(s.result.Loosened, byTime)
	slices.SortFunc(s.result.Blocked, byTime)
	s.result.Approvals = nil
	days := slices.SortedFunc(maps.Keys(s.extra), func(a, b RoleDay) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Role, b.Role))
	})
	for _, day := range days {
		if day.Extra = s.extra[RoleDay{Day: day.Day, Role: day.Role}]; day.Extra != 0 {
			s.result.Approvals = append(s.result.Approvals, day)
		}
	}
	return s.result
}
