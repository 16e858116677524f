package guardrails

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Role is a claim about a person that a slot asks for, such as "supervisor".
type Role string

// Slot asks for the approval of so many humans of a role.
type Slot struct {
	Role  Role
	Count int
}

// Strength is how surely it is known who decides.
type Strength int

// The strengths, the weaker first.
const (
	Session Strength = iota // signed in
	Fresh                   // signed in anew within [FreshFor]
)

// FreshFor is how long an authentication is fresh.
const FreshFor = 15 * time.Minute

// strengthOf is how sure it is now who somebody is who was authenticated at an
// instant.
func strengthOf(authenticated, now time.Time) Strength {
	if authenticated.After(now) || now.Sub(authenticated) > FreshFor {
		return Session
	}
	return Fresh
}

// NeedsFresh refuses who was not authenticated anew.
func NeedsFresh(authenticated, now time.Time) *Refusal {
	if strengthOf(authenticated, now) != Fresh {
		return refuse(CodeStepUp, "sign in again: this needs an authentication of the last %s", FreshFor)
	}
	return nil
}

// MaxLife bounds the life of every step.
const MaxLife = 30 * 24 * time.Hour

// Requirement is what must happen before a step is approved. Requirements form
// a lattice: [Join] is the least upper bound, so that combining them in any
// order gives the same, and never less. The zero value asks for no human and is
// never met.
type Requirement struct {
	Slots    []Slot    // by role, each role once
	StandIns []StandIn // by slot and role: who may fill a slot in its role's place, and when
	Auth     Strength
	Excludes Parts
	Life     time.Duration // until the step expires
	Deny     []string      // reasons why it cannot be approved at all, sorted
}

// Require returns a requirement, or an error when it asks for no human.
func Require(slots []Slot, auth Strength, excludes Parts, life time.Duration) (Requirement, error) {
	if len(slots) == 0 {
		return Requirement{}, errors.New("it asks for no human")
	}
	if life <= 0 || life > MaxLife {
		return Requirement{}, fmt.Errorf("its life of %s is not between 0 and %s", life, MaxLife)
	}
	r := Requirement{Auth: auth, Excludes: excludes, Life: life}
	for _, s := range slots {
		if s.Count < 1 || s.Role == "" {
			return Requirement{}, fmt.Errorf("it asks for %d of %q", s.Count, s.Role)
		}
	}
	r.Slots = joinSlots(nil, slots)
	return r, nil
}

// Denied returns the requirement that nobody can meet.
func Denied(reason string) Requirement { return Requirement{Life: MaxLife, Deny: []string{reason}} }

// Join returns the weakest requirement that is at least as strict as both.
func Join(a, b Requirement) Requirement {
	deny := slices.Concat(a.Deny, b.Deny)
	slices.Sort(deny)
	slots := joinSlots(a.Slots, b.Slots)
	return Requirement{
		Slots: slots, StandIns: joinStandIns(a, b, slots), Auth: max(a.Auth, b.Auth), Excludes: a.Excludes | b.Excludes,
		Life: shorter(a.Life, b.Life), Deny: slices.Compact(deny),
	}
}

// shorter treats zero, of the zero requirement, as without an end.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

func joinSlots(a, b []Slot) []Slot {
	slots := slices.Concat(a, b)
	slices.SortFunc(slots, func(x, y Slot) int { return cmp.Or(cmp.Compare(x.Role, y.Role), y.Count-x.Count) })
	return slices.CompactFunc(slots, func(x, y Slot) bool { return x.Role == y.Role })
}

// Covers reports whether r is at least as strict as s in everything.
func (r Requirement) Covers(s Requirement) bool { return r.Hash() == Join(r, s).Hash() }

// Humans returns how many different humans must approve.
func (r Requirement) Humans() int {
	n := 0
	for _, s := range r.Slots {
		n += s.Count
	}
	return n
}

// Hash returns a hash of everything the requirement asks for. Where nobody may stand
// in it is as it was before anybody could.
func (r Requirement) Hash() Hash {
	h := sha256.New()
	if len(r.StandIns) == 0 {
		h.Write([]byte("tallyman/requirement/v1\x00"))
	} else {
		h.Write([]byte("tallyman/requirement/v2\x00"))
		writeInt(h, int64(len(r.StandIns)))
		for _, x := range r.StandIns {
			writeText(h, string(x.For))
			writeText(h, string(x.Role))
			writeInt(h, int64(x.After))
		}
	}
	for _, s := range r.Slots {
		writeText(h, string(s.Role))
		writeInt(h, int64(s.Count))
	}
	h.Write([]byte{0})
	for _, n := range []int64{int64(r.Auth), int64(r.Excludes), int64(r.Life)} {
		writeInt(h, n)
	}
	for _, d := range r.Deny {
		writeText(h, d)
	}
	return Hash(h.Sum(nil))
}

func writeText(h interface{ Write([]byte) (int, error) }, s string) {
	writeInt(h, int64(len(s)))
	_, _ = h.Write([]byte(s))
}

func writeInt(h interface{ Write([]byte) (int, error) }, n int64) {
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// String says in words whom it asks for: "finance + 2 supervisor".
func (r Requirement) String() string { return r.words(func(Role) string { return "" }) }

// Full says it with who may stand in: "finance (or controller after 4h) + 2
// supervisor".
func (r Requirement) Full() string { return r.words(r.ladder) }

func (r Requirement) words(ladder func(Role) string) string {
	var parts []string
	for _, s := range r.Slots {
		words := string(s.Role)
		if s.Count > 1 {
			words = fmt.Sprintf("%d %s", s.Count, s.Role)
		}
		parts = append(parts, words+ladder(s.Role))
	}
	if len(r.Deny) > 0 {
		parts = append(parts, "denied: "+strings.Join(r.Deny, "; "))
	}
	return strings.Join(parts, " + ")
}
