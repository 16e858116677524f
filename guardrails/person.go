package guardrails

import (
	"slices"
	"time"

	"tallyman/warehouse"
)

// PolicyOwner is the role that decides about policy. It cannot be delegated.
const PolicyOwner Role = "policy_owner"

// Everywhere is the site of a grant that holds at every site.
const Everywhere = warehouse.Everywhere

// Person is a human, with what they may do now.
type Person struct {
	ID        PersonID
	Active    bool
	Grants    []Grant
	Refs      []string // user names that are theirs in other systems
	RefsKnown bool     // somebody vouched that Refs is complete
}

// Grant gives a person a role at a site.
type Grant struct {
	Role  Role
	Site  warehouse.Site
	Limit Limit // of one step
	Daily Limit // of all that they approve in a day
	By    PersonID
	At    time.Time
}

// Limit bounds an amount. The zero value is zero: no limit must be said.
type Limit struct {
	Minor     int64
	Unlimited bool
}

// Allows reports whether the amount is within the limit.
func (l Limit) Allows(minor int64) bool { return l.Unlimited || minor <= l.Minor }

// Delegation lets one person decide for another. It is one deep: it gives what
// the delegator holds, never what others delegated to them.
type Delegation struct {
	From, To   PersonID
	Kinds      []Kind
	Sites      []warehouse.Site // [Everywhere] for all of the delegator's
	Limit      Limit
	Begin, End time.Time
	RevokedAt  time.Time // zero when it was not
}

// MaxDelegation bounds how long a delegation lasts.
const MaxDelegation = 30 * 24 * time.Hour

func (d *Delegation) covers(s *Step, now time.Time) bool {
	return !now.Before(d.Begin) && now.Before(d.End) && d.End.Sub(d.Begin) <= MaxDelegation &&
		(d.RevokedAt.IsZero() || now.Before(d.RevokedAt)) &&
		slices.Contains(d.Kinds, s.Kind) && s.Kind != KindChangePolicy &&
		(slices.Contains(d.Sites, s.Site) || slices.Contains(d.Sites, Everywhere)) && d.Limit.Allows(s.Value)
}

func (p *Person) plays(ref string) bool { return ref != "" && slices.Contains(p.Refs, ref) }

// grantFor returns the person's widest grant of a role for a step. A grant that
// the step's own proposer gave within a day does not count for it.
func (p *Person) grantFor(role Role, s *Step, now time.Time) (best Grant, ok bool) {
	for _, g := range p.Grants {
		if g.Role != role || g.Site != s.Site && g.Site != Everywhere || s.grantedByProposer(g, now) {
			continue
		}
		if !ok || g.Limit.Unlimited || !best.Limit.Unlimited && g.Limit.Minor > best.Limit.Minor {
			best, ok = g, true
		}
	}
	return best, ok
}

// grantCools is how long a role cannot be used on what its giver proposed.
const grantCools = 24 * time.Hour

func (s *Step) grantedByProposer(g Grant, now time.Time) bool {
	return g.By != 0 && now.Sub(g.At) < grantCools && slices.ContainsFunc(s.Parties, func(p Party) bool {
		return p.Part == Proposer && p.Person == g.By
	})
}

// Actor is who gives a command: a human who is signed in, or a machine.
type Actor struct {
	Person          Person
	Principal       *Person     // whom they act for; nil for themselves
	Delegation      *Delegation // that lets them
	Machine         string      // "" for a human
	Session         string      // id
	AuthenticatedAt time.Time
}

// authority is whose grants the actor uses.
func (a *Actor) authority() *Person {
	if a.Principal != nil {
		return a.Principal
	}
	return &a.Person
}

// Verdict is what a decision says.
type Verdict string

// The verdicts.
const (
	Approval       Verdict = "approve"
	Rejection      Verdict = "reject"
	RequestChanges Verdict = "request_changes"
)

// Verdicts lists every verdict.
var Verdicts = []Verdict{Approval, Rejection, RequestChanges}

// Decision is what a human said of a step. It never changes, and it counts only
// for the binding that it names.
type Decision struct {
	Person     PersonID
	OnBehalfOf PersonID // 0 for themselves
	Verdict    Verdict
	Slot       Role // filled by an approval
	As         Role // in which they stood in for the slot's, "" in that role itself
	Binding    Hash
	Roles      []Role // held at the time
	Strength   Strength
	Session    string
	Reason     string
	BreakGlass string // incident, "" in the normal course
	At         time.Time
}

// role is the one that an approval was given in.
func (d *Decision) role() Role {
	if d.As != "" {
		return d.As
	}
	return d.Slot
}

// by reports whether the person had a hand in the decision.
func (d *Decision) by(id PersonID) bool { return d.Person == id || d.OnBehalfOf == id }
