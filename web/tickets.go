package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tallyman/store"
	"tallyman/triage"
)

// ticketsPage lists tickets.
type ticketsPage struct {
	frame
	Tabs          []tab
	Sites, Owners []choice
	Status        store.TicketStatus
	Rows          []ticketRow
	Next          string
	Filtered      bool
	NoRole        bool
	All           string
}

// Heading names the page.
func (p *ticketsPage) Heading() string { return "Tickets" }

// ticketRow is one ticket in words.
type ticketRow struct {
	ID, Title, Site, Label, Sure  string
	Owner, Age, Severity, Urgency string
	Unclear, Restricted, Waiting  bool
	By                            string
}

var ticketTabs = []tab{
	{Name: string(store.TicketOpen), Label: "Open"},
	{Name: string(store.TicketResolved), Label: "Resolved"},
	{Name: string(store.TicketMerged), Label: "Merged"},
}

func (s *server) tickets(w http.ResponseWriter, r *http.Request, v *viewer) {
	query := r.URL.Query()
	if slices.ContainsFunc([]string{query.Get("site"), query.Get("owner"), query.Get("after")}, isBadText) {
		s.render(w, r, http.StatusBadRequest, "message", say("This address is not valid", "Open the tickets and choose there.").to("/tickets", "Open the tickets"))
		return
	}
	p, err := s.readTickets(r, v)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "tickets", p)
}

func (s *server) readTickets(r *http.Request, v *viewer) (*ticketsPage, error) {
	query := r.URL.Query()
	p := &ticketsPage{Status: store.TicketOpen, NoRole: len(v.person.Grants) == 0, All: "/tickets"}
	for _, t := range ticketTabs {
		if t.Name == query.Get("status") {
			p.Status = store.TicketStatus(t.Name)
		}
	}
	f := store.TicketFilter{Status: p.Status, Owner: query.Get("owner"), Viewer: v.Person}
	sites, err := s.db.Sites(r.Context())
	if err != nil {
		return nil, err
	}
	for _, x := range sites {
		if !v.person.Sees(x.Code) {
			continue
		}
		chosen := string(x.Code) == query.Get("site")
		if chosen {
			f.Site = x.Code
		}
		p.Sites = append(p.Sites, choice{string(x.Code), x.Name, chosen})
	}
	owners, err := s.db.TicketOwners(r.Context(), v.Person)
	if err != nil {
		return nil, err
	}
	for _, o := range owners {
		p.Owners = append(p.Owners, choice{o.Value, fmt.Sprintf("%s (%d)", teamWord(o.Value), o.Count), o.Value == f.Owner})
	}
	if f.Owner != "" && !slices.ContainsFunc(p.Owners, func(c choice) bool { return c.Chosen }) {
		p.Owners = append(p.Owners, choice{f.Owner, teamWord(f.Owner), true}) // nothing of it is open
	}
	p.Filtered = f.Site != "" || f.Owner != ""
	for _, t := range ticketTabs {
		t.Chosen, t.Link = t.Name == string(p.Status), ticketsAddress(store.TicketStatus(t.Name), f, store.TicketCursor{})
		p.Tabs = append(p.Tabs, t)
	}
	return p, s.addTickets(r, p, f)
}

func (s *server) addTickets(r *http.Request, p *ticketsPage, f store.TicketFilter) error {
	var after store.TicketCursor
	_, _ = fmt.Sscanf(r.URL.Query().Get("after"), "%d.%d", &after.Severity, &after.N) // anything else is the first page
	found, err := s.db.Tickets(r.Context(), f, after, perPage+1)
	if err != nil {
		return err
	}
	if len(found) > perPage {
		found = found[:perPage]
		last := &found[perPage-1]
		p.Next = ticketsAddress(p.Status, f, store.TicketCursor{Severity: last.Current.Routing.Severity, N: last.N})
	}
	for i := range found {
		p.Rows = append(p.Rows, s.ticketRowOf(&found[i]))
	}
	return nil
}

func ticketsAddress(status store.TicketStatus, f store.TicketFilter, after store.TicketCursor) string {
	q := url.Values{"status": {string(status)}}
	if f.Site != "" {
		q.Set("site", string(f.Site))
	}
	if f.Owner != "" {
		q.Set("owner", f.Owner)
	}
	if after.N != 0 {
		q.Set("after", fmt.Sprintf("%d.%d", int(after.Severity), after.N))
	}
	return "/tickets?" + q.Encode()
}

func (s *server) ticketRowOf(t *store.Ticket) ticketRow {
	l := &t.Current
	row := ticketRow{
		ID: string(t.ID), Title: firstWords(t.Text), Site: string(t.Site), Label: s.labelName(l.Label), Owner: teamWord(l.Routing.Owner),
		Age: age(t.ReceivedAt, s.clock()), Severity: l.Routing.Severity.String(), Urgency: urgency(l.Routing.Severity),
		Unclear: l.Label == s.taxonomy.Unclear, Restricted: l.Routing.Restricted, Waiting: t.Asking == store.ToBeAsked, By: pathWord(l.Path),
	}
	if l.Confidence != nil {
		row.Sure = fmt.Sprintf("%.0f\u00a0%% sure", 100**l.Confidence)
	}
	return row
}

func (s *server) labelName(id string) string {
	if l, ok := s.taxonomy.Label(id); ok {
		return l.Name
	}
	return id
}

// firstWords is the beginning of a text on one line.
func firstWords(text string) string {
	const most = 140
	line := strings.Join(strings.Fields(strings.ToValidUTF8(text, "�")), " ")
	if runes := []rune(line); len(runes) > most {
		line = strings.TrimSpace(string(runes[:most])) + "…"
	}
	return line
}

func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }

// teamWord names who looks after a ticket as people write it.
func teamWord(name string) string {
	if name == "it" {
		return "IT"
	}
	return spaced(name)
}

func urgency(s triage.Severity) string {
	switch s {
	case triage.S1:
		return "now"
	case triage.S2:
		return "this shift"
	case triage.S3:
		return "within a business day"
	case triage.S4:
	}
	return "when there is time"
}

func pathWord(p store.TicketPath) string {
	switch p {
	case store.ByLLM:
		return "language model"
	case store.ByHuman:
		return "a person"
	case store.ByEmbedded:
	}
	return "the program's model"
}

// age says how long ago something came.
func age(t, now time.Time) string {
	switch d := now.Sub(t); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// nextTicket is the address of the open ticket after one in its owner's queue.
func (s *server) nextTicket(r *http.Request, v *viewer, t *store.Ticket) (string, error) {
	f := store.TicketFilter{Status: store.TicketOpen, Site: t.Site, Owner: t.Current.Routing.Owner, Viewer: v.Person}
	found, err := s.db.Tickets(r.Context(), f, store.TicketCursor{Severity: t.Current.Routing.Severity, N: t.N}, 1)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return "/tickets/" + string(found[0].ID), nil
}
