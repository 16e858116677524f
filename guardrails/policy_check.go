package guardrails

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// checkRules evaluates every condition at its boundaries, and compares the
// rules with the defaults.
func (p *Policy) checkRules(r *policyReader) {
	if len(p.rules) == 0 {
		r.fault(nil, "there is no rule")
	}
	for i := range p.rules {
		rule := &p.rules[i]
		if rule.when != nil {
			p.checkCondition(r, rule)
		}
		if len(p.defaults.Deny) == 0 && len(rule.requirement.Deny) == 0 && !p.defaults.Covers(rule.requirement) {
			r.fault(p.defaultsAt, "defaults are weaker than rule %s (%s): they must be the strictest, or deny", rule.id, rule.requirement.Full())
		}
		if rule.standsInForOwners() {
			p.warn(rule.at, "rule "+rule.id+" lets others stand in for owners of policy, and nobody does where they decide about policy")
		}
	}
	for _, kind := range Kinds {
		if !slices.ContainsFunc(p.rules, func(x rule) bool { return slices.Contains(x.kinds, kind) && !x.auditOnly }) {
			p.warn(p.defaultsAt, "no rule is about "+string(kind)+": the defaults decide it")
		}
	}
	if len(r.faults) == 0 {
		p.checkChangeable(r)
	}
}

func (x *rule) standsInForOwners() bool {
	return slices.Contains(x.kinds, KindChangePolicy) &&
		slices.ContainsFunc(x.requirement.StandIns, func(s StandIn) bool { return s.For == PolicyOwner })
}

// checkChangeable refuses a policy that nobody could ever replace.
func (p *Policy) checkChangeable(r *policyReader) {
	gridOf([]Kind{KindChangePolicy}, p.conditions(KindChangePolicy)...).each(func(f *policyFacts) bool {
		if o := p.outcome(f); o.closed() {
			r.fault(p.defaultsAt, "nobody could put another policy in its place (%s): give change_policy a rule that requires policy owners", o)
			return false
		}
		return true
	})
}

func (p *Policy) warn(n *yaml.Node, detail string) {
	p.warnings = append(p.warnings, Fault{n.Line, n.Column, detail})
}

func (p *Policy) checkCondition(r *policyReader, rule *rule) {
	reached := false
	g := gridOf(rule.kinds, rule.when)
	g.each(func(f *policyFacts) bool {
		holds, err := rule.when.holds(f)
		if err != nil {
			r.fault(rule.at, "rule %s cannot be evaluated for %s: %v", rule.id, f.describe(), err)
			return false
		}
		reached = reached || holds
		return true
	})
	switch {
	case reached:
	case g.whole:
		r.fault(rule.at, "rule %s never matches", rule.id)
	default:
		p.warn(rule.at, "rule "+rule.id+" matched none of the inputs that were tried")
	}
}

// policyTest is one of a policy's own tests.
type policyTest struct {
	name    string
	at      *yaml.Node
	facts   policyFacts
	rules   []string // nil when not said
	require *expected
	auth    *Strength
	life    time.Duration
	denied  bool
	blocked bool
}

func (r *policyReader) tests(n *yaml.Node) []policyTest {
	items := r.list(n, "tests")
	if len(items) > maxTests {
		r.fault(n, "there are %d tests, more than %d", len(items), maxTests)
		return nil
	}
	tests := make([]policyTest, 0, len(items))
	for _, item := range items {
		m := r.mapping(item, "a test", "name", "rec", "expect")
		for _, key := range []string{"name", "rec", "expect"} {
			if m[key] == nil {
				r.fault(item, "the test has no %s", key)
			}
		}
		t := policyTest{name: r.text(m["name"], "name"), at: item, facts: r.facts(m["rec"])}
		r.expect(m["expect"], &t)
		tests = append(tests, t)
	}
	return tests
}

// facts reads what a test is about. The value that decides the band is the sum
// of stake and recent value, as it is in earnest.
func (r *policyReader) facts(n *yaml.Node) policyFacts {
	m := r.mapping(n, "rec", "action", "site", "stake_minor", "recent_minor", "variance_ppm", "repeats", "score_ppm",
		"flags", "within_tolerance", "customer_agreed", "class", "currency")
	f := policyFacts{
		kind: Kind(r.text(m["action"], "action")), site: r.text(m["site"], "site"), flags: r.texts(m["flags"], "flags"),
		withinTol: r.boolean(m["within_tolerance"], "within_tolerance"), customerYes: r.boolean(m["customer_agreed"], "customer_agreed"),
		class: r.text(m["class"], "class"), currency: r.text(m["currency"], "currency"),
	}
	if n != nil && !f.kind.Valid() {
		r.fault(n, "action %q is none of %v", f.kind, Kinds)
	}
	if f.site == "" {
		f.site = "DC-1"
	}
	for _, name := range []string{"stake_minor", "recent_minor", "variance_ppm", "repeats", "score_ppm"} {
		v := amountOf(&f, name)
		if *v = r.integer(m[name], name); *v < 0 {
			r.fault(m[name], "%s is below zero; amounts are absolute", name)
		}
	}
	f.value = (&Facts{ValueMinor: f.stake, RecentMinor: f.recent}).Banded()
	if err := f.check(); err != nil && n != nil {
		r.fault(n, "%v", err)
	}
	return f
}

func (r *policyReader) expect(n *yaml.Node, t *policyTest) {
	m := r.mapping(n, "expect", "rules", "require", "auth", "expires_in", "denied", "blocked")
	if n != nil && m["require"] == nil && m["denied"] == nil && m["blocked"] == nil {
		r.fault(n, "expect says neither whom it requires nor that it is denied or blocked")
	}
	if m["rules"] != nil {
		t.rules = append([]string{}, r.texts(m["rules"], "rules")...)
	}
	if m["require"] != nil {
		t.require = r.expected(m["require"])
	}
	if m["auth"] != nil {
		auth := Session
		switch s := r.text(m["auth"], "auth"); s {
		case "session":
		case "fresh":
			auth = Fresh
		default:
			r.fault(m["auth"], "auth %q must be session or fresh", s)
		}
		t.auth = &auth
	}
	if m["expires_in"] != nil {
		t.life = r.duration(m["expires_in"], "expires_in")
	}
	t.denied, t.blocked = r.boolean(m["denied"], "denied"), r.boolean(m["blocked"], "blocked")
}

// checkTests runs the policy's own tests; together they must match every rule.
func (p *Policy) checkTests(r *policyReader) {
	hit := map[string]bool{}
	for i := range p.tests {
		t := &p.tests[i]
		j, err := p.judge(&t.facts)
		for _, id := range slices.Concat(j.Matched, j.Audited) {
			hit[id] = true
		}
		if wrong := t.differs(j, err); wrong != "" {
			r.fault(t.at, "test %q: %s", t.name, wrong)
		}
	}
	for i := range p.rules {
		if !hit[p.rules[i].id] {
			r.fault(p.rules[i].at, "no test matches rule %s", p.rules[i].id)
		}
	}
}

// differs says what is not as the test expects, "" when all is.
func (t *policyTest) differs(j Judgement, err error) string {
	matched := "[" + strings.Join(slices.Concat(j.Matched, j.Audited), ", ") + "]"
	switch {
	case t.blocked && err == nil:
		return "it is not blocked; it needs " + j.Requirement.Full()
	case t.blocked:
		return ""
	case err != nil:
		return "it is blocked: " + err.Error()
	case t.rules != nil && !slices.Equal(sorted(slices.Clone(t.rules)), sorted(slices.Concat(j.Matched, j.Audited))):
		return "it matches " + matched
	case t.denied != (len(j.Requirement.Deny) > 0):
		return "it needs " + j.Requirement.Full() + " by " + matched
	case t.require != nil && !t.require.is(j.Requirement):
		return "it needs " + j.Requirement.Full() + " by " + matched
	case t.auth != nil && *t.auth != j.Requirement.Auth:
		return "it asks for another strength of authentication, by " + matched
	case t.life != 0 && t.life != j.Requirement.Life:
		return "it expires in " + j.Requirement.Life.String() + ", by " + matched
	}
	return ""
}
