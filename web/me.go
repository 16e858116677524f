package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// mePage says what the viewer may do, and who may do it for them.
type mePage struct {
	frame
	Notice      *notice
	Login       string
	Roles       []myRole
	Refs        string
	Given, Got  []myDelegation
	To          []choice
	Actions     []choice
	First, Last string // dates a delegation may begin and end
}

// Heading names the page.
func (p *mePage) Heading() string { return "You" }

type myRole struct{ Role, Site, Limit, Daily string }

type myDelegation struct{ ID, Who, What, Sites, Until string }

func (s *server) me(w http.ResponseWriter, r *http.Request, v *viewer) {
	s.showMe(w, r, v, http.StatusOK, nil)
}

func (s *server) showMe(w http.ResponseWriter, r *http.Request, v *viewer, status int, n *notice) {
	p := &mePage{Notice: n, Login: v.Login, Refs: "not known: nobody has said which users of other systems you are, so that you cannot approve what follows from a count or a receipt"}
	if v.person.RefsKnown {
		p.Refs = strings.Join(v.person.Refs, ", ")
		if p.Refs == "" {
			p.Refs = "none"
		}
	}
	for _, g := range v.person.Grants {
		p.Roles = append(p.Roles, myRole{strings.ReplaceAll(string(g.Role), "_", " "), siteWord(g.Site), limitWord(g.Limit), limitWord(g.Daily)})
	}
	now := s.clock().In(s.zoneOfViewer(r, v))
	p.First, p.Last = now.Format(time.DateOnly), now.Add(guardrails.MaxDelegation).AddDate(0, 0, -1).Format(time.DateOnly)
	for _, k := range guardrails.Kinds {
		if k != guardrails.KindChangePolicy {
			p.Actions = append(p.Actions, choice{string(k), actionWord(k), false})
		}
	}
	if err := s.addDelegations(r, p, v); err != nil {
		s.fail(w, r, err)
		return
	}
	s.render(w, r, status, "me", p)
}

func (s *server) addDelegations(r *http.Request, p *mePage, v *viewer) error {
	list, err := s.db.Delegations(r.Context(), v.Person)
	if err != nil {
		return err
	}
	zone := s.zoneOfViewer(r, v)
	for _, d := range list {
		var kinds, sites []string
		for _, k := range d.Kinds {
			kinds = append(kinds, actionWord(k))
		}
		for _, site := range d.Sites {
			sites = append(sites, siteWord(site))
		}
		out := myDelegation{
			strconv.FormatInt(d.ID, 10), d.ToName, strings.Join(kinds, ", "), strings.Join(sites, ", "),
			moment(d.Begin, zone) + " to " + moment(d.End, zone),
		}
		if d.From == v.Person {
			p.Given = append(p.Given, out)
		} else {
			out.Who = d.FromName
			p.Got = append(p.Got, out)
		}
	}
	people, err := s.db.Persons(r.Context())
	for i := range people {
		if x := &people[i]; x.ID != v.Person && x.Active && len(x.Grants) > 0 {
			p.To = append(p.To, choice{strconv.FormatInt(int64(x.ID), 10), x.Name, false})
		}
	}
	return err
}

func siteWord(site warehouse.Site) string {
	if site == guardrails.Everywhere {
		return "every site"
	}
	return string(site)
}

func limitWord(l guardrails.Limit) string {
	if l.Unlimited {
		return "without limit"
	}
	return exact(warehouse.Money{Minor: l.Minor})
}

// zoneOfViewer is the time zone of the sites where the viewer has a role, UTC where
// they differ.
func (s *server) zoneOfViewer(r *http.Request, v *viewer) *time.Location {
	sites, err := s.db.Sites(r.Context())
	if err != nil {
		return time.UTC
	}
	name := ""
	for _, x := range sites {
		switch {
		case !v.person.Sees(x.Code):
		case name == "":
			name = x.TimeZone
		case name != x.TimeZone:
			return time.UTC
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// delegate lets another decide for the viewer between two dates, which are days of
// their sites.
func (s *server) delegate(w http.ResponseWriter, r *http.Request, v *viewer) {
	to, err := strconv.ParseInt(r.PostFormValue("to"), 10, 64)
	zone := s.zoneOfViewer(r, v)
	begin, errBegin := time.ParseInLocation(time.DateOnly, r.PostFormValue("begin"), zone)
	last, errEnd := time.ParseInLocation(time.DateOnly, r.PostFormValue("end"), zone)
	if errors.Join(err, errBegin, errEnd) != nil {
		s.showMe(w, r, v, http.StatusUnprocessableEntity, &notice{Title: "Nothing was changed", Text: "Choose a person and two dates."})
		return
	}
	end := last.AddDate(0, 0, 1).Add(-time.Second)
	if most := begin.Add(guardrails.MaxDelegation); end.After(most) && end.Before(begin.AddDate(0, 0, 30)) {
		end = most // in 30 days with an hour more
	}
	d := guardrails.Delegation{
		From: v.Person, To: guardrails.PersonID(to), Sites: []warehouse.Site{guardrails.Everywhere}, Limit: guardrails.Limit{Unlimited: true},
		Begin: begin, End: end,
	}
	for _, k := range guardrails.Kinds {
		if k != guardrails.KindChangePolicy && slices.Contains(r.PostForm["action"], string(k)) {
			d.Kinds = append(d.Kinds, k)
		}
	}
	err = s.db.Delegate(r.Context(), store.Administrator{Person: v.Person, AuthenticatedAt: v.AuthenticatedAt}, d)
	refusal, refused := errors.AsType[*guardrails.Refusal](err)
	switch {
	case refused:
		s.showMe(w, r, v, http.StatusConflict, &notice{Title: "Sign in again first", Text: sentence(refusal.Detail), Link: "/signin?again=1&next=/me", Go: "Sign in again"})
	case errors.Is(err, store.ErrDelegation), errors.Is(err, store.ErrNotFound):
		s.showMe(w, r, v, http.StatusUnprocessableEntity, &notice{
			Title: "Nothing was changed",
			Text:  "A delegation needs somebody else, at least one action, and dates of which the last is at most 30 days after the first.",
		})
	case err != nil:
		s.fail(w, r, err)
	default:
		http.Redirect(w, r, "/me", http.StatusSeeOther)
	}
}

func (s *server) endDelegation(w http.ResponseWriter, r *http.Request, v *viewer) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err == nil {
		err = s.db.RevokeDelegation(r.Context(), store.Administrator{Person: v.Person}, id)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/me", http.StatusSeeOther)
}
