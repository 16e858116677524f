package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"tallyman/guardrails"
	"tallyman/store"
)

// changeTicket carries out what a form asks for.
func (s *server) changeTicket(w http.ResponseWriter, r *http.Request, v *viewer) {
	t, ok := s.readTicket(w, r, v)
	if !ok {
		return
	}
	verb := r.PathValue("verb")
	err := s.doToTicket(r, v, t, verb)
	if err == nil {
		http.Redirect(w, r, "/tickets/"+string(t.ID)+"?did="+verb, http.StatusSeeOther)
		return
	}
	if errors.Is(err, errNoCommand) {
		s.render(w, r, http.StatusBadRequest, "message", say("This form could not be read", "Open the ticket again and try once more.").to("/tickets/"+string(t.ID), "Open the ticket"))
		return
	}
	n, status := ticketRefusal(err)
	if n == nil {
		s.fail(w, r, err)
		return
	}
	if t, ok = s.readTicket(w, r, v); ok {
		s.showTicket(w, r, v, t, status, n)
	}
}

func (s *server) doToTicket(r *http.Request, v *viewer, t *store.TicketView, verb string) error {
	ctx, by := r.Context(), v.By()
	switch verb {
	case "label":
		seen, err := strconv.Atoi(r.PostFormValue("seen"))
		label := r.PostFormValue("label")
		if err != nil || isBadText(label) {
			return errNoCommand
		}
		return s.db.CorrectTicket(ctx, s.taxonomy, t.ID, by, seen, label)
	case "resolve":
		resolution := strings.TrimSpace(r.PostFormValue("resolution"))
		if isUnfit(resolution) {
			return errNoCommand
		}
		if resolution == "" {
			return errNoResolution
		}
		return s.db.ResolveTicket(ctx, t.ID, by, resolution)
	case "reopen":
		return s.db.ReopenTicket(ctx, t.ID, by)
	case "merge":
		into := strings.TrimSpace(r.PostFormValue("into"))
		if isBadText(into) {
			return errNoCommand
		}
		if i := strings.LastIndexByte(into, '/'); i >= 0 { // the address of its page
			into = into[i+1:]
		}
		return s.db.MergeTicket(ctx, t.ID, store.TicketID(into), by)
	}
	return errNoCommand
}

var errNoResolution = errors.New("no resolution")

// ticketRefusal says an error to who can do something about it, nil for others.
func ticketRefusal(err error) (*notice, int) {
	if refusal, ok := errors.AsType[*guardrails.Refusal](err); ok {
		return &notice{Title: "You cannot change this one", Text: sentence(refusal.Detail)}, http.StatusForbidden
	}
	switch {
	case errors.Is(err, store.ErrTicketMoved):
		return &notice{Title: "Somebody was faster", Text: "It changed while you looked. Nothing was done; below is how it stands now."}, http.StatusConflict
	case errors.Is(err, store.ErrTicketClosed):
		return &notice{Title: "It is not open any more", Text: "Open it again first."}, http.StatusConflict
	case errors.Is(err, store.ErrUnknownLabel):
		return &notice{Title: "There is no such label", Text: "Choose one of the list."}, http.StatusUnprocessableEntity
	case errors.Is(err, store.ErrMerge):
		return &notice{
			Title: "They cannot be merged this way", Text: "The other one is less urgent, has more readers, or is merged itself, or others were merged into this one. Try it from the other ticket.",
		}, http.StatusConflict
	case errors.Is(err, store.ErrNotFound):
		return &notice{Title: "There is no such ticket at this site", Text: "Give the id of another ticket of this site, or the address of its page."}, http.StatusUnprocessableEntity
	case errors.Is(err, errNoResolution):
		return &notice{Title: "Say what was done", Text: "Later tickets like it show that. Nothing was closed yet."}, http.StatusUnprocessableEntity
	}
	return nil, 0
}
