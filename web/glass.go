package web

import (
	"errors"
	"net/http"
	"strings"

	"tallyman/guardrails"
	"tallyman/store"
)

// glassPage lists steps that one human approved alone, for others to review.
type glassPage struct {
	frame
	Notice *notice
	Open   []brokenGlass
	Done   []brokenGlass
}

// Heading names the page.
func (p *glassPage) Heading() string { return "Reviews" }

// brokenGlass is one of them in words.
type brokenGlass struct {
	ID, Title, Site, Action string
	By, When                string
	Incident, Reason        string
	Reviews                 []review
	Missing                 int
	Due                     string
	Late                    bool
	May                     bool
	Why                     string // not
	Note                    string // typed before a refusal
}

type review struct {
	Who, When, Note string
	Justified       bool
}

func (s *server) glass(w http.ResponseWriter, r *http.Request, v *viewer) {
	var n *notice
	if r.URL.Query().Get("did") == "review" {
		n = &notice{Title: "Your review is on record", Text: "Thank you for looking.", Calm: true}
	}
	s.showGlass(w, r, v, http.StatusOK, n)
}

func (s *server) showGlass(w http.ResponseWriter, r *http.Request, v *viewer, status int, n *notice) {
	all, err := s.db.BrokenGlasses(r.Context(), v.By())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := &glassPage{Notice: n}
	for i := range all {
		b := s.glassOf(r, &all[i])
		if all[i].Open() {
			p.Open = append(p.Open, b)
		} else {
			p.Done = append(p.Done, b)
		}
	}
	s.render(w, r, status, "glass", p)
}

func (s *server) glassOf(r *http.Request, b *store.BrokenGlass) brokenGlass {
	zone := s.zoneOf(r, b.Step.Site)
	out := brokenGlass{
		ID: string(b.Step.ID), Title: titleOf(&b.Step), Site: siteWord(b.Step.Site), Action: actionWord(b.Step.Kind),
		By: b.By, When: moment(b.Step.ApprovedAt, zone), Incident: b.Incident, Reason: b.Reason,
		Missing: guardrails.GlassReviews - len(b.Reviews), Due: moment(b.Due, zone), Late: b.Late, May: b.You == nil,
	}
	if b.You != nil {
		out.Why = sentence(b.You.Detail)
	}
	if r.PathValue("id") == out.ID {
		out.Note = strings.ToValidUTF8(r.PostFormValue("note"), "")
	}
	for _, g := range b.Reviews {
		out.Reviews = append(out.Reviews, review{g.Name, moment(g.At, zone), g.Note, g.Justified})
	}
	return out
}

// reviewGlass records what somebody found.
func (s *server) reviewGlass(w http.ResponseWriter, r *http.Request, v *viewer) {
	view, ok := s.readStep(w, r, v)
	if !ok {
		return
	}
	found, note := r.PostFormValue("found"), strings.TrimSpace(r.PostFormValue("note"))
	if isUnfit(note) || found != "right" && found != "wrong" {
		s.showGlass(w, r, v, http.StatusUnprocessableEntity, &notice{Title: "Say whether it was right", Text: "Nothing was recorded yet."})
		return
	}
	err := s.db.ReviewGlass(r.Context(), view.ID, v.By(), found == "right", note)
	if refusal, isRefusal := errors.AsType[*guardrails.Refusal](err); isRefusal {
		s.showGlass(w, r, v, statusOf(refusal.Code), &notice{Title: "Your review was not recorded", Text: sentence(refusal.Detail)})
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/glass?did=review", http.StatusSeeOther)
}
