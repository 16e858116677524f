package web_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tallyman/store"
)

func TestTicketsInABrowser(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	s.person("anna", "DC-1")
	s.role("tom", "transportation", "DC-1")
	b := tabsOf(s)
	anna, tom := b.enter("anna"), b.enter("tom")
	anna.open("/tickets")
	anna.reads("tickets-empty", "No ticket is open", "POST /v1/tickets")

	s.file("DC-1", shortText)
	twin := s.file("DC-1", shortText+" again")
	hurt := s.file("DC-1", "Forklift hit a picker in aisle 7, he is bleeding. SSCC 006141411234567890, 3 ctns on the floor")
	vague := s.file("DC-1", vagueText)
	anna.open("/tickets")
	anna.reads("tickets", "Forklift hit a picker", "S1", "Unclear")
	anna.open("/tickets?owner=nobody")
	anna.reads("tickets-filtered", "No ticket with this filter")
	anna.open("/tickets/" + string(hurt))
	anna.reads("ticket-urgent", "Call somebody now.", "006141411234567890", "known")

	anna.open("/tickets/" + string(vague))
	anna.reads("ticket", "What was written", "One key says what it is", "What left the building")
	anna.key("1")
	anna.reads("ticket-corrected", "You said what it is.", "by Anna")
	if got := s.ticket(vague).Current; got.Path != store.ByHuman || got.Seq != 2 {
		t.Errorf("after one key the label is %s by %s", got.Label, got.Path)
	}
	// Keys written into a field press nothing.
	anna.run(chromedp.SendKeys(chromedp.CSS("#resolution"), "1 carton came later y"))
	if got := s.ticket(vague).Current; got.Seq != 2 {
		t.Errorf("a key in a field gave label %d", got.Seq)
	}
	anna.click("#close + form button.primary")
	anna.reads("ticket-resolved", "It is resolved.", "1 carton came later y")

	anna.open("/tickets/" + string(twin))
	anna.reads("ticket-twin", "May be the same event")
	anna.click("form[action$='/merge'] button.small")
	anna.reads("ticket-merged", "It is merged.", "Work goes on there")

	tom.open("/tickets/" + string(hurt))
	tom.reads("ticket-reader", "can change this ticket")
	tom.open("/tickets/tkt_none")
	tom.reads("ticket-none", "There is no such ticket")
}

// key presses a key that loads another page.
func (v *visitor) key(k string) {
	v.t.Helper()
	if _, err := chromedp.RunResponse(v.ctx, chromedp.KeyEvent(k)); err != nil {
		v.t.Fatalf("%s: key %s: %v", v.name, k, err)
	}
}

// The pages are sound at the width of a desk and of a phone, light and dark.
func TestBrowserTickets(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	s.person("anna", "DC-1")
	id := s.file("DC-1", shortText)
	s.file("DC-1", "Forklift hit a picker in aisle 7, he is bleeding")
	s.file("DC-1", vagueText+" Wareneingangsprüfungsprotokollnummernverzeichnis12345678901234567890")
	token := s.signIn("anna").cookies["tallyman"]
	b := s.open(screens[0])
	(&visitor{tabs: &tabs{site: s, url: b.server.URL}, ctx: b.ctx}).setToken(token)
	for _, on := range screens {
		b.turn(on)
		b.look("tickets", "/tickets", "Forklift hit a picker")
		b.look("ticket", "/tickets/"+string(id), "What was written")
		b.look("no-match", "/tickets?owner=nobody", "No ticket with this filter")
	}
	b.turn(screens[0])
	b.look("tickets", "/tickets", "Forklift hit a picker")
	owner := eval[string](b, `document.getElementById("owner").options[1].value`)
	b.pick("owner", owner)
	b.until(`location.search.includes("owner=` + owner + `") && document.querySelectorAll(".ticket").length < 3`)
	b.do(chromedp.KeyEvent(kb.Tab))
	b.sound("filtered")
}
