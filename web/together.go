package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

// group is what of a page of steps may be approved together: of one action at
// one site.
type group struct {
	Form  string // its form's id
	Label string // "" where the page has no other group

	kind guardrails.Kind
	site warehouse.Site
}

// answer says what came of one of several approvals.
type answer struct {
	ID, Title, Text string
	Done            bool
}

// addBoxes lets the viewer tick what may go together.
func (s *server) addBoxes(r *http.Request, p *inboxPage, v *viewer, steps []store.Step) error {
	ids := make([]guardrails.StepID, len(steps))
	for i := range steps {
		ids[i] = steps[i].ID
	}
	opened, err := s.db.Opened(r.Context(), v.Person, ids)
	if err != nil {
		return err
	}
	for i := range steps {
		step, row := &steps[i], &p.Rows[i]
		if !row.Can || step.Requirement.Humans() != 1 || step.Requirement.Auth != guardrails.Session || step.Value > guardrails.MaxBulkMinor {
			continue
		}
		if row.Unopened = !opened[step.ID]; !row.Unopened {
			row.Box, row.Group = string(step.ID)+" "+step.Binding.String(), p.groupOf(step)
		}
	}
	if len(p.Groups) > 1 {
		for i := range p.Groups {
			g := &p.Groups[i]
			g.Label = actionWord(g.kind) + " at " + string(g.site)
		}
	}
	return nil
}

// groupOf returns the form of the step's group, which it adds where it is new.
func (p *inboxPage) groupOf(step *store.Step) string {
	for _, g := range p.Groups {
		if g.kind == step.Kind && g.site == step.Site {
			return g.Form
		}
	}
	g := group{Form: fmt.Sprintf("together-%d", len(p.Groups)+1), kind: step.Kind, site: step.Site}
	p.Groups = append(p.Groups, g)
	return g.Form
}

// approveTogether approves what was ticked, each by itself, and sends the browser
// back to the page that it was ticked on, where there is an answer for each.
func (s *server) approveTogether(w http.ResponseWriter, r *http.Request, v *viewer) {
	approvals, ids, err := readApprovals(r)
	if err != nil {
		s.render(w, r, http.StatusBadRequest, "message", say("This form could not be read", "Open the steps again and try once more.").to("/steps", "Open the steps"))
		return
	}
	n, err := s.tryTogether(r, v, approvals)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.readInbox(r, v)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case n != nil:
		p.Notice = n
		s.render(w, r, http.StatusConflict, "steps", p)
	default:
		http.Redirect(w, r, p.This+"&answered="+strings.Join(ids, ","), http.StatusSeeOther)
	}
}

var errNoForm = errors.New("the form is not one of the page")

// readApprovals reads what was ticked.
func readApprovals(r *http.Request) (approvals []store.Approval, ids []string, err error) {
	if err := r.ParseForm(); err != nil {
		return nil, nil, err
	}
	for _, box := range r.PostForm["step"] {
		id, binding, _ := strings.Cut(box, " ")
		hash, err := guardrails.ParseHash(binding)
		if err != nil || isBadText(id) {
			return nil, nil, errNoForm
		}
		approvals, ids = append(approvals, store.Approval{Step: guardrails.StepID(id), Binding: hash}), append(ids, id)
	}
	return approvals, ids, nil
}

// tryTogether approves, or says why all of it was refused.
func (s *server) tryTogether(r *http.Request, v *viewer, approvals []store.Approval) (*notice, error) {
	ids := make([]guardrails.StepID, len(approvals))
	for i, a := range approvals {
		ids[i] = a.Step
	}
	steps, err := s.db.StepsByID(r.Context(), store.Viewer{Person: v.Person}, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if step, ok := steps[id]; !ok || !v.person.Sees(step.Site) {
			return &notice{Title: "Nothing was approved", Text: "One of the steps is not there, or is at a site where you have no role."}, nil
		}
	}
	_, err = s.db.ApproveTogether(r.Context(), v.By(), approvals)
	refusal, refused := errors.AsType[*guardrails.Refusal](err)
	if !refused {
		return nil, err
	}
	text := refusal.Detail
	for id, step := range steps {
		text = strings.ReplaceAll(text, "step "+string(id), "“"+titleOf(&step)+"”")
	}
	return &notice{Title: "Nothing was approved", Text: sentence(text)}, nil
}

// addAnswers says what came of the steps that the address names: what the viewer
// approved of them as they are, and why the others could not be.
func (s *server) addAnswers(r *http.Request, p *inboxPage, v *viewer) error {
	var ids []guardrails.StepID
	for id := range strings.SplitSeq(r.URL.Query().Get("answered"), ",") {
		if id != "" && !isBadText(id) && len(ids) < guardrails.MaxBulk {
			ids = append(ids, guardrails.StepID(id))
		}
	}
	found, err := s.db.StepsByID(r.Context(), store.Viewer{Person: v.Person}, ids)
	if err != nil {
		return err
	}
	var steps []store.Step
	for _, id := range ids {
		if step, ok := found[id]; ok && v.person.Sees(step.Site) {
			steps = append(steps, step)
		}
	}
	if len(steps) == 0 {
		return nil
	}
	approved, err := s.db.Approved(r.Context(), v.Person, ids)
	if err != nil {
		return err
	}
	refusals, err := s.db.TryApprovals(r.Context(), v.By(), steps)
	if err != nil {
		return err
	}
	done := 0
	for i := range steps {
		a := answer{ID: string(steps[i].ID), Title: titleOf(&steps[i]), Text: "It could not be done now. Try it again.", Done: approved[steps[i].ID]}
		switch {
		case a.Done:
			a.Text, done = "Approved.", done+1
			if turn, _ := turnOf(&store.StepView{Step: steps[i], Now: steps[i].ReadAt}); turn != "" {
				a.Text = "Approved, but " + turn + "."
			}
		case refusals[i] != nil:
			a.Text = sentence(refusals[i].Detail)
		}
		p.Answers = append(p.Answers, a)
	}
	p.Notice = &notice{Title: fmt.Sprintf("%d of %d approved", done, len(steps)), Calm: done == len(steps)}
	return nil
}
