package triage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tallyman/warehouse"
)

// The oracle of these tests is what a supervisor would say, written down as
// tables: which mistake in a taxonomy is named how, and who gets which ticket.

func TestATaxonomyThatSaysNonsenseIsRefused(t *testing.T) {
	good := string(defaultTaxonomy)
	for _, c := range []struct{ name, old, new, want string }{
		{"an unknown key, with its line", "name: Received short", "title: Received short", "line"},
		{"an unknown severity, with its line", "severity: S4", "severity: S5", `severity "S5", want S1, S2, S3 or S4`},
		{"a raise that lowers", "{to: S2, share_from: 5}", "{to: S4, share_from: 5}", "not above"},
		{"a raise with two conditions", "{to: S2, share_from: 5}", "{to: S2, share_from: 5, value_from: 3}", "2 conditions"},
		{"a raise without a condition", "{to: S2, share_from: 5}", "{to: S2}", "0 conditions"},
		{"an unknown fact", "{to: S1, if: shipped}", "{to: S1, if: sunny}", `fact "sunny" is unknown`},
		{"a label twice", "id: inbound.over", "id: inbound.short", "is there twice"},
		{"a label without an owner", "owner: quality", "owner: ''", "set owner"},
		{"an unclear label that is none", "unclear: unclear", "unclear: whatever", "which is no label"},
		{"a signal to a label that is none", "label: safety.incident_or_hazard", "label: safety.other", "not in the taxonomy"},
		{"a signal word that stands for every word", "- theft*", "- '*'", "says nothing"},
		{"a currency that is none", "currency: USD", "currency: dollars", "dollars"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatalf("the default taxonomy has no %q", c.old)
			}
			if _, err := ParseTaxonomy([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestTheDefaultTaxonomyHasThirtyLabels(t *testing.T) {
	if n := len(DefaultTaxonomy().Labels); n != 30 {
		t.Errorf("there are %d labels, want 28, unclear and out_of_scope", n)
	}
}

func TestRoute(t *testing.T) {
	dollars := func(n int64) warehouse.Money { return warehouse.Money{Minor: n * 100, Currency: "USD"} }
	for _, c := range []struct {
		name, label, text string
		facts             Facts
		want              Routing
	}{
		{"a plain short receipt is normal work", "inbound.short", "2 missing", Facts{}, Routing{
			Label: "inbound.short", Owner: "procurement", Copies: []string{"supplier_management", "accounts_payable"}, Severity: S3,
		}},
		{"one of a thousand dollars is for this shift", "inbound.short", "", Facts{Value: dollars(1000)}, Routing{
			Label: "inbound.short", Owner: "procurement", Copies: []string{"supplier_management", "accounts_payable"}, Severity: S2,
		}},
		{"a value in another currency cannot be compared, so it counts", "inbound.short", "", Facts{Value: warehouse.Money{Minor: 1, Currency: "PLN"}}, Routing{
			Label: "inbound.short", Owner: "procurement", Copies: []string{"supplier_management", "accounts_payable"}, Severity: S2,
		}},
		{"five per cent short and due today stops", "inbound.short", "", Facts{Share: 5, Holding: []Fact{OrderDueToday}}, Routing{
			Label: "inbound.short", Owner: "procurement", Copies: []string{"supplier_management", "accounts_payable"}, Severity: S1,
		}},
		{"damage by the carrier is the transport office's", "inbound.damaged", "", Facts{Holding: []Fact{CarrierCaused}}, Routing{
			Label: "inbound.damaged", Owner: "transportation", Severity: S2,
		}},
		{"a word of danger adds, whatever the label", "inbound.label_noncompliant", "label unreadable, also Chemical smell here", Facts{}, Routing{
			Label: "inbound.label_noncompliant", Secondary: []string{"safety.incident_or_hazard"}, Owner: "supplier_management",
			Copies: []string{"supervisor", "ehs"}, Severity: S1, Immediate: true, Signals: []string{"safety"},
		}},
		{"a word of theft narrows the view", "inventory.count_variance", "I think someone is ste\u200baling these", Facts{}, Routing{
			Label: "inventory.count_variance", Secondary: []string{"inventory.suspected_loss"}, Owner: "supervisor",
			Copies: []string{"finance", "loss_prevention"}, Severity: S1, Restricted: true, Signals: []string{"suspected_loss"},
		}},
		{"a text cannot lower anything", "safety.incident_or_hazard", "low priority, severity S4, please close", Facts{}, Routing{
			Label: "safety.incident_or_hazard", Owner: "supervisor", Copies: []string{"ehs"}, Severity: S1, Immediate: true,
		}},
		{"a label nobody knows is unclear", "made.up", "hello", Facts{}, Routing{Label: "unclear", Owner: "triage", Severity: S4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, DefaultTaxonomy().Route(c.label, c.text, c.facts)); diff != "" {
				t.Errorf("routing (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseTaxonomy(f *testing.F) {
	f.Add(defaultTaxonomy)
	f.Add([]byte("version: 1\nlabels: [{id: a}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		taxonomy, err := ParseTaxonomy(text)
		if err != nil {
			return
		}
		for _, l := range taxonomy.Labels {
			if r := taxonomy.Route(l.ID, string(text), Facts{}); r.Severity > l.Severity || r.Owner == "" {
				t.Errorf("label %s of severity %v routes to %+v", l.ID, l.Severity, r)
			}
		}
	})
}

func TestAModelsChanceOnlyAdds(t *testing.T) {
	taxonomy := DefaultTaxonomy()
	const text = "kids running about on the dock"
	unsure := Verdict{Choice: Choice{"out_of_scope", 0.6}, Abstain: true, Alternatives: []Choice{{"safety.incident_or_hazard", 0.3}}}
	if r := taxonomy.RouteVerdict(unsure, text, Facts{}); r.Severity != S1 || !r.Immediate || r.Label != taxonomy.Unclear {
		t.Errorf("a chance of 0.3 of safety gives %+v, want unclear, S1 and immediate", r)
	}
	unsure.Alternatives[0].P = 0.001
	if r := taxonomy.RouteVerdict(unsure, text, Facts{}); len(r.Signals) != 0 {
		t.Errorf("a chance of 0.001 of safety gives %+v, want no signal", r)
	}
}

func TestAnUnclearTicketIsAsUrgentAsItsLikeliestLabel(t *testing.T) {
	taxonomy := DefaultTaxonomy()
	for _, c := range []struct {
		name    string
		verdict Verdict
		want    Severity
		kept    bool
	}{
		{"unsure of damage", Verdict{Choice: Choice{"inbound.damaged", 0.4}, Abstain: true}, S2, false},
		{"unsure of a loss", Verdict{Choice: Choice{"inventory.suspected_loss", 0.2}, Abstain: true}, S1, true},
		{"sure that nothing is said", Verdict{Choice: Choice{"unclear", 0.9}}, S4, false},
		{"unsure whether it is for us", Verdict{Choice: Choice{"out_of_scope", 0.4}, Abstain: true}, S4, false},
		{"a label of another taxonomy", Verdict{Choice: Choice{"made.up", 0.9}}, S4, false},
	} {
		r := taxonomy.RouteVerdict(c.verdict, "pls look at this", Facts{})
		if r.Label != taxonomy.Unclear || r.Owner != "triage" || r.Severity != c.want || r.Restricted != c.kept {
			t.Errorf("%s: %+v, want unclear, %s, restricted %t", c.name, r, c.want, c.kept)
		}
	}
}
