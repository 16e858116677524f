package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tallyman/audit"
	"tallyman/guardrails"
	"tallyman/store"
)

// stepPage is everything about one step.
type stepPage struct {
	frame
	ID, Title, Site, Action, State string
	Notice                         *notice
	Pending                        bool
	What, Facts                    []pair
	Sends                          []sending
	Evidence                       evidence
	Needs                          string
	Slots                          []slot
	Excluded                       string // parts whose players cannot approve
	Fresh                          bool
	Decisions                      []decided
	Deadline, Left                 string
	Binding, Short                 string
	Policy                         string
	Proposer, Assignee             string
	As                             []actAs
	Can                            rights
	Deciders                       []choice
	History                        []entry
	Earlier                        int // entries that are not shown
	Carried                        []carried
	Report                         *report // nil when nothing waits for people's word
	Reason                         string  // typed before a refusal
	Ticket, Quote                  string  // that it routes, and how it begins
}

// Heading names the page.
func (p *stepPage) Heading() string { return p.Title }

// sending is one operation of the plan.
type sending struct {
	N                    int
	To, Body, Compensate string
	Final                string // why nothing takes it back
}

// slot is what a requirement asks of one role, and who filled it.
type slot struct {
	Role   string
	By     []string
	Open   int
	Ladder []rung // who may stand in while it is open
}

// rung is a role that may stand in, and the moment from which.
type rung struct {
	Role, When string
	Due        bool
}

type decided struct{ Who, Verdict, When, Reason, Void string }

// actAs is somebody whom the viewer can decide for, the viewer first.
type actAs struct {
	ID     guardrails.PersonID // 0 for themselves
	Name   string
	Can    bool
	StepUp bool   // once they sign in again
	Why    string // not
}

// rights is what else the viewer can do to the step.
type rights struct{ Approve, Reject, Ask, Reassign, Withdraw, Glass bool }

// Any reports whether there is something to do at all.
func (r rights) Any() bool { return r.Approve || r.Reject || r.Ask || r.Withdraw }

type entry struct{ When, Who, What, Detail string }

// carried is how far an operation got.
type carried struct{ N, To, State, Detail string }

func (s *server) step(w http.ResponseWriter, r *http.Request, v *viewer) {
	view, ok := s.readStep(w, r, v)
	if !ok {
		return
	}
	if err := s.db.NoteView(r.Context(), v.Person, &view.Step); err != nil {
		s.fail(w, r, err)
		return
	}
	s.showStep(w, r, v, view, http.StatusOK, doneNotice(r.URL.Query().Get("did"), view, v.Person))
}

// readStep reads the step of the address, or answers that there is none. A step
// of a site where the viewer has no role is none.
func (s *server) readStep(w http.ResponseWriter, r *http.Request, v *viewer) (*store.StepView, bool) {
	id := r.PathValue("id")
	if isBadText(id) {
		id = ""
	}
	view, err := s.db.StepView(r.Context(), store.Viewer{Person: v.Person}, guardrails.StepID(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && !v.person.Sees(view.Site) {
		s.render(w, r, http.StatusNotFound, "message", say("There is no such step",
			"It is not there, it was replaced before anybody looked at it, or it is at a site where you have no role.").to("/steps", "Open the steps"))
		return nil, false
	}
	if err != nil {
		s.fail(w, r, err)
		return nil, false
	}
	return &view, true
}

func (s *server) showStep(w http.ResponseWriter, r *http.Request, v *viewer, view *store.StepView, status int, n *notice) {
	p, err := s.stepPage(r, v, view)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if n != nil {
		p.Notice = n
	}
	s.render(w, r, status, "step", p)
}

func (s *server) stepPage(r *http.Request, v *viewer, view *store.StepView) (*stepPage, error) {
	zone := s.zoneOf(r, view.Site)
	step := &view.Step
	p := &stepPage{
		ID: string(step.ID), Title: titleOf(step), Site: siteWord(step.Site), Action: actionWord(step.Kind), State: stateWord(step.State),
		Pending: step.State == guardrails.Pending, Evidence: evidenceOf(step), Needs: needs(step.Requirement, len(view.Standing)),
		Excluded: strings.Join((step.Requirement.Excludes | step.Kind.Excludes()).Names(), ", "), Fresh: step.Requirement.Auth == guardrails.Fresh,
		Deadline: moment(step.ExpiresAt, zone), Left: left(step.ExpiresAt, view.Now), Binding: step.Binding.String(), Short: step.Binding.Short(),
		Policy: step.Policy, Assignee: view.Names[step.Assignee], Reason: strings.ToValidUTF8(r.PostFormValue("reason"), ""),
	}
	if step.Kind == guardrails.KindRouteTicket {
		p.Ticket = step.Subject[0]
	}
	if len(p.Policy) > 8 {
		p.Policy = p.Policy[:8]
	}
	var err error
	if p.What, err = membersOf(step.PayloadBytes); err != nil {
		return nil, err
	}
	p.Facts = append([]pair{{"value that decides who must approve", amount(step.Value, step.Currency)}}, factsOf(view)...)
	for i, o := range view.Plan {
		p.Sends = append(p.Sends, sending{i + 1, targetWord(o.Target), string(o.Body), string(o.Compensate), sentence(o.Final)})
	}
	tickets, err := s.ticketsOf(r, v, []store.Step{*step})
	if err != nil {
		return nil, err
	}
	p.Quote = tickets.quote(step)
	p.addPeople(view, zone)
	p.addHistory(view, zone)
	p.Notice = standingNotice(view)
	if p.Report, err = s.reportOf(r, v, view); err != nil {
		return nil, err
	}
	return p, s.addRights(r, p, v, view)
}

func moment(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2 January 2006, 15:04 MST")
}

// standingNotice says what is special about the state, whoever looks.
func standingNotice(v *store.StepView) *notice {
	n := &notice{}
	switch v.State {
	case guardrails.Superseded:
		n.Title, n.Text = "A newer step has taken its place", "This one can no longer be decided."
	case guardrails.Expired:
		n.Title, n.Text = "It expired", "Nobody decided in time. Silence is not consent: nothing was approved, and nothing is sent."
	case guardrails.Blocked:
		n.Title, n.Text = "It is blocked", sentence("nobody can approve it as it is: "+v.Reason)
	case guardrails.Invalidated:
		n.Title, n.Text = "It was approved, and no longer held when it was to be sent", sentence(v.Reason)
	case guardrails.ChangesRequested:
		n.Title, n.Text = "It waits for a better recommendation", sentence(v.Reason)
	case guardrails.Pending:
		switch {
		case !v.Now.Before(v.ExpiresAt):
			n.Title, n.Text = "Its time is over", "It can no longer be approved."
		case len(v.Requirement.Deny) > 0:
			n.Title, n.Text = "Nobody can approve it any more", sentence("the policy denies it: "+strings.Join(v.Requirement.Deny, "; "))
		default:
			return nil
		}
	case guardrails.Approved, guardrails.Executing, guardrails.Unknown, guardrails.Failed, guardrails.Compensating, guardrails.CompensationFailed,
		guardrails.Succeeded, guardrails.Compensated, guardrails.Rejected, guardrails.Withdrawn:
		if !v.BreakGlass {
			return nil
		}
		n.Title, n.Text, n.Link, n.Go = "One human approved it alone", "Two others review whether that was right.", "/glass", "Open the reviews"
	}
	if v.Successor != "" {
		n.Link, n.Go = "/steps/"+string(v.Successor), "Open the step that is live now"
	}
	return n
}

func factsOf(v *store.StepView) []pair {
	facts := []pair{{"at stake in this step alone", amount(v.Stake, v.Currency)}}
	if v.Model != 0 {
		facts = append(facts, pair{"proposed by model", strconv.FormatInt(v.Model, 10)})
	}
	if len(v.Matched) > 0 {
		facts = append(facts, pair{"rules of the policy that matched", strings.Join(v.Matched, ", ")})
	}
	return facts
}

func (p *stepPage) addPeople(v *store.StepView, zone *time.Location) {
	for _, party := range v.Parties {
		if party.Part&guardrails.Proposer != 0 {
			if p.Proposer = v.Names[party.Person]; p.Proposer == "" {
				p.Proposer = party.Ref
			}
		}
	}
	counts := map[time.Time]bool{}
	for _, needed := range v.Requirement.Slots {
		sl := slot{Role: roleWord(needed.Role), Open: needed.Count}
		for _, d := range v.Standing {
			if d.Slot == needed.Role {
				by := v.Names[d.Person]
				if d.As != "" {
					by += ", " + roleWord(d.As)
				}
				sl.By, sl.Open = append(sl.By, by), sl.Open-1
				counts[d.At] = true
			}
		}
		if sl.Open = max(0, sl.Open); sl.Open > 0 && v.State == guardrails.Pending {
			sl.Ladder = ladderOf(v, needed.Role, zone)
		}
		p.Slots = append(p.Slots, sl)
	}
	for _, d := range v.Decisions {
		out := decided{Who: v.Names[d.Person], Verdict: verdictWord(&d), When: moment(d.At, zone), Reason: d.Reason}
		if d.OnBehalfOf != 0 {
			out.Who += " for " + v.Names[d.OnBehalfOf]
		}
		if d.Verdict == guardrails.Approval && !counts[d.At] {
			out.Void = "no longer counts"
		}
		p.Decisions = append(p.Decisions, out)
	}
	for _, c := range v.Deciders {
		p.Deciders = append(p.Deciders, choice{strconv.FormatInt(int64(c.ID), 10), c.Name, c.ID == v.Assignee})
	}
}

func ladderOf(v *store.StepView, role guardrails.Role, zone *time.Location) []rung {
	var rungs []rung
	for _, x := range v.Ladder(role) {
		from := v.From(x)
		when := moment(from, zone)
		if from.In(zone).Format(time.DateOnly) == v.Now.In(zone).Format(time.DateOnly) {
			when = from.In(zone).Format("15:04")
		}
		rungs = append(rungs, rung{roleWord(x.Role), when, !v.Now.Before(from)})
	}
	return rungs
}

func roleWord(r guardrails.Role) string { return strings.ReplaceAll(string(r), "_", " ") }

func verdictWord(d *guardrails.Decision) string {
	switch d.Verdict {
	case guardrails.Approval:
		if d.BreakGlass != "" {
			return "broke the glass for " + d.BreakGlass
		}
		if d.As != "" {
			return "approved as " + roleWord(d.As) + ", who stood in for " + roleWord(d.Slot)
		}
		return "approved as " + roleWord(d.Slot)
	case guardrails.Rejection:
		return "rejected it"
	case guardrails.RequestChanges:
		return "asked for changes"
	}
	return string(d.Verdict)
}

func (p *stepPage) addHistory(v *store.StepView, zone *time.Location) {
	p.Earlier = v.Earlier
	for i := range v.History {
		e := &v.History[i]
		out := entry{When: moment(e.At, zone), Who: actorName(e.Actor, v), What: strings.ReplaceAll(e.Event, "_", " ")}
		if why := fact(e, "reason"); why != "" {
			out.Detail = why
		} else if why := fact(e, "detail"); why != "" {
			out.Detail = why + " (" + fact(e, "code") + ")"
		}
		p.History = append(p.History, out)
	}
	for _, e := range v.Executions {
		c := carried{strconv.Itoa(e.Operation + 1), targetWord(e.Target), string(e.State), ""}
		if e.Compensation {
			c.N += " taken back"
		}
		if e.Attempt > 0 {
			c.Detail = "attempt " + strconv.Itoa(e.Attempt)
		}
		if e.Error != nil {
			c.Detail += ": " + *e.Error
		}
		p.Carried = append(p.Carried, c)
	}
}

func fact(e *audit.Entry, name string) string {
	for _, f := range e.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// actorName puts names where the audit log has numbers.
func actorName(actor string, v *store.StepView) string {
	words := strings.Fields(actor)
	for i, word := range words {
		if text, ok := strings.CutPrefix(word, "person:"); ok {
			n, _ := strconv.ParseInt(text, 10, 64)
			if name := v.Names[guardrails.PersonID(n)]; name != "" {
				words[i] = name
			}
		}
	}
	return strings.Join(words, " ")
}
