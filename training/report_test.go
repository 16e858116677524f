package training

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tallyman/features"
	"tallyman/scoring"
)

// People read what a model looks at in the words of its reasons.
func TestTheReportNamesTopics(t *testing.T) {
	zero := 0.0
	b := &Backtest{
		Subject: features.PositionSubject, Outcome: scoring.Variance, Metrics: Metrics{Brier: &zero, ECE: &zero},
		Features: []Importance{{"days_since_count", 0.4}, {"sku_rate", 0.25}, {"item_rate", 0.2}, {"attr.shelf_type", 0.15}},
	}
	want := []Topic{{"counts of this SKU", 0.45}, {"when it was counted", 0.4}, {"its shelf type", 0.15}}
	if diff := cmp.Diff(want, b.Topics(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Error(diff)
	}
	var page strings.Builder
	if err := b.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	_, looks, _ := strings.Cut(page.String(), "What it looks at")
	for _, topic := range want {
		if !strings.Contains(looks, "<td>"+topic.Name+"</td>") {
			t.Errorf("the report does not name %s", topic.Name)
		}
	}
	if strings.Contains(looks, "days_since") || strings.Contains(looks, "days since") {
		t.Error("the report names features by code")
	}
}

// Every feature has words that people can read.
func TestEveryFeatureHasATopic(t *testing.T) {
	for _, subject := range []features.Subject{features.PositionSubject, features.LoadSubject} {
		schema := features.NewSchema(subject)
		var b Backtest
		for _, name := range schema.Names() {
			b.Features = append(b.Features, Importance{name, 1})
			if topic := scoring.Topic(subject, name); topic == strings.ReplaceAll(name, "_", " ") {
				t.Errorf("%s: %s has no topic", subject, name)
			}
		}
		b.Subject = subject
		if n := len(b.Topics()); n < 10 || n >= len(b.Features) {
			t.Errorf("%s: %d topics of %d features", subject, n, len(b.Features))
		}
	}
}
