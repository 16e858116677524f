package guardrails

import (
	_ "embed" // for the shipped policy
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed default.yaml
var defaultSource []byte

// Policy says what recommendations require. It is made by [ParsePolicy] and
// safe for concurrent use.
type Policy struct {
	Name   string
	Source []byte // exact bytes of the file

	version    string
	roles      []Role
	defaults   Requirement
	defaultsAt *yaml.Node
	rules      []rule
	tests      []policyTest
	warnings   []Fault
}

// DefaultPolicy returns the policy that comes with the program.
func DefaultPolicy() *Policy {
	p, err := ParsePolicy(defaultSource)
	if err != nil {
		panic(err) // the file is in the program and tested
	}
	return p
}

// Version is the SHA-256 of the source in hexadecimal.
func (p *Policy) Version() string { return p.version }

// Warnings are what is allowed and probably not meant.
func (p *Policy) Warnings() []Fault { return p.warnings }

// Judgement is what a policy says of a recommendation.
type Judgement struct {
	Requirement Requirement
	Matched     []string // ids of the rules, in the order of the file; "defaults" when none does
	Audited     []string // matching rules that are only being tried out
}

// Judge evaluates every rule and joins what the matching ones require: their
// order does not matter, and a further rule never makes it less. An error means
// that the step is blocked; nothing weaker is tried.
func (p *Policy) Judge(r *Recommendation, _ time.Time) (Judgement, error) {
	facts, err := factsOf(r)
	if err != nil {
		return Judgement{}, fmt.Errorf("policy %s: %w", p.Name, err)
	}
	return p.judge(&facts)
}

func (p *Policy) judge(f *policyFacts) (Judgement, error) {
	var j Judgement
	for i := range p.rules {
		rule := &p.rules[i]
		if !slices.Contains(rule.kinds, f.kind) {
			continue
		}
		if rule.when != nil {
			holds, err := rule.when.holds(f)
			if err != nil {
				return Judgement{}, fmt.Errorf("policy %s: rule %s: %w", p.Name, rule.id, err)
			}
			if !holds {
				continue
			}
		}
		if rule.auditOnly {
			j.Audited = append(j.Audited, rule.id)
			continue
		}
		j.Matched = append(j.Matched, rule.id)
		j.Requirement = Join(j.Requirement, rule.requirement)
	}
	if len(j.Matched) == 0 {
		j.Matched, j.Requirement = []string{"defaults"}, p.defaults
	}
	j.Requirement = Join(j.Requirement, floor(f.kind))
	return j, nil
}

// floor is what no policy can go below: beside the parts that a kind excludes,
// policy is changed by two of its owners who signed in anew.
func floor(k Kind) Requirement {
	r := Requirement{Excludes: k.Excludes()}
	if k == KindChangePolicy {
		r.Slots, r.Auth = []Slot{{PolicyOwner, 2}}, Fresh
	}
	return r
}

// Tests returns the names of the policy's own tests, all of which it passes.
func (p *Policy) Tests() []string {
	names := make([]string, len(p.tests))
	for i := range p.tests {
		names[i] = p.tests[i].name
	}
	return names
}

// Rules returns the ids of the rules in the order of the file.
func (p *Policy) Rules() []string {
	ids := make([]string, len(p.rules))
	for i := range p.rules {
		ids[i] = p.rules[i].id
	}
	return ids
}
