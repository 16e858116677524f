package web

import (
	"errors"
	"net/http"
	"strings"

	"tallyman/guardrails"
	"tallyman/store"
)

// report asks people what became of the operation that waits for their word.
type report struct {
	ByHand        bool // it is theirs to carry out; else a target did not say
	To            string
	Done, NotDone bool   // the viewer may say so
	Why           string // not
}

// reportOf returns what the page asks, nil for nothing.
func (s *server) reportOf(r *http.Request, v *viewer, view *store.StepView) (*report, error) {
	e := view.Waits()
	if e == nil {
		return nil, nil //nolint:nilnil // nothing waits, and that is no error
	}
	tried, err := s.db.TryReports(r.Context(), view.ID, v.By(), store.Word{Done: true, Reason: "x"}, store.Word{Reason: "x"})
	if err != nil {
		return nil, err
	}
	out := &report{ByHand: e.Target == guardrails.TargetManual, To: e.Target, Done: tried[0] == nil, NotDone: tried[1] == nil}
	if tried[0] != nil {
		out.Why = sentence(tried[0].Detail)
	}
	return out, nil
}

// tell records what somebody says of an operation.
func (s *server) tell(done bool) func(http.ResponseWriter, *http.Request, *viewer) {
	return func(w http.ResponseWriter, r *http.Request, v *viewer) {
		view, ok := s.readStep(w, r, v)
		if !ok {
			return
		}
		word := store.Word{Done: done, Reason: strings.TrimSpace(r.PostFormValue("reason"))}
		if isUnfit(word.Reason) {
			s.render(w, r, http.StatusBadRequest, "message", say("This form could not be read", "Open the step again and try once more.").to("/steps/"+string(view.ID), "Open the step"))
			return
		}
		err := s.db.ReportByHand(r.Context(), view.ID, v.By(), word)
		if refusal, isRefusal := errors.AsType[*guardrails.Refusal](err); isRefusal {
			if view, ok = s.readStep(w, r, v); ok {
				s.showStep(w, r, v, view, statusOf(refusal.Code), unheard(refusal))
			}
			return
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		did := "done"
		if !done {
			did = "not-done"
		}
		http.Redirect(w, r, "/steps/"+string(view.ID)+"?did="+did, http.StatusSeeOther)
	}
}

// unheard says why somebody's word was not taken.
func unheard(r *guardrails.Refusal) *notice {
	n := &notice{Title: "This was not recorded", Text: sentence(r.Detail)}
	switch r.Code { //nolint:exhaustive // the others are said as they are
	case guardrails.CodeReasonMissing:
		n.Title = "Say why"
	case guardrails.CodeNotPending:
		n.Title = "Somebody was faster"
	}
	return n
}
