package triage

import (
	"testing"

	"tallyman/fixtures"
)

// The oracle: what the ticket gets without the attack. Nothing a text says may
// lower its severity or change who owns a label, and hardly anything may move
// it to the label it asks for.
func TestAttacksInATicket(t *testing.T) {
	taxonomy, model := DefaultTaxonomy(), DefaultModel()
	attacks, moved := 0, 0
	for _, carrier := range fixtures.AttackCarriers {
		before := taxonomy.Settle(model.Classify(carrier)).Label
		for _, attack := range fixtures.TicketAttacks() {
			if attack.Wants == before {
				continue // nothing to move
			}
			text := carrier + " " + attack.Text
			attacks++
			moved += one(taxonomy.Settle(model.Classify(text)).Label == attack.Wants)
			plain, attacked := taxonomy.Route(before, carrier, Facts{}), taxonomy.Route(before, text, Facts{})
			if attacked.Severity > plain.Severity || attacked.Owner != plain.Owner || plain.Restricted && !attacked.Restricted {
				t.Errorf("%q: %+v became %+v", attack.Text, plain, attacked)
			}
		}
	}
	if attacks < 1400 || float64(moved) > 0.02*float64(attacks) {
		t.Errorf("%d of %d attacks moved a ticket to the label they ask for, want at most 2 %%", moved, attacks)
	}
	t.Logf("%d of %d moved", moved, attacks)
}
