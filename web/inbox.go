package web

import (
	"errors"
	"fmt"
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
	Together       bool // some can be approved together
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
	State                   string
	Value, Due, Needs       string
	Late                    bool
	Mine                    bool // given to the viewer
	Can                     bool
	Why                     string // not
	Box                     string // value of its checkbox: step and binding
	Unopened                bool   // would have one, once it was looked at
}

// answer says what came of one of several approvals.
type answer struct {
	ID, Title, Text string
	Done            bool
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
	query := r.URL.Query()
	p := &inboxPage{Show: "mine", NoRole: len(v.person.Grants) == 0}
	for _, t := range tabs {
		if t.Name == query.Get("show") {
			p.Show = t.Name
		}
	}
	f := store.StepFilter{Kind: guardrails.Kind(query.Get("action"))}
	if !f.Kind.Valid() {
		f.Kind = ""
	}
	sites, err := s.db.Sites(r.Context())
	if err != nil {
		return nil, err
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
	steps, err := s.db.InboxSteps(r.Context(), store.Viewer{Person: v.Person}, f, readStepCursor(query), perPage+1)
	if err != nil {
		return nil, err
	}
	if len(steps) > perPage {
		steps = steps[:perPage]
		last := &steps[perPage-1]
		p.Next = inboxAddress(p.Show, f, store.StepCursor{ExpiresAt: last.ExpiresAt, ID: last.ID})
	}
	return p, s.addInboxRows(r, p, v, steps)
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
	ids := make([]guardrails.StepID, len(steps))
	for i := range steps {
		ids[i] = steps[i].ID
	}
	opened, err := s.db.Opened(r.Context(), v.Person, ids)
	if err != nil {
		return err
	}
	for i := range steps {
		row := s.inboxRowOf(&steps[i], v)
		if steps[i].State == guardrails.Pending {
			row.Can = refusals[i] == nil
			if !row.Can {
				row.Why = sentence(refusals[i].Detail)
			}
		} else if steps[i].Reason != "" {
			row.Why = sentence(steps[i].Reason)
		}
		if r := &steps[i].Requirement; row.Can && r.Humans() == 1 && r.Auth == guardrails.Session && steps[i].Value <= guardrails.MaxBulkMinor {
			row.Unopened = !opened[ids[i]]
			if opened[ids[i]] {
				row.Box, p.Together = string(ids[i])+" "+steps[i].Binding.String(), true
			}
		}
		p.Rows = append(p.Rows, row)
	}
	return nil
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

// approveTogether approves what was ticked, each by itself, and answers for each.
func (s *server) approveTogether(w http.ResponseWriter, r *http.Request, v *viewer) {
	var approvals []store.Approval
	if err := r.ParseForm(); err != nil {
		s.render(w, r, http.StatusBadRequest, "message", say("This form could not be read", "Open the steps again and try once more.").to("/steps", "Open the steps"))
		return
	}
	for _, box := range r.PostForm["step"] {
		id, binding, _ := strings.Cut(box, " ")
		hash, err := guardrails.ParseHash(binding)
		if err != nil || isBadText(id) {
			s.render(w, r, http.StatusBadRequest, "message", say("This form could not be read", "Open the steps again and try once more.").to("/steps", "Open the steps"))
			return
		}
		approvals = append(approvals, store.Approval{Step: guardrails.StepID(id), Binding: hash})
	}
	answers, n, err := s.answersTogether(r, v, approvals)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.readInbox(r, v)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Answers, p.Notice = answers, n
	s.render(w, r, http.StatusOK, "steps", p)
}

func (s *server) answersTogether(r *http.Request, v *viewer, approvals []store.Approval) ([]answer, *notice, error) {
	ids := make([]guardrails.StepID, len(approvals))
	for i, a := range approvals {
		ids[i] = a.Step
	}
	steps, err := s.db.StepsByID(r.Context(), store.Viewer{Person: v.Person}, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		if step, ok := steps[id]; !ok || !v.person.Sees(step.Site) {
			return nil, &notice{Title: "Nothing was approved", Text: "One of the steps is not there, or is at a site where you have no role."}, nil
		}
	}
	results, err := s.db.ApproveTogether(r.Context(), v.By(), approvals)
	if refusal, ok := errors.AsType[*guardrails.Refusal](err); ok {
		return nil, &notice{Title: "Nothing was approved", Text: sentence(refusal.Detail)}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var answers []answer
	done := 0
	for i, id := range ids {
		step := steps[id]
		a := answer{ID: string(id), Title: titleOf(&step), Text: "Approved.", Done: results[i] == nil}
		refusal, isRefusal := errors.AsType[*guardrails.Refusal](results[i])
		switch {
		case a.Done:
			done++
		case isRefusal:
			a.Text = sentence(refusal.Detail)
		default:
			a.Text = "It could not be done now. Try it again."
		}
		answers = append(answers, a)
	}
	return answers, &notice{Title: fmt.Sprintf("%d of %d approved", done, len(answers)), Calm: done == len(answers)}, nil
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
