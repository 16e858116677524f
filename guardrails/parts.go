package guardrails

import (
	"fmt"
	"strings"
)

// Parts is a set of parts that people play in what a step judges. Whoever
// played an excluded part cannot approve it.
type Parts uint16

// The parts.
const (
	Proposer    Parts = 1 << iota // recommended it, or wrote the policy
	Counter                       // counted or keyed the count, first or again
	Receiver                      // received the load
	Buyer                         // placed the order
	Requester                     // asked for it
	Beneficiary                   // gains a role or money by it
	Editor                        // changed the supplier's master data lately
	Overrider                     // set the model's score aside

	AllParts Parts = 1<<iota - 1
)

var partNames = []string{"proposer", "counter", "receiver", "buyer", "requester", "beneficiary", "editor", "overrider"}

// ParsePart reads the name of one part.
func ParsePart(name string) (Parts, error) {
	for i, n := range partNames {
		if n == name {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("%q is none of the parts %s", name, strings.Join(partNames, ", "))
}

// Names lists the parts of the set.
func (p Parts) Names() []string {
	names := []string{}
	for i, n := range partNames {
		if p&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

func (p Parts) String() string { return strings.Join(p.Names(), "+") }

// PersonID names a human, however many accounts they have. Zero is nobody.
type PersonID int64

// Party says who played a part. A person of the floor is known by the user name
// of the sending system until somebody links it to a person.
type Party struct {
	Part   Parts
	Person PersonID // 0 when only Ref is known, or a machine
	Ref    string   // user name at the sending system, or "model:…", "llm:…", "key:…"
}

// parts returns the parts that someone played.
func partsOf(parties []Party, who *Person) (played, unproven Parts) {
	for _, p := range parties {
		switch {
		case p.Person != 0 && p.Person == who.ID:
			played |= p.Part
		case p.Person != 0 || p.machine():
		case who.plays(p.Ref):
			played |= p.Part
		case !who.RefsKnown:
			unproven |= p.Part
		}
	}
	return played, unproven
}

func (p Party) machine() bool {
	kind, _, tagged := strings.Cut(p.Ref, ":")
	return tagged && (kind == "model" || kind == "llm" || kind == "key")
}
