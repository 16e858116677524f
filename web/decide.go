package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tallyman/guardrails"
	"tallyman/store"
)

// addRights asks the store what the viewer could do now, and why not.
func (s *server) addRights(r *http.Request, p *stepPage, v *viewer, view *store.StepView) error {
	binding := view.Binding
	tried, err := s.db.Try(r.Context(), view.ID, v.By(),
		guardrails.Approve{Binding: binding}, guardrails.Reject{Binding: binding, Reason: "x"}, guardrails.AskChanges{Binding: binding, Reason: "x"},
		guardrails.Withdraw{Reason: "x"}, guardrails.Reassign{To: v.Person},
		guardrails.Approve{Binding: binding, Incident: "x", Reason: "x"})
	if err != nil {
		return err
	}
	can := func(i int, also ...guardrails.Code) bool {
		if tried[i] == nil {
			return true
		}
		return slices.Contains(also, tried[i].Code)
	}
	p.Can = rights{
		Reject: can(1), Ask: can(2), Withdraw: can(3), Reassign: can(4, guardrails.CodeNotAllowed),
		Glass: view.Kind.BreakGlass() && view.Requirement.Humans() > 1 && can(5, guardrails.CodeStepUp),
	}
	p.As = append(p.As, asWhom(0, "myself", tried[0]))
	delegations, err := s.db.Delegations(r.Context(), v.Person)
	if err != nil {
		return err
	}
	for _, d := range delegations {
		if d.To != v.Person || view.State != guardrails.Pending {
			continue
		}
		by := v.By()
		by.OnBehalfOf = d.From
		tried, err := s.db.Try(r.Context(), view.ID, by, guardrails.Approve{Binding: binding})
		if err != nil {
			return err
		}
		if tried[0] == nil || tried[0].Code != guardrails.CodeDelegation {
			p.As = append(p.As, asWhom(d.From, d.FromName, tried[0]))
		}
	}
	for _, as := range p.As {
		p.Can.Approve = p.Can.Approve || as.Can || as.StepUp
	}
	return nil
}

func asWhom(id guardrails.PersonID, name string, r *guardrails.Refusal) actAs {
	as := actAs{ID: id, Name: name, Can: r == nil}
	if r != nil {
		as.StepUp, as.Why = r.Code == guardrails.CodeStepUp, sentence(r.Detail)
	}
	return as
}

// decide carries out what a form asks for.
func (s *server) decide(w http.ResponseWriter, r *http.Request, v *viewer) {
	view, ok := s.readStep(w, r, v)
	if !ok {
		return
	}
	verb := r.PathValue("verb")
	cmd, err := commandOf(verb, r)
	if err != nil {
		s.render(w, r, http.StatusBadRequest, "message", say("This form could not be read", "Open the step again and try once more.").to("/steps/"+string(view.ID), "Open the step"))
		return
	}
	by := v.By()
	if n, err := strconv.ParseInt(r.PostFormValue("for"), 10, 64); err == nil {
		by.OnBehalfOf = guardrails.PersonID(n)
	}
	_, err = s.db.Decide(r.Context(), view.ID, by, cmd)
	if refusal, isRefusal := errors.AsType[*guardrails.Refusal](err); isRefusal {
		if view, ok = s.readStep(w, r, v); ok {
			s.showStep(w, r, v, view, statusOf(refusal.Code), refused(refusal, view, v.Person))
		}
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	to := "/steps/" + string(view.ID) + "?did=" + verb
	if back := r.PostFormValue("back"); strings.HasPrefix(back, "/queue?") {
		to = local(back)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func statusOf(c guardrails.Code) int {
	if c == guardrails.CodeReasonMissing {
		return http.StatusUnprocessableEntity
	}
	return http.StatusConflict
}

// maxTyped is more bytes than the 2,000 characters have that a page lets people type.
const maxTyped = 8000

// isUnfit reports whether what somebody typed is no text, or longer than a page lets
// it be.
func isUnfit(typed string) bool { return isBadText(typed) || len(typed) > maxTyped }

var errNoCommand = errors.New("no such command")

// commandOf reads a command from a form.
func commandOf(verb string, r *http.Request) (guardrails.Command, error) {
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	if isUnfit(reason) || isUnfit(r.PostFormValue("incident")) {
		return nil, errNoCommand
	}
	switch verb {
	case "withdraw":
		return guardrails.Withdraw{Reason: reason}, nil
	case "reassign":
		to, err := strconv.ParseInt(r.PostFormValue("to"), 10, 64)
		return guardrails.Reassign{To: guardrails.PersonID(to)}, err
	}
	binding, err := guardrails.ParseHash(r.PostFormValue("binding"))
	if err != nil {
		return nil, err
	}
	switch verb {
	case "approve":
		return guardrails.Approve{Binding: binding, Reason: reason}, nil
	case "glass":
		incident := strings.TrimSpace(r.PostFormValue("incident"))
		if incident == "" {
			return nil, errNoCommand
		}
		return guardrails.Approve{Binding: binding, Reason: reason, Incident: incident}, nil
	case "reject":
		return guardrails.Reject{Binding: binding, Reason: reason}, nil
	case "changes":
		return guardrails.AskChanges{Binding: binding, Reason: reason}, nil
	}
	return nil, errNoCommand
}
