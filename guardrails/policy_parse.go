package guardrails

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of a policy file.
const (
	maxPolicy = 1 << 18 // bytes
	maxRules  = 200
	maxTests  = 1000
)

// rule is one rule of a policy.
type rule struct {
	id          string
	at          *yaml.Node
	kinds       []Kind
	when        *condition // nil for always
	requirement Requirement
	auditOnly   bool
}

// ParsePolicy reads and compiles a policy file and runs the tests in it. Its
// error is a [*PolicyError] with every fault that was found: a policy that has
// one cannot be used.
func ParsePolicy(source []byte) (*Policy, error) {
	p, r := readPolicy(source)
	if len(r.faults) == 0 {
		p.checkRules(r)
	}
	if len(r.faults) == 0 {
		p.checkTests(r)
	}
	if len(r.faults) > 0 {
		sortFaults(r.faults)
		return nil, &PolicyError{r.faults}
	}
	return p, nil
}

func readPolicy(source []byte) (*Policy, *policyReader) {
	sum := sha256.Sum256(source)
	p := &Policy{Source: slices.Clone(source), version: hex.EncodeToString(sum[:])}
	r := &policyReader{lines: strings.Split(string(source), "\n")}
	if len(source) > maxPolicy {
		r.fault(nil, "the file has %d bytes, more than %d", len(source), maxPolicy)
		return p, r
	}
	doc := r.document(source)
	if doc == nil {
		return p, r
	}
	m := r.mapping(doc, "a policy", "apiVersion", "kind", "metadata", "roles", "defaults", "rules", "tests")
	for _, key := range []string{"apiVersion", "kind", "metadata", "roles", "defaults", "rules", "tests"} {
		if m[key] == nil {
			r.fault(doc, "%s is missing", key)
		}
	}
	if v := r.text(m["apiVersion"], "apiVersion"); v != "" && v != "tallyman/v1" {
		r.fault(m["apiVersion"], "apiVersion %q is not known; it must be tallyman/v1", v)
	}
	if v := r.text(m["kind"], "kind"); v != "" && v != "ApprovalPolicy" {
		r.fault(m["kind"], "kind %q is not known; it must be ApprovalPolicy", v)
	}
	p.Name = r.name(m["metadata"])
	p.roles = r.roles(m["roles"])
	p.defaults = r.require(m["defaults"], "defaults", p.roles)
	p.defaultsAt = m["defaults"]
	p.rules = r.rules(m["rules"], p.roles)
	p.tests = r.tests(m["tests"])
	return p, r
}

func (r *policyReader) name(n *yaml.Node) string {
	m := r.mapping(n, "metadata", "name", "description")
	name := r.text(m["name"], "name")
	if n != nil && name == "" {
		r.fault(n, "metadata needs a name")
	}
	r.text(m["description"], "description")
	return name
}

func (r *policyReader) roles(n *yaml.Node) []Role {
	var roles []Role
	for _, item := range r.list(n, "roles") {
		role := Role(r.text(item, "a role"))
		switch {
		case role == "":
		case !validRole(role):
			r.fault(item, "role %q must be small letters, digits and _, at most 40", role)
		case slices.Contains(roles, role):
			r.fault(item, "role %s is there twice", role)
		default:
			roles = append(roles, role)
		}
	}
	return roles
}

func validRole(role Role) bool {
	for i, c := range role {
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '_') {
			return false
		}
	}
	return len(role) > 0 && len(role) <= 40
}

var ruleKeys = []string{"id", "actions", "when", "mode", "require", "exclude", "auth", "expires_in", "deny"}

func (r *policyReader) rules(n *yaml.Node, roles []Role) []rule {
	items := r.list(n, "rules")
	if len(items) > maxRules {
		r.fault(n, "there are %d rules, more than %d", len(items), maxRules)
		return nil
	}
	var rules []rule
	ids := map[string]bool{}
	for _, item := range items {
		m := r.mapping(item, "a rule", ruleKeys...)
		rule := rule{id: r.text(m["id"], "id"), at: item, kinds: r.kinds(m["actions"])}
		if m["id"] == nil {
			r.fault(item, "the rule has no id")
		} else if ids[rule.id] {
			r.fault(m["id"], "rule %s is there twice", rule.id)
		}
		ids[rule.id] = true
		if m["actions"] == nil {
			r.fault(item, "the rule does not say for which actions; \"actions: [any]\" is for all")
		}
		if mode := r.text(m["mode"], "mode"); mode != "" && mode != "audit" && mode != "enforce" {
			r.fault(m["mode"], "mode %q must be audit or enforce", mode)
		} else {
			rule.auditOnly = mode == "audit"
		}
		rule.when = r.condition(m["when"])
		for _, key := range []string{"id", "actions", "when", "mode"} {
			delete(m, key)
		}
		rule.requirement = r.requirement(item, m, "rule "+rule.id, roles)
		rules = append(rules, rule)
	}
	return rules
}

func (r *policyReader) kinds(n *yaml.Node) []Kind {
	var kinds []Kind
	items := r.list(n, "actions")
	if n != nil && n.Kind == yaml.SequenceNode && len(items) == 0 {
		r.fault(n, "actions is empty")
	}
	for _, item := range items {
		kind := Kind(r.text(item, "an action"))
		switch {
		case kind == "any" && len(items) == 1:
			return Kinds
		case kind == "":
		case !kind.Valid():
			r.fault(item, "action %q is none of %v", kind, Kinds)
		case slices.Contains(kinds, kind):
			r.fault(item, "action %s is there twice", kind)
		default:
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (r *policyReader) condition(n *yaml.Node) *condition {
	source := r.text(n, "when")
	if source == "" {
		return nil
	}
	c, faults := compile(source)
	for _, f := range faults {
		r.within(n, f)
	}
	return c
}

// require reads a requirement that stands by itself.
func (r *policyReader) require(n *yaml.Node, what string, roles []Role) Requirement {
	if n == nil {
		return Requirement{}
	}
	return r.requirement(n, r.mapping(n, what, "require", "exclude", "auth", "expires_in", "deny"), what, roles)
}

// requirement is people to ask, or a denial, never neither.
func (r *policyReader) requirement(at *yaml.Node, m map[string]*yaml.Node, what string, roles []Role) Requirement {
	if m["deny"] != nil {
		for _, key := range []string{"require", "exclude", "auth", "expires_in"} {
			if m[key] != nil {
				r.fault(m[key], "%s denies, so that %s says nothing", what, key)
			}
		}
		return Denied(r.text(m["deny"], "deny"))
	}
	if m["require"] == nil {
		r.fault(at, "%s asks for no human: give it require with a role, or deny with a reason", what)
		return Requirement{}
	}
	if m["expires_in"] == nil {
		r.fault(at, "%s does not say in what time it expires: give it expires_in", what)
	}
	auth := Session
	switch s := r.text(m["auth"], "auth"); s {
	case "", "session":
	case "fresh":
		auth = Fresh
	default:
		r.fault(m["auth"], "auth %q must be session or fresh", s)
	}
	slots, ladder := r.slots(m["require"], what, roles)
	excludes, life := r.parts(m["exclude"]), r.duration(m["expires_in"], "expires_in")
	if len(slots) == 0 || life == 0 {
		return Requirement{} // said already
	}
	req, err := Require(slots, auth, excludes, life)
	if err != nil {
		r.fault(at, "%s: %v", what, err)
		return req
	}
	return r.withLadder(req, ladder, what)
}

func (r *policyReader) parts(n *yaml.Node) Parts {
	var parts Parts
	for _, item := range r.list(n, "exclude") {
		part, err := ParsePart(r.text(item, "an excluded part"))
		if err != nil {
			r.fault(item, "%v", err)
		}
		parts |= part
	}
	return parts
}
