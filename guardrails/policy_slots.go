package guardrails

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// slots reads how many humans of which roles, and who may stand in for them. A slot
// is a number, or a mapping of both.
func (r *policyReader) slots(n *yaml.Node, what string, roles []Role) (slots []Slot, ladder []standInAt) {
	m := r.mapping(n, "require")
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.fault(n, "%s asks for no human", what)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		slot := r.slot(m[name], name)
		count, rungs := r.integer(slot["count"], "the number of "+name), r.ladder(slot["stand_in"], Role(name))
		switch {
		case !slices.Contains(roles, Role(name)):
			r.fault(m[name], "role %q is none of %v", name, roles)
		case count < 1:
			r.fault(m[name], "%s asks for %d of %s; at least one human decides", what, count, name)
		case count > 9:
			r.fault(m[name], "%s asks for %d of %s, more than 9", what, count, name)
		default:
			slots, ladder = append(slots, Slot{Role(name), int(count)}), append(ladder, rungs...)
		}
		if x := slot["stand_in"]; x != nil && x.Kind == yaml.MappingNode && len(x.Content) == 0 {
			r.fault(x, "%s lets nobody stand in for %s: leave stand_in out", what, name)
		}
		for _, x := range rungs {
			if !slices.Contains(roles, x.Role) {
				r.fault(x.at, "role %q is none of %v", x.Role, roles)
			}
		}
	}
	return slots, ladder
}

// slot returns the members of a slot, one that is a number too.
func (r *policyReader) slot(n *yaml.Node, name string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		return map[string]*yaml.Node{"count": n}
	}
	m := r.mapping(n, name, "count", "stand_in")
	if m["count"] == nil {
		r.fault(n, "%s does not say how many: give it a count", name)
	}
	return m
}

// withLadder adds to a requirement who may stand in.
func (r *policyReader) withLadder(req Requirement, ladder []standInAt, what string) Requirement {
	for _, x := range ladder {
		if x.After == 0 {
			continue // said already
		}
		with, err := req.WithStandIns(append(req.StandIns, x.StandIn)...)
		if err != nil {
			r.fault(x.at, "%s: %v", what, err)
			continue
		}
		req = with
	}
	return req
}

// standInAt is a stand-in and where it is said.
type standInAt struct {
	StandIn
	at *yaml.Node
}

// ladder reads who stands in for a role, by name: each role with the time after
// which it may.
func (r *policyReader) ladder(n *yaml.Node, role Role) []standInAt {
	m := r.mapping(n, "stand_in")
	var all []standInAt
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, standInAt{StandIn{For: role, Role: Role(name), After: r.duration(m[name], "the time of "+name)}, m[name]})
	}
	return all
}

// expected is whom a test of a policy expects to be asked. Of a ladder it speaks
// where it says stand_in.
type expected struct {
	slots   []Slot
	ladders map[Role][]StandIn
}

func (r *policyReader) expected(n *yaml.Node) *expected {
	e := &expected{ladders: map[Role][]StandIn{}}
	for name, value := range r.mapping(n, "require") {
		m := r.slot(value, name)
		e.slots = joinSlots(e.slots, []Slot{{Role(name), int(r.integer(m["count"], "the number of "+name))}})
		if m["stand_in"] == nil {
			continue
		}
		e.ladders[Role(name)] = nil
		for _, x := range r.ladder(m["stand_in"], Role(name)) {
			e.ladders[Role(name)] = append(e.ladders[Role(name)], x.StandIn)
		}
	}
	return e
}

func (e *expected) is(r Requirement) bool {
	for role, ladder := range e.ladders {
		other := slices.DeleteFunc(slices.Clone(r.StandIns), func(x StandIn) bool { return x.For != role })
		if !slices.Equal(ladder, other) {
			return false
		}
	}
	return slices.Equal(e.slots, r.Slots)
}
