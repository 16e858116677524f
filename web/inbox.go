package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// inboxPage lists steps.
type inboxPage struct {
	frame
	Tabs           []tab
	Sites, Actions []choice
	Show           string // name of the chosen tab
	Rows           []inboxRow
	Groups         []group
	This           string // address of this very page
	Next           string
	Filtered       bool
	NoRole         bool
	Notice         *notice
	Answers        []answer
}

// Heading names the page.
func (p *inboxPage) Heading() string { return "Steps" }

type tab struct {
	Name, Label, Link string
	Chosen            bool
}

// inboxRow is one step in words.
type inboxRow struct {
	ID, Title, Site, Action string
	Quote                   string // of the ticket that it is about
	State                   string
	Value, Due, Needs       string
	Late                    bool
	Mine                    bool // given to the viewer
	Can                     bool
	For                     string // whom for the viewer could approve it, "" for nobody
	Why                     string // not
	Box                     string // value of its checkbox: step and binding
	Group                   string // that its checkbox is of
	Unopened                bool   // would have one, once it was looked at
}

var tabs = []tab{{Name: "mine", Label: "Waiting for me"}, {Name: "open", Label: "All open"}, {Name: "done", Label: "Done"}}

func (s *server) inbox(w http.ResponseWriter, r *http.Request, v *viewer) {
	p, err := s.readInbox(r, v)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if n, err := s.db.WaitingReviews(r.Context(), v.By()); err == nil && n > 0 {
		p.Notice = &notice{Title: "The glass was broken", Text: "Somebody approved alone in an emergency, and you can review it.", Link: "/glass", Go: "Review it"}
	}
	s.render(w, r, http.StatusOK, "steps", p)
}

func (s *server) readInbox(r *http.Request, v *viewer) (*inboxPage, error) {
	p := &inboxPage{Show: "mine", NoRole: len(v.person.Grants) == 0}
	f, err := s.readInboxFilter(r, v, p)
	if err != nil {
		return nil, err
	}
	after := readStepCursor(r.URL.Query())
	p.This = inboxAddress(p.Show, f, after)
	steps, err := s.db.InboxSteps(r.Context(), store.Viewer{Person: v.Person}, f, after, perPage+1)
	if err != nil {
		return nil, err
	}
	if len(steps) > perPage {
		steps = steps[:perPage]
		last := &steps[perPage-1]
		p.Next = inboxAddress(p.Show, f, store.StepCursor{ExpiresAt: last.ExpiresAt, ID: last.ID})
	}
	if err := s.addAnswers(r, p, v); err != nil {
		return nil, err
	}
	return p, s.addInboxRows(r, p, v, steps)
}

// readInboxFilter reads what to show, and fills the page with what could be chosen.
func (s *server) readInboxFilter(r *http.Request, v *viewer, p *inboxPage) (f store.StepFilter, err error) {
	query := r.URL.Query()
	if k := guardrails.Kind(query.Get("action")); k.Valid() {
		f.Kind = k
	}
	sites, err := s.db.Sites(r.Context())
	if err != nil {
		return f, err
	}
	sites = slices.DeleteFunc(sites, func(x store.Site) bool { return !v.person.Sees(x.Code) })
	for _, x := range sites {
		chosen := string(x.Code) == query.Get("site")
		if chosen {
			f.Site = x.Code
		}
		p.Sites = append(p.Sites, choice{string(x.Code), x.Name, chosen})
	}
	for _, k := range guardrails.Kinds {
		p.Actions = append(p.Actions, choice{string(k), actionWord(k), k == f.Kind})
	}
	p.Filtered = f.Site != "" || f.Kind != ""
	for _, t := range tabs {
		if t.Name == query.Get("show") {
			p.Show = t.Name
		}
	}
	for _, t := range tabs {
		t.Chosen, t.Link = t.Name == p.Show, inboxAddress(t.Name, f, store.StepCursor{})
		p.Tabs = append(p.Tabs, t)
	}
	switch p.Show {
	case "mine":
		f.Waiting = v.Person
	case "open":
		f.Live = true
	default:
		f.Done = true
	}
	return f, nil
}

func readStepCursor(query url.Values) store.StepCursor {
	at, id, _ := strings.Cut(query.Get("after"), " ")
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || isBadText(id) {
		return store.StepCursor{} // anything else is the first page
	}
	return store.StepCursor{ExpiresAt: t, ID: guardrails.StepID(id)}
}

func inboxAddress(show string, f store.StepFilter, after store.StepCursor) string {
	q := url.Values{"show": {show}}
	if f.Site != "" {
		q.Set("site", string(f.Site))
	}
	if f.Kind != "" {
		q.Set("action", string(f.Kind))
	}
	if after.ID != "" {
		q.Set("after", after.ExpiresAt.UTC().Format(time.RFC3339Nano)+" "+string(after.ID))
	}
	return "/steps?" + q.Encode()
}

func (s *server) addInboxRows(r *http.Request, p *inboxPage, v *viewer, steps []store.Step) error {
	refusals, err := s.db.TryApprovals(r.Context(), v.By(), steps)
	if err != nil {
		return err
	}
	others, err := s.db.TryDelegated(r.Context(), v.By(), steps)
	if err != nil {
		return err
	}
	tickets, err := s.ticketsOf(r, v, steps)
	if err != nil {
		return err
	}
	for i := range steps {
		row := s.inboxRowOf(&steps[i], v)
		row.Quote = tickets.quote(&steps[i])
		other, forOther := others[steps[i].ID]
		switch {
		case steps[i].State != guardrails.Pending:
			row.Why = sentence(steps[i].Reason)
		case refusals[i] == nil:
			row.Can = true
		case forOther:
			row.For = other.Name
		default:
			row.Why = sentence(refusals[i].Detail)
		}
		p.Rows = append(p.Rows, row)
	}
	return s.addBoxes(r, p, v, steps)
}

// subjects are the tickets that steps are about and the viewer may read.
type subjects map[store.TicketID]store.Ticket

func (s *server) ticketsOf(r *http.Request, v *viewer, steps []store.Step) (subjects, error) {
	var ids []store.TicketID
	for i := range steps {
		if steps[i].Kind == guardrails.KindRouteTicket {
			ids = append(ids, store.TicketID(steps[i].Subject[0]))
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return s.db.ReadableTickets(r.Context(), &v.person.Person, ids)
}

// quote is the beginning of the ticket that a step is about, or nothing.
func (t subjects) quote(step *store.Step) string {
	if step.Kind != guardrails.KindRouteTicket {
		return ""
	}
	return firstWords(t[store.TicketID(step.Subject[0])].Text)
}

func (s *server) inboxRowOf(step *store.Step, v *viewer) inboxRow {
	row := inboxRow{
		ID: string(step.ID), Title: titleOf(step), Site: siteWord(step.Site), Action: actionWord(step.Kind), State: stateWord(step.State),
		Value: amount(step.Value, step.Currency), Needs: needs(step.Requirement, 0), Mine: step.Assignee == v.Person,
	}
	switch step.State {
	case guardrails.Blocked, guardrails.Pending, guardrails.ChangesRequested:
		row.Due, row.Late = left(step.ExpiresAt, s.clock()), step.ExpiresAt.Sub(s.clock()) < 2*time.Hour
	case guardrails.Approved, guardrails.Executing, guardrails.Unknown, guardrails.Failed, guardrails.Compensating, guardrails.CompensationFailed,
		guardrails.Succeeded, guardrails.Compensated, guardrails.Rejected, guardrails.Withdrawn, guardrails.Expired, guardrails.Superseded, guardrails.Invalidated:
	}
	if step.Value == 0 {
		row.Value = ""
	}
	return row
}

// zoneOf is the time zone of a site.
func (s *server) zoneOf(r *http.Request, code warehouse.Site) *time.Location {
	sites, err := s.db.Sites(r.Context())
	if err != nil {
		return time.UTC
	}
	for _, x := range sites {
		if zone, err := time.LoadLocation(x.TimeZone); err == nil && x.Code == code {
			return zone
		}
	}
	return time.UTC
}
