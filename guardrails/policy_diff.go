package guardrails

import (
	"cmp"
	"slices"
	"time"
)

// Shift says how a requirement compares with another.
type Shift string

// The shifts.
const (
	Same     Shift = "same"
	Stricter Shift = "stricter"
	Looser   Shift = "looser" // in something, even when stricter in something else
)

// Outcome is what a policy makes of an input: a requirement, or why it blocks.
type Outcome struct {
	Requirement Requirement
	Blocked     string
}

// ShiftTo compares what was required with what would be. Nothing is stricter
// than being blocked or denied.
func (o Outcome) ShiftTo(next Outcome) Shift {
	switch was, is := o.closed(), next.closed(); {
	case was && is:
		return Same
	case is:
		return Stricter
	case was:
		return Looser
	}
	both := Join(o.Requirement, next.Requirement).Hash()
	switch {
	case next.Requirement.Hash() != both:
		return Looser
	case o.Requirement.Hash() != both:
		return Stricter
	}
	return Same
}

// closed reports whether no human can say yes.
func (o Outcome) closed() bool {
	return o.Blocked != "" || len(o.Requirement.Deny) > 0 || o.Requirement.Humans() < 1
}

// String says it in words.
func (o Outcome) String() string {
	if o.Blocked != "" {
		return "blocked: " + o.Blocked
	}
	s := o.Requirement.Full()
	if o.Requirement.Auth == Fresh {
		s += ", signed in anew"
	}
	return s + ", within " + o.Requirement.Life.String()
}

func (p *Policy) outcome(f *policyFacts) Outcome {
	j, err := p.judge(f)
	if err != nil {
		return Outcome{Blocked: err.Error()}
	}
	return Outcome{Requirement: j.Requirement}
}

// PolicyChange is one way in which two policies judge alike inputs differently.
type PolicyChange struct {
	Kind     Kind
	Shift    Shift
	From, To Outcome
	Example  string // the first input of the kind
	Inputs   int    // of the grid
}

// DiffPolicies judges the boundaries of both policies under each, and returns
// what changes: the looser first. It looks at every combination of a boundary of
// the facts that the rules of a kind read, or at several thousand drawn ones, the
// same every time.
func DiffPolicies(before, after *Policy) []PolicyChange {
	var changes []PolicyChange
	for _, kind := range Kinds {
		at := map[[2]string]int{}
		conditions := slices.Concat(before.conditions(kind), after.conditions(kind))
		gridOf([]Kind{kind}, conditions...).each(func(f *policyFacts) bool {
			was, is := before.outcome(f), after.outcome(f)
			shift := was.ShiftTo(is)
			if shift == Same {
				return true
			}
			key := [2]string{was.String(), is.String()}
			if i, seen := at[key]; seen {
				changes[i].Inputs++
				return true
			}
			at[key] = len(changes)
			changes = append(changes, PolicyChange{Kind: kind, Shift: shift, From: was, To: is, Example: f.describe(), Inputs: 1})
			return true
		})
	}
	slices.SortStableFunc(changes, func(a, b PolicyChange) int { return cmp.Compare(a.Shift, b.Shift) })
	return changes
}

func (p *Policy) conditions(kind Kind) []*condition {
	var all []*condition
	for i := range p.rules {
		if p.rules[i].when != nil && slices.Contains(p.rules[i].kinds, kind) {
			all = append(all, p.rules[i].when)
		}
	}
	return all
}

// GainedRoles returns the roles that could decide more under the second policy
// than under the first: by a kind of action, a rule of it names them that did
// not before, or lets them stand in sooner. Whoever holds one gains by the change.
func GainedRoles(before, after *Policy) []Role {
	had := before.powers()
	var gained []Role
	for power, now := range after.powers() {
		if then, ok := had[power]; !ok || now < then {
			gained = append(gained, power.role)
		}
	}
	return sorted(gained)
}

// power is that a role can decide a kind of action.
type power struct {
	kind Kind
	role Role
}

// powers says for each power after what time a role has it: at once, or as a
// stand-in.
func (p *Policy) powers() map[power]time.Duration {
	powers := map[power]time.Duration{}
	give := func(x power, after time.Duration) {
		if then, ok := powers[x]; !ok || after < then {
			powers[x] = after
		}
	}
	add := func(kinds []Kind, r Requirement) {
		for _, kind := range kinds {
			for _, slot := range r.Slots {
				give(power{kind, slot.Role}, 0)
			}
			for _, x := range r.StandIns {
				give(power{kind, x.Role}, x.After)
			}
		}
	}
	add(Kinds, p.defaults)
	for i := range p.rules {
		if !p.rules[i].auditOnly {
			add(p.rules[i].kinds, p.rules[i].requirement)
		}
	}
	return powers
}
