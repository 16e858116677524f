package web_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// A real browser sends the ticks of the group whose button is pressed, and can
// load the answers again.
func TestTogetherInABrowser(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1", "DC-2")
	s.person("anna", "DC-1", "DC-2")
	steps := []store.Step{
		s.ask("DC-1", &guardrails.RouteTicket{Ticket: "T-1", Team: "receiving"}),
		s.ask("DC-1", &guardrails.RouteTicket{Ticket: "T-2", Team: "receiving"}),
		s.ask("DC-2", &guardrails.RouteTicket{Ticket: "T-3", Team: "receiving"}),
	}
	s.ask("DC-1", &guardrails.SupplierChargeback{Supplier: "ACME", Order: "PO-7", Load: "L-9", Amount: warehouse.Money{Minor: 123_456, Currency: "USD"}, Reason: "short by 12"})
	anna := tabsOf(s).enter("anna")
	for _, step := range steps {
		anna.open("/steps/" + string(step.ID))
	}
	anna.open("/steps")
	anna.reads("groups", "Approve what is ticked: Route ticket at DC-1", "Approve what is ticked: Route ticket at DC-2")
	for _, step := range steps {
		anna.run(chromedp.Click(chromedp.CSS("input[value^='" + string(step.ID) + "']")))
	}
	form := "#together-1"
	if steps[0].ExpiresAt.After(steps[2].ExpiresAt) {
		form = "#together-2"
	}
	anna.click(form + " button")
	for range 2 {
		anna.reads("together", "2 of 2 approved", "Give ticket T-1 to receiving: Approved.", "Give ticket T-3 to receiving")
		anna.run(chromedp.Reload())
	}
}
