package store

import (
	"encoding/json"
	"fmt"
	"time"

	"tallyman/guardrails"
)

// jsonRequirement is a requirement as the database holds it: its triggers read
// it too.
type jsonRequirement struct {
	Slots    []jsonSlot    `json:"slots"`
	StandIns []jsonStandIn `json:"stand_ins,omitempty"` // left out for nobody, as it was when nobody could
	Auth     string        `json:"auth"`
	Excludes []string      `json:"excludes"`
	LifeUS   int64         `json:"life_us"`
	Deny     []string      `json:"deny"`
}

type jsonSlot struct {
	Role  guardrails.Role `json:"role"`
	Count int             `json:"count"`
}

type jsonStandIn struct {
	For     guardrails.Role `json:"for"`
	Role    guardrails.Role `json:"role"`
	AfterUS int64           `json:"after_us"`
}

var strengths = map[guardrails.Strength]string{guardrails.Session: "session", guardrails.Fresh: "fresh"}

func writeRequirement(r guardrails.Requirement) ([]byte, error) {
	wire := jsonRequirement{Slots: []jsonSlot{}, Auth: strengths[r.Auth], Excludes: r.Excludes.Names(), LifeUS: r.Life.Microseconds(), Deny: []string{}}
	for _, s := range r.Slots {
		wire.Slots = append(wire.Slots, jsonSlot(s))
	}
	for _, x := range r.StandIns {
		wire.StandIns = append(wire.StandIns, jsonStandIn{x.For, x.Role, x.After.Microseconds()})
	}
	wire.Deny = append(wire.Deny, r.Deny...)
	return json.Marshal(wire)
}

func readRequirement(b []byte) (guardrails.Requirement, error) {
	var wire jsonRequirement
	if err := json.Unmarshal(b, &wire); err != nil {
		return guardrails.Requirement{}, fmt.Errorf("requirement: %w", err)
	}
	r := guardrails.Requirement{Life: time.Duration(wire.LifeUS) * time.Microsecond}
	if wire.Auth == strengths[guardrails.Fresh] {
		r.Auth = guardrails.Fresh
	}
	for _, s := range wire.Slots {
		r.Slots = append(r.Slots, guardrails.Slot(s))
	}
	for _, x := range wire.StandIns {
		r.StandIns = append(r.StandIns, guardrails.StandIn{For: x.For, Role: x.Role, After: time.Duration(x.AfterUS) * time.Microsecond})
	}
	if len(wire.Deny) > 0 {
		r.Deny = wire.Deny
	}
	for _, name := range wire.Excludes {
		part, err := guardrails.ParsePart(name)
		if err != nil {
			return r, fmt.Errorf("requirement: %w", err)
		}
		r.Excludes |= part
	}
	return r, nil
}

// jsonParty is a party as the database holds it.
type jsonParty struct {
	Part   string              `json:"part"`
	Person guardrails.PersonID `json:"person,omitempty"`
	Ref    string              `json:"ref,omitempty"`
}

func writeParties(parties []guardrails.Party) ([]byte, error) {
	wire := []jsonParty{}
	for _, p := range parties {
		for _, name := range p.Part.Names() {
			wire = append(wire, jsonParty{name, p.Person, p.Ref})
		}
	}
	return json.Marshal(wire)
}

func readParties(b []byte) ([]guardrails.Party, error) {
	var wire []jsonParty
	if err := json.Unmarshal(b, &wire); err != nil {
		return nil, fmt.Errorf("parties: %w", err)
	}
	parties := make([]guardrails.Party, len(wire))
	for i, w := range wire {
		part, err := guardrails.ParsePart(w.Part)
		if err != nil {
			return nil, fmt.Errorf("parties: %w", err)
		}
		parties[i] = guardrails.Party{Part: part, Person: w.Person, Ref: w.Ref}
	}
	return parties, nil
}

// jsonFacts are facts as the database holds them, for simulating a policy on
// what was recorded.
type jsonFacts struct {
	ValueMinor    int64    `json:"value_minor"`
	Currency      string   `json:"currency,omitempty"`
	RecentMinor   int64    `json:"recent_minor"`
	VariancePPM   int64    `json:"variance_ppm"`
	Class         string   `json:"class,omitempty"`
	Flags         []string `json:"flags,omitempty"`
	Repeats       int64    `json:"repeats"`
	ScorePPM      int64    `json:"score_ppm"`
	WithinTol     bool     `json:"within_tolerance,omitempty"`
	CustomerAgree bool     `json:"customer_agreed,omitempty"`
}

func writeFacts(f *guardrails.Facts) ([]byte, error) {
	return json.Marshal(jsonFacts{
		f.ValueMinor, string(f.Currency), f.RecentMinor, f.VariancePPM, f.Class, f.Flags, f.Repeats, f.ScorePPM, f.WithinTol, f.CustomerAgree,
	})
}
