package guardrails

import "slices"

// standing returns the approvals that count now: given for this very binding,
// by people who could still give them.
func (c *call) standing() []Decision {
	return Standing(c.step, c.ctx)
}

// Standing returns the approvals of a step that count at an instant: those for
// the binding in force whose people are active, hold the role that they used
// within its limit, and played no part that is excluded.
func Standing(s *Step, x *Context) []Decision {
	var good []Decision
	for _, d := range x.Decisions {
		if d.Verdict == Approval && d.Binding == s.Binding && stands(s, x, &d) {
			good = append(good, d)
		}
	}
	return good
}

func stands(s *Step, x *Context, d *Decision) bool {
	for _, id := range []PersonID{d.Person, d.OnBehalfOf} {
		if id == 0 {
			continue
		}
		p, known := x.People[id]
		played, unproven := partsOf(s.Parties, &p)
		if !known || !p.Active || (played|unproven)&s.Requirement.Excludes != 0 {
			return false
		}
	}
	authority := x.People[d.Person]
	if d.OnBehalfOf != 0 {
		authority = x.People[d.OnBehalfOf]
	}
	g, ok := authority.grantFor(d.role(), s, x.Now)
	return ok && g.Limit.Allows(s.Value)
}

// met reports whether the approvals fill every slot, each by another human. A
// requirement without a slot is never met.
func met(s *Step, approvals []Decision) bool {
	if s.BreakGlass {
		return len(approvals) > 0
	}
	var people []PersonID
	for i := range approvals {
		for _, id := range []PersonID{approvals[i].Person, approvals[i].OnBehalfOf} {
			if id != 0 && slices.Contains(people, id) {
				return false
			}
			people = append(people, id)
		}
	}
	return s.Requirement.Humans() > 0 && len(openSlots(s, approvals)) == 0
}

// openSlots returns what the approvals leave to be filled.
func openSlots(s *Step, approvals []Decision) []Slot {
	var open []Slot
	for _, slot := range s.Requirement.Slots {
		for i := range approvals {
			if approvals[i].Slot == slot.Role {
				slot.Count--
			}
		}
		if slot.Count > 0 {
			open = append(open, slot)
		}
	}
	return open
}

// seat returns the slot that the approval fills, and in which role.
func (c *call) seat() (seat, *Refusal) {
	cmd, _ := c.cmd.(Approve)
	open := openSlots(c.step, c.standing())
	var held seat
	for _, x := range c.step.seats(c.ctx.Actor.authority(), c.ctx.Now) {
		if cmd.Slot != "" && cmd.Slot != x.slot {
			continue
		}
		if slices.ContainsFunc(open, func(o Slot) bool { return o.Role == x.slot }) {
			return x, nil
		}
		if held.slot == "" {
			held = x
		}
	}
	if held.slot != "" {
		return held, refuse(CodeSlotFilled, "somebody has approved as %s already; still needed: %s", held.slot, Requirement{Slots: open})
	}
	return seat{}, refuse(CodeRoleMissing, "this needs %s at %s, which you do not hold there", c.step.Requirement, c.step.Site)
}
