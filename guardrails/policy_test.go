package guardrails_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

// The shipped policy passes its own tests, which are in the file.
func TestDefaultPolicyHolds(t *testing.T) {
	p := guardrails.DefaultPolicy()
	if p.Name != "default" || len(p.Version()) != 64 || len(p.Warnings()) != 0 {
		t.Errorf("%s %s: %v", p.Name, p.Version(), p.Warnings())
	}
	for _, a := range actions {
		r := guardrails.Recommendation{Site: "DC-1", Action: a}
		j, err := p.Judge(&r, time.Time{})
		if err != nil || j.Requirement.Humans() < 1 {
			t.Errorf("%s needs %s, %v", a.Kind(), j.Requirement, err)
		}
		if !j.Requirement.Covers(guardrails.Requirement{Excludes: a.Kind().Excludes()}) {
			t.Errorf("%s lets %s approve", a.Kind(), a.Kind().Excludes()&^j.Requirement.Excludes)
		}
	}
}

// small is a policy with a place for a rule and for a test.
const small = `apiVersion: tallyman/v1
kind: ApprovalPolicy
metadata: {name: small}
roles: [supervisor, finance]
defaults: {deny: unknown}
rules:
  - id: any
    actions: [any]
    require: {supervisor: 1}
    expires_in: 1h
RULE
tests:
  - name: one
    rec: {action: count_position}
    expect: {require: {supervisor: 1}}
TEST
`

func policyWith(rule, test string) string {
	s := strings.Replace(small, "RULE\n", rule, 1)
	return strings.Replace(s, "TEST\n", test, 1)
}

// when is a rule of which only the condition matters.
func when(condition string) string {
	return "  - id: x\n    actions: [count_position]\n    when: " + condition + "\n    require: {finance: 1}\n    expires_in: 1h\n"
}

func faultsOf(t *testing.T, source string) []string {
	t.Helper()
	_, err := guardrails.ParsePolicy([]byte(source))
	if err == nil {
		return nil
	}
	var wrong *guardrails.PolicyError
	if !errors.As(err, &wrong) {
		t.Fatalf("%v is no PolicyError", err)
	}
	faults := make([]string, len(wrong.Faults))
	for i, f := range wrong.Faults {
		faults[i] = f.String()
	}
	return faults
}

func TestPolicyRefusesWithPosition(t *testing.T) {
	refusesAt(t, map[string]faulty{
		"a zero-approver rule":     {policyWith("  - id: x\n    actions: [any]\n    require: {supervisor: 0}\n    expires_in: 1h\n", ""), "13:27: rule x asks for 0 of supervisor"},
		"no approver at all":       {policyWith("  - id: x\n    actions: [any]\n    require: {}\n    expires_in: 1h\n", ""), "13:14: rule x asks for no human"},
		"neither require nor deny": {policyWith("  - id: x\n    actions: [any]\n", ""), "11:5: rule x asks for no human"},
		"a deny with approvers":    {policyWith("  - id: x\n    actions: [any]\n    deny: no\n    require: {finance: 1}\n", ""), "14:14: rule x denies"},
		"an unknown key":           {policyWith("  - id: x\n    action: count_position\n", ""), "12:5: a rule has no \"action\""},
		"a duplicate key":          {policyWith("  - id: x\n    id: y\n", ""), "12:5: \"id\" is there twice"},
		"a duplicate rule":         {policyWith(strings.Replace(when(`"true"`), "id: x", "id: any", 1), ""), "11:9: rule any is there twice"},
		"an unknown action":        {policyWith("  - id: x\n    actions: [fire_all]\n    deny: no\n", ""), "12:15: action \"fire_all\" is none of"},
		"an unknown role":          {policyWith("  - id: x\n    actions: [any]\n    require: {root: 1}\n    expires_in: 1h\n", ""), "13:21: role \"root\" is none of"},
		"a condition of no bool":   {policyWith(when("rec.value_minor"), ""), "13:11: the condition is of type int"},
		"a misspelt field":         {policyWith(when("rec.valu_minor > 5"), ""), "13:14: rec has no valu_minor"},
		"int and double":           {policyWith(when("rec.value_minor > 1.5"), ""), "13:29: 1.5 is a double"},
		"int and text":             {policyWith(when("rec.value_minor > 'a'"), ""), "13:27: found no matching overload"},
		"division":                 {policyWith(when("rec.value_minor / 2 > 1"), ""), "13:27: / is not part of the language"},
		"modulo":                   {policyWith(when("rec.value_minor % 2 == 1"), ""), "13:27: % is not part"},
		"a sum":                    {policyWith(when("rec.value_minor + 1 > 1"), ""), "13:27: + is not part"},
		"the clock":                {policyWith(when("timestamp('2026-01-01T00:00:00Z') > timestamp('2025-01-01T00:00:00Z')"), ""), "13:20: timestamp is not part"},
		"map":                      {policyWith(when("rec.flags.map(f, f) == ['a']"), ""), "13:24: map is not part"},
		"a pattern":                {policyWith(when("rec.site.matches('.*')"), ""), "13:27: matches is not part"},
		"a cost bomb": {
			policyWith(when("rec.flags.all(a, rec.flags.all(b, rec.flags.all(c, rec.flags.all(d, a == d))))"), ""),
			"13:11: the condition may cost",
		},
		"a syntax error":            {policyWith(when("\"rec.value_minor >\""), ""), "13:29: Syntax error"},
		"a long condition":          {policyWith(when("\"true"+strings.Repeat(" || true", 300)+"\""), ""), "13:12: the condition has"},
		"rec by itself":             {policyWith(when("rec == rec"), ""), "13:11: rec stands for all"},
		"in a block":                {policyWith(when("|\n      rec.repeats > 1\n      && rec.scor > 2"), ""), "15:13: rec has no scor"},
		"a rule that never matches": {policyWith(when("rec.value_minor > 5 && rec.value_minor < 5"), ""), "11:5: rule x never matches"},
		"a rule of another action":  {policyWith(when("rec.action == 'verify_load'"), ""), "11:5: rule x never matches"},
		"an untested rule":          {policyWith(when("rec.value_minor > 5"), ""), "11:5: no test matches rule x"},
		"has() asked in vain":       {policyWith(when("has(rec.class) || rec.class == 'A'"), ""), "11:5: rule x cannot be evaluated"},
		"a failing test":            {policyWith("", "  - name: two\n    rec: {action: count_position}\n    expect: {require: {finance: 1}}\n"), "15:5: test \"two\": it needs supervisor by [any]"},
		"a test with a typo":        {policyWith("", "  - name: two\n    rec: {action: count_position, stake: 5}\n    expect: {denied: true}\n"), "16:35: rec has no \"stake\""},
		"a negative amount":         {policyWith("", "  - name: two\n    rec: {action: count_position, stake_minor: -5}\n    expect: {denied: true}\n"), "16:48: stake_minor is below zero"},
		"a fraction":                {policyWith("", "  - name: two\n    rec: {action: count_position, stake_minor: 1.5}\n    expect: {denied: true}\n"), "16:48: stake_minor must be a whole number"},
		"a long life":               {policyWith("  - id: x\n    actions: [any]\n    require: {finance: 1}\n    expires_in: 9000h\n", ""), "14:17: expires_in must be between"},
		"an alias":                  {strings.Replace(policyWith("", ""), "[supervisor, finance]", "&a [supervisor, finance]", 1), "4:8: anchors and aliases"},
		"a tag":                     {strings.Replace(policyWith("", ""), "{name: small}", "{name: !!binary c21hbGw=}", 1), "3:18: tags such as !!binary"},
		"broken YAML":               {"apiVersion: [", "1:1: did not find expected node content"},
		"nothing":                   {"", "1:1: the file is empty"},
		"two documents":             {policyWith("", "") + "---\na: 1\n", ": a policy is one document"},
		"weak defaults":             {strings.Replace(policyWith("", ""), "{deny: unknown}", "{require: {finance: 1}, expires_in: 1h}", 1), "5:11: defaults are weaker than rule any"},
		"nobody could change it":    {strings.Replace(policyWith("", ""), "[any]", "[count_position]", 1), "5:11: nobody could put another policy in its place"},
		"no defaults":               {strings.Replace(policyWith("", ""), "defaults: {deny: unknown}\n", "", 1), "1:1: defaults is missing"},
	})
}

func TestPolicyRefusesLaddersWithPosition(t *testing.T) {
	refusesAt(t, map[string]faulty{
		"a slot without a number": {ladder("{stand_in: {finance: 10m}}"), "13:27: supervisor does not say how many"},
		"a stand-in of no role":   {ladder("{count: 1, stand_in: {root: 10m}}"), "13:55: role \"root\" is none of"},
		"a stand-in for oneself":  {ladder("{count: 1, stand_in: {supervisor: 10m}}"), "13:61: rule x: supervisor would stand in for supervisor, and decides here itself"},
		"a stand-in at once":      {ladder("{count: 1, stand_in: {finance: 0s}}"), "13:58: the time of finance must be between"},
		"a stand-in too late":     {ladder("{count: 1, stand_in: {finance: 1h}}"), "13:58: rule x: finance would stand in for supervisor after 1h, which is not between 0 and its life of 1h"},
		"a stand-in of no time":   {ladder("{count: 1, stand_in: {finance: soon}}"), "13:58: the time of finance must be a duration"},
		"a stand-in by nobody":    {ladder("{count: 1, stand_in: {}}"), "13:48: rule x lets nobody stand in for supervisor"},
		"a ladder of two":         {ladder("{count: 1, stand_in: [finance]}"), "13:48: stand_in must be a mapping"},
		"a slot with a typo":      {ladder("{count: 1, standin: {finance: 10m}}"), "13:38: supervisor has no \"standin\""},
		"one who decides stands in": {
			strings.Replace(ladder("{count: 1, stand_in: {finance: 10m}}"), "10m}}}", "10m}}, finance: 1}", 1),
			"13:58: rule x: finance would stand in for supervisor, and decides here itself",
		},
		"a ladder that a test does not expect": {
			policyWith("", "  - name: two\n    rec: {action: count_position}\n    expect: {require: {supervisor: {count: 1, stand_in: {finance: 10m}}}}\n"),
			"15:5: test \"two\": it needs supervisor by [any]",
		},
		"defaults with a ladder": {
			strings.Replace(policyWith("", ""), "{deny: unknown}", "{require: {supervisor: {count: 1, stand_in: {finance: 10m}}}, expires_in: 1h}", 1),
			"5:11: defaults are weaker than rule any (supervisor)",
		},
	})
}

// faulty is a policy and what is said of it, with its place.
type faulty struct{ source, want string }

func refusesAt(t *testing.T, policies map[string]faulty) {
	t.Helper()
	for name, c := range policies {
		t.Run(name, func(t *testing.T) {
			faults := faultsOf(t, c.source)
			for _, f := range faults {
				if strings.Contains(f, c.want) {
					return
				}
			}
			t.Errorf("faults are\n%s\nwant %s", strings.Join(faults, "\n"), c.want)
		})
	}
}

// ladder is a rule of which only the slot of the supervisor matters.
func ladder(slot string) string {
	return policyWith("  - id: x\n    actions: [any]\n    require: {supervisor: "+slot+"}\n    expires_in: 1h\n", "")
}

func TestEveryFaultIsFound(t *testing.T) {
	rules := when("rec.valu > 5") + strings.Replace(when("rec.value_minor / 2 > rec.cla"), "id: x", "id: y", 1) + "  - id: z\n    actions: [any]\n"
	want := []string{"13:14:", "18:27:", "21:5:"}
	faults := faultsOf(t, policyWith(rules, ""))
	if len(faults) != len(want) {
		t.Fatalf("%d faults, want %d:\n%s", len(faults), len(want), strings.Join(faults, "\n"))
	}
	for i, f := range faults {
		if !strings.HasPrefix(f, want[i]) {
			t.Errorf("fault %s is not at %s", f, want[i])
		}
	}
}

func judge(t *testing.T, source string, f guardrails.Facts) (guardrails.Judgement, error) {
	t.Helper()
	p, err := guardrails.ParsePolicy([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return p.Judge(&guardrails.Recommendation{Site: "DC-1", Action: &guardrails.CountPosition{Location: "A", SKU: "S"}, Facts: f}, time.Time{})
}

// Two rules about one slot: only whom both let stand in does, at the later time.
func TestLaddersOfMatchingRulesJoin(t *testing.T) {
	rule := func(id, slot string) string {
		return "  - id: " + id + "\n    actions: [verify_load]\n    require: {supervisor: " + slot + "}\n    expires_in: 1h\n"
	}
	source := strings.Replace(policyWith(
		rule("x", "{count: 1, stand_in: {finance: 10m, ap: 20m}}")+rule("y", "{count: 2, stand_in: {finance: 30m}}"),
		"  - name: two\n    rec: {action: verify_load}\n    expect: {rules: [x, y], require: {supervisor: {count: 2, stand_in: {finance: 30m}}}}\n"),
		"[supervisor, finance]", "[supervisor, finance, ap]", 1)
	source = strings.Replace(source, "actions: [any]", "actions: [count_position, change_policy]", 1)
	p, err := guardrails.ParsePolicy([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	j, err := p.Judge(&guardrails.Recommendation{Site: "DC-1", Action: &guardrails.VerifyLoad{Load: "L"}}, time.Time{})
	if want := "2 supervisor (or finance after 30m)"; err != nil || j.Requirement.Full() != want {
		t.Errorf("%s, %v; want %s", j.Requirement.Full(), err, want)
	}
}

func TestMatchingRulesJoin(t *testing.T) {
	rules := strings.Replace(when("rec.value_minor > 5"), "1h", "30m\n    auth: fresh\n    exclude: [counter]", 1) +
		"  - id: never\n    actions: [count_position]\n    when: \"'theft' in rec.flags\"\n    deny: call the police\n"
	source := policyWith(rules, `  - name: high
    rec: {action: count_position, stake_minor: 6}
    expect: {rules: [any, x], require: {supervisor: 1, finance: 1}, auth: fresh, expires_in: 30m}
  - name: theft
    rec: {action: count_position, flags: [theft]}
    expect: {denied: true}
`)
	low, err := judge(t, source, guardrails.Facts{ValueMinor: 5})
	if err != nil || low.Requirement.String() != "supervisor" || low.Requirement.Life != time.Hour {
		t.Errorf("low: %+v, %v", low, err)
	}
	high, err := judge(t, source, guardrails.Facts{ValueMinor: 3, RecentMinor: 3, Flags: []string{"theft"}})
	want := guardrails.Judgement{
		Matched: []string{"any", "x", "never"},
		Requirement: guardrails.Requirement{
			Slots: []guardrails.Slot{{Role: "finance", Count: 1}, {Role: "supervisor", Count: 1}}, Auth: guardrails.Fresh,
			Excludes: guardrails.Proposer | guardrails.Counter, Life: 30 * time.Minute, Deny: []string{"call the police"},
		},
	}
	if diff := cmp.Diff(want, high); diff != "" || err != nil {
		t.Errorf("high: %v (-want +got):\n%s", err, diff)
	}
}

func TestWhatIsNotKnownBlocks(t *testing.T) {
	test := "  - name: class\n    rec: {action: count_position, class: A}\n    expect: {require: {supervisor: 1, finance: 1}}\n"
	for name, c := range map[string]struct {
		condition string
		facts     guardrails.Facts
		blocks    bool
	}{
		"known":                       {"rec.class == 'A'", guardrails.Facts{Class: "B"}, false},
		"unknown":                     {"rec.class == 'A'", guardrails.Facts{}, true},
		"unknown beside what is true": {"rec.class == 'A' || rec.repeats > 0", guardrails.Facts{Repeats: 1}, true},
		"unknown after what is true":  {"rec.repeats > 0 || rec.class == 'A'", guardrails.Facts{Repeats: 1}, true},
		"unknown, and asked after":    {"!has(rec.class) || rec.class == 'A'", guardrails.Facts{}, false},
		"too many flags":              {"rec.class == 'A'", guardrails.Facts{Class: "B", Flags: make([]string, 33)}, true},
		"below zero":                  {"rec.class == 'A'", guardrails.Facts{Class: "B", VariancePPM: -1, ValueMinor: -1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			source := strings.Replace(policyWith(when(`"`+c.condition+`"`), test), "{action: count_position}", "{action: count_position, class: C}", 1)
			j, err := judge(t, source, c.facts)
			if (err != nil) != c.blocks {
				t.Errorf("judged %+v, %v; blocks is %v", j, err, c.blocks)
			}
		})
	}
}

// An action's own amounts are believed over smaller ones beside it.
func TestAmountsAreThoseOfTheAction(t *testing.T) {
	for _, c := range []struct {
		action guardrails.Action
		want   string
	}{
		{&guardrails.InventoryAdjustment{Location: "A", SKU: "S", Book: 100_000, Counted: 94_000, Reason: "x"}, "adjust-2"},
		{&guardrails.InventoryAdjustment{Location: "A", SKU: "S", Book: 0, Counted: 1000, Reason: "x"}, "adjust-2"},
		{&guardrails.InventoryAdjustment{Location: "A", SKU: "S", Book: -1 << 63, Counted: 1000, Reason: "x"}, "adjust-2"},
		{&guardrails.SupplierChargeback{Supplier: "V", Order: "P", Amount: money(1_000_001), Reason: "x"}, "chargeback-4"},
		{&guardrails.SupplierChargeback{Supplier: "V", Order: "P", Amount: money(-1_000_001), Reason: "x"}, "chargeback-4"},
	} {
		j, err := guardrails.DefaultPolicy().Judge(&guardrails.Recommendation{Site: "DC-1", Action: c.action}, time.Time{})
		if err != nil || !cmp.Equal(j.Matched, []string{c.want}) {
			t.Errorf("%+v matches %v, %v; want %s", c.action, j.Matched, err, c.want)
		}
	}
}

func TestARuleOnTrialRequiresNothing(t *testing.T) {
	rule := strings.Replace(when(`"true"`), "    require", "    mode: audit\n    require", 1)
	j, err := judge(t, policyWith(rule, "  - name: trial\n    rec: {action: count_position}\n    expect: {rules: [any, x], require: {supervisor: 1}}\n"), guardrails.Facts{})
	if err != nil || j.Requirement.String() != "supervisor" || !cmp.Equal(j.Audited, []string{"x"}) {
		t.Errorf("%+v, %v", j, err)
	}
}

// Two owners of policy decide about it, whatever a policy says.
func TestPolicyCannotLowerItsOwnFloor(t *testing.T) {
	p, err := guardrails.ParsePolicy([]byte(policyWith("", "")))
	if err != nil {
		t.Fatal(err)
	}
	j, err := p.Judge(&guardrails.Recommendation{Site: guardrails.Everywhere, Action: &guardrails.ChangePolicy{}}, time.Time{})
	if err != nil || j.Requirement.String() != "2 policy_owner + supervisor" || j.Requirement.Auth != guardrails.Fresh {
		t.Errorf("%+v, %v", j, err)
	}
	source := strings.Replace(policyWith("", ""), "{supervisor: 1}", "{supervisor: 1, policy_owner: {count: 2, stand_in: {finance: 10m}}}", 1)
	source = strings.Replace(source, "finance]", "finance, policy_owner]", 1)
	p, err = guardrails.ParsePolicy([]byte(strings.Replace(source, "require: {supervisor: 1}}", "require: {supervisor: 1, policy_owner: 2}}", 1)))
	if err != nil || len(p.Warnings()) != 1 {
		t.Fatal(p, err)
	}
	j, err = p.Judge(&guardrails.Recommendation{Site: guardrails.Everywhere, Action: &guardrails.ChangePolicy{}}, time.Time{})
	if err != nil || j.Requirement.Full() != "2 policy_owner + supervisor" {
		t.Errorf("somebody stands in for owners of policy: %s, %v", j.Requirement.Full(), err)
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(guardrails.DefaultPolicy().Source)
	f.Add([]byte(policyWith("", "")))
	f.Add([]byte(ladder("{count: 1, stand_in: {finance: 10m}}")))
	f.Add([]byte(policyWith(when("|-\n      has(rec.class) && rec.class in ['A']\n      || rec.flags.exists(f, f == 'x')"), "")))
	f.Fuzz(func(t *testing.T, source []byte) {
		p, err := guardrails.ParsePolicy(source)
		if err != nil {
			var wrong *guardrails.PolicyError
			if !errors.As(err, &wrong) || len(wrong.Faults) == 0 {
				t.Fatalf("%v is no PolicyError", err)
			}
			for _, fault := range wrong.Faults {
				if fault.Line < 1 || fault.Column < 1 || fault.Detail == "" {
					t.Fatalf("fault %+v has no place", fault)
				}
			}
			return
		}
		for _, a := range actions {
			j, err := p.Judge(&guardrails.Recommendation{Site: "DC-1", Action: a}, time.Time{})
			if err == nil && j.Requirement.Humans() < 1 && len(j.Requirement.Deny) == 0 {
				t.Fatalf("%s needs nobody", a.Kind())
			}
		}
	})
}

func money(minor int64) warehouse.Money { return warehouse.Money{Minor: minor, Currency: "USD"} }
