package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/triage"
)

// ticketPage is everything about one ticket.
type ticketPage struct {
	frame
	ID, Title, Site, Status, Text string
	Notice                        *notice
	Open, Can                     bool
	Received, Reporter            string
	Label, LabelID, By, Why, Sure string
	Unclear, Human                bool
	Seen                          int
	Guesses                       []guess
	Labels                        []choice
	Severity, Urgency, Owner      string
	Restricted, Immediate         bool
	Routing                       []pair
	Refs                          []pair
	Entities                      []named
	Similar, Duplicates           []alike
	Merged                        []string
	MergedInto, Resolution        string
	Step, StepState               string
	Asks                          []asked
	Waiting                       bool
	History                       []entry
	Next                          string
}

// Heading names the page.
func (p *ticketPage) Heading() string { return "Ticket: " + p.Title }

// guess is another label that one key gives.
type guess struct{ Key, ID, Name, Sure, Means string }

type named struct {
	Kind, Value string
	Verified    bool
}

// alike is a ticket that this one is like.
type alike struct{ ID, Label, How, When, Resolution string }

// asked is what left the building, and what came back.
type asked struct {
	When, Sent, Came string
	Nothing          bool // left: it was not sent
	Facts            []pair
}

func (s *server) ticket(w http.ResponseWriter, r *http.Request, v *viewer) {
	t, ok := s.readTicket(w, r, v)
	if ok {
		s.showTicket(w, r, v, t, http.StatusOK, ticketNotice(r.URL.Query().Get("did"), t))
	}
}

// readTicket reads the ticket of the address, or answers that there is none. One
// that the viewer may not read is none.
func (s *server) readTicket(w http.ResponseWriter, r *http.Request, v *viewer) (*store.TicketView, bool) {
	id := r.PathValue("id")
	if isBadText(id) {
		id = ""
	}
	t, err := s.db.TicketView(r.Context(), store.TicketID(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && !t.ReadableBy(&v.person.Person) {
		s.render(w, r, http.StatusNotFound, "message", say("There is no such ticket",
			"It is not there, it is at a site where you have no role, or only its owner may read it.").to("/tickets", "Open the tickets"))
		return nil, false
	}
	if err != nil {
		s.fail(w, r, err)
		return nil, false
	}
	return &t, true
}

func ticketNotice(did string, t *store.TicketView) *notice {
	n := &notice{Calm: true}
	switch did {
	case "label":
		n.Title, n.Text = "You said what it is", "It is proposed to go to "+teamWord(t.Current.Routing.Owner)+"; somebody else approves that."
	case "resolve":
		n.Title, n.Text = "It is resolved", "Later tickets like it show what you wrote."
	case "merge":
		n.Title, n.Text = "It is merged", "Work goes on at the other ticket."
	case "reopen":
		n.Title, n.Text = "It is open again", ""
	default:
		return nil
	}
	return n
}

func (s *server) showTicket(w http.ResponseWriter, r *http.Request, v *viewer, t *store.TicketView, status int, n *notice) {
	next, err := s.nextTicket(r, v, &t.Ticket)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := s.ticketPage(t, v, s.zoneOf(r, t.Site))
	p.Notice, p.Next = n, next
	s.render(w, r, status, "ticket", p)
}

func (s *server) ticketPage(t *store.TicketView, v *viewer, zone *time.Location) *ticketPage {
	l := &t.Current
	routing := &l.Routing
	p := &ticketPage{
		ID: string(t.ID), Title: firstWords(t.Text), Site: string(t.Site), Status: string(t.Status), Text: strings.ToValidUTF8(t.Text, "�"),
		Open: t.Status == store.TicketOpen, Can: t.ChangeableBy(&v.person.Person), Received: moment(t.ReceivedAt, zone), Reporter: t.Reporter,
		Label: s.labelName(l.Label), LabelID: l.Label, By: whoLabelled(l, t.Names), Why: sentence(l.Why), Unclear: l.Label == s.taxonomy.Unclear, Human: l.Path == store.ByHuman, Seen: l.Seq,
		Severity: routing.Severity.String(), Urgency: urgency(routing.Severity), Owner: teamWord(routing.Owner),
		Restricted: routing.Restricted, Immediate: routing.Immediate, MergedInto: string(t.MergedInto), Resolution: t.Resolution,
		Step: string(l.Step), StepState: stateWord(t.StepState), Waiting: t.Asking == store.ToBeAsked,
	}
	if l.Confidence != nil {
		p.Sure = fmt.Sprintf("%.0f\u00a0%%", 100**l.Confidence)
	}
	p.addGuesses(s, l)
	p.addRouting(s, t)
	p.addFinds(t)
	for i := range t.Similar {
		p.addAlike(s, &t.Similar[i], zone)
	}
	for _, m := range t.Merged {
		p.Merged = append(p.Merged, string(m))
	}
	for i := range t.Asks {
		p.Asks = append(p.Asks, s.askedOf(&t.Asks[i], zone))
	}
	p.addTicketHistory(s, t, zone)
	return p
}

func whoLabelled(l *store.TicketLabel, names map[guardrails.PersonID]string) string {
	if l.Path == store.ByHuman {
		return names[l.Person]
	}
	return pathWord(l.Path)
}

const maxKeys = 9

func (p *ticketPage) addGuesses(s *server, l *store.TicketLabel) {
	for _, g := range l.Alternatives {
		label, known := s.taxonomy.Label(g.Label)
		if !known || g.Label == l.Label || len(p.Guesses) == maxKeys || len(p.Guesses) >= 5 && g.P < 0.02 {
			continue
		}
		p.Guesses = append(p.Guesses, guess{strconv.Itoa(len(p.Guesses) + 1), g.Label, label.Name, percent(g.P), label.Definition})
	}
	for _, label := range s.taxonomy.Labels {
		p.Labels = append(p.Labels, choice{label.ID, label.Name, label.ID == l.Label})
	}
}

func percent(p float64) string {
	if p < 0.01 {
		return "under 1\u00a0%"
	}
	return fmt.Sprintf("%.0f\u00a0%%", 100*p)
}

func (p *ticketPage) addRouting(s *server, t *store.TicketView) {
	r := &t.Current.Routing
	add := func(name string, values []string) {
		if len(values) > 0 {
			p.Routing = append(p.Routing, pair{name, spaced(strings.Join(values, ", "))})
		}
	}
	add("copies", r.Copies)
	var also []string
	for _, id := range r.Secondary {
		also = append(also, s.labelName(id))
	}
	add("words also say", also)
	add("word rules met", r.Signals)
	var facts []string
	for _, f := range t.Current.Facts {
		facts = append(facts, string(f))
	}
	add("facts that raise it", facts)
}

// addFinds lists what the sender says it is about, and what the text names.
func (p *ticketPage) addFinds(t *store.TicketView) {
	for _, x := range []pair{
		{"load", t.Refs.Load}, {"order", t.Refs.Order}, {"SKU", t.Refs.SKU}, {"location", t.Refs.Location}, {"lot", t.Refs.Lot}, {"supplier", t.Refs.Supplier},
	} {
		if x.Value != "" {
			p.Refs = append(p.Refs, x)
		}
	}
	for _, e := range t.Entities {
		value := e.Value
		if e.Kind == triage.Quantity {
			value += " " + e.Unit
		}
		p.Entities = append(p.Entities, named{strings.ToUpper(string(e.Kind)), value, e.Verified})
	}
}

// addAlike leaves restricted tickets out: whoever reads this one need not be
// allowed to read those.
func (p *ticketPage) addAlike(s *server, x *store.SimilarTicket, zone *time.Location) {
	if x.Restricted {
		return
	}
	a := alike{string(x.ID), s.labelName(x.Label), fmt.Sprintf("%.0f\u00a0%% alike", 100*x.Similarity), moment(x.ReceivedAt, zone), x.Resolution}
	if x.Duplicate() {
		p.Duplicates = append(p.Duplicates, a)
	} else if x.Status == store.TicketResolved {
		p.Similar = append(p.Similar, a)
	}
}

// unsent are the reasons for which nothing left.
var unsent = map[string]string{
	"budget": "the budget of the day does not cover another request", "breaker_open": "the server failed lately and is left alone",
	"prompt": "the question could not be put", "not_reserved": "the budget could not be asked",
}

func (s *server) askedOf(a *store.TicketAsk, zone *time.Location) asked {
	out := asked{When: moment(a.AskedAt, zone), Sent: a.Sent}
	why, kept := unsent[a.Reason]
	switch {
	case a.Reason == "":
		out.Came = "It is being asked."
	case kept:
		out.Nothing, out.Came = true, "Nothing was sent: "+why+"."
	case a.Reason != store.Answered:
		out.Came = "No usable answer: " + spaced(a.Reason) + "."
	case a.Label == "":
		out.Came = "It found none of the likely labels to fit."
	default:
		out.Came = "It said " + s.labelName(a.Label) + "."
	}
	if a.Reason == store.Answered {
		out.Facts = append(out.Facts, pair{"because of the words", "“" + a.Evidence + "”"}, pair{"model", a.Model})
		if a.Score != nil {
			out.Facts = append(out.Facts, pair{"score with everything known", fmt.Sprintf("%.2f", *a.Score)})
		}
		if a.Tokens > 0 {
			out.Facts = append(out.Facts, pair{"tokens", strconv.FormatInt(a.Tokens, 10)})
		}
	}
	out.Facts = append(out.Facts, pair{"personal data taken out", strconv.Itoa(a.Replaced)}, pair{"labelled tickets sent along, redacted", strconv.Itoa(len(a.Examples))})
	return out
}

func (p *ticketPage) addTicketHistory(s *server, t *store.TicketView, zone *time.Location) {
	events := t.Events
	words := map[string]string{"took_in": "took in", "llm_gave_up": "the language model was of no use"}
	note := func(e *store.TicketEvent) {
		out := entry{When: moment(e.At, zone), What: e.Kind, Who: t.Names[e.Person], Detail: e.Detail}
		if w := words[e.Kind]; w != "" {
			out.What = w
		}
		if e.Kind == "llm_gave_up" {
			out.Detail = spaced(out.Detail)
		}
		if e.Other != "" {
			out.Detail = string(e.Other)
		}
		p.History = append(p.History, out)
	}
	for i := range t.Labels {
		l := &t.Labels[i]
		for len(events) > 0 && events[0].At.Before(l.CreatedAt) {
			note(&events[0])
			events = events[1:]
		}
		p.History = append(p.History, entry{
			When: moment(l.CreatedAt, zone), Who: whoLabelled(l, t.Names), What: s.labelName(l.Label),
			Detail: l.Why + "; " + l.Routing.Severity.String() + ", to " + teamWord(l.Routing.Owner),
		})
	}
	for i := range events {
		note(&events[i])
	}
}
