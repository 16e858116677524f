package guardrails_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tallyman/guardrails"
)

func randomRequirement(r *rand.Rand) guardrails.Requirement {
	roles := []guardrails.Role{"supervisor", "finance", "site_manager"}
	var slots []guardrails.Slot
	for _, i := range r.Perm(3)[:1+r.IntN(3)] {
		slots = append(slots, guardrails.Slot{Role: roles[i], Count: 1 + r.IntN(3)})
	}
	req, err := guardrails.Require(slots, guardrails.Strength(r.IntN(2)), guardrails.Parts(r.IntN(int(guardrails.AllParts)+1)),
		time.Duration(1+r.IntN(5))*time.Hour)
	if err != nil {
		panic(err)
	}
	for _, slot := range slots {
		for _, role := range []guardrails.Role{"supervisor", "finance", "site_manager", "controller"} {
			x := guardrails.StandIn{For: slot.Role, Role: role, After: time.Duration(1+r.IntN(59)) * time.Minute}
			if with, err := req.WithStandIns(append(slices.Clone(req.StandIns), x)...); err == nil && r.IntN(2) == 0 {
				req = with
			}
		}
	}
	if r.IntN(4) == 0 {
		req = guardrails.Join(req, guardrails.Denied(string(rune('a'+r.IntN(3)))))
	}
	return req
}

// The oracle is algebra: a join is commutative, associative, idempotent and an
// upper bound.
func TestJoinIsALattice(t *testing.T) {
	const seed = 4
	r := rand.New(rand.NewPCG(seed, 0))
	join := guardrails.Join
	for range 5000 {
		a, b, c := randomRequirement(r), randomRequirement(r), randomRequirement(r)
		ab := join(a, b)
		switch {
		case ab.Hash() != join(b, a).Hash():
			t.Fatalf("seed %d: %+v and %+v do not commute", seed, a, b)
		case join(ab, c).Hash() != join(a, join(b, c)).Hash():
			t.Fatalf("seed %d: %+v, %+v and %+v do not associate", seed, a, b, c)
		case join(a, a).Hash() != a.Hash():
			t.Fatalf("seed %d: %+v with itself is %+v", seed, a, join(a, a))
		case !ab.Covers(a) || !ab.Covers(b):
			t.Fatalf("seed %d: %+v does not cover %+v and %+v", seed, ab, a, b)
		case laxer(ab, a) || laxer(ab, b):
			t.Fatalf("seed %d: %s and %s let more stand in than one of them: %s", seed, a.Full(), b.Full(), ab.Full())
		case ab.Humans() < max(a.Humans(), b.Humans()):
			t.Fatalf("seed %d: %+v asks for fewer humans", seed, ab)
		case a.Covers(b) && b.Covers(a) && a.Hash() != b.Hash():
			t.Fatalf("seed %d: %+v and %+v cover each other", seed, a, b)
		}
	}
}

// laxer reports whether the joined requirement lets somebody stand in for a slot of
// another whom that does not, or sooner.
func laxer(joined, other guardrails.Requirement) bool {
	return slices.ContainsFunc(joined.StandIns, func(x guardrails.StandIn) bool {
		asks := slices.ContainsFunc(other.Slots, func(s guardrails.Slot) bool { return s.Role == x.For })
		return asks && !slices.ContainsFunc(other.StandIns, func(y guardrails.StandIn) bool {
			return y.For == x.For && y.Role == x.Role && y.After <= x.After
		})
	})
}

func TestRequireRefuses(t *testing.T) {
	one := []guardrails.Slot{{Role: "supervisor", Count: 1}}
	for name, f := range map[string]func() error{
		"no slot": func() error { _, err := guardrails.Require(nil, 0, 0, time.Hour); return err },
		"no human": func() error {
			_, err := guardrails.Require([]guardrails.Slot{{Role: "supervisor"}}, 0, 0, time.Hour)
			return err
		},
		"no role":      func() error { _, err := guardrails.Require([]guardrails.Slot{{Count: 1}}, 0, 0, time.Hour); return err },
		"no life":      func() error { _, err := guardrails.Require(one, 0, 0, 0); return err },
		"a long life":  func() error { _, err := guardrails.Require(one, 0, 0, guardrails.MaxLife+1); return err },
		"minus a life": func() error { _, err := guardrails.Require(one, 0, 0, -1); return err },
	} {
		if f() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Every state that is live has a way out, and none leads out of the others.
func TestStatesEnd(t *testing.T) {
	for _, s := range guardrails.States {
		out := slices.ContainsFunc(guardrails.Events, func(e guardrails.Event) bool {
			to, err := s.After(e)
			return err == nil && to != s
		})
		if s.Live() != out {
			t.Errorf("%s: live is %v and leads on is %v", s, s.Live(), out)
		}
	}
}
