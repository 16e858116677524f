package web

import (
	"context"
	"net/http"

	"tallyman/store"
)

// frame is what is around every page.
type frame struct {
	Here    string // section of the page
	Name    string // who is signed in, "" for nobody
	Waiting string // how many steps wait for them
	Login   bool   // somebody could sign in
}

func (f *frame) around() *frame { return f }

// page is what the frame around every page needs to know.
type page interface {
	Heading() string
	around() *frame
}

// message is a page that says one thing.
type message struct {
	frame
	Title, Text, Link, Go string
}

// Heading names the page.
func (m *message) Heading() string { return m.Title }

func say(title, text string) *message {
	return &message{Title: title, Text: text, Link: "/queue", Go: "Open the count queue"}
}

func (m *message) to(link, text string) *message {
	m.Link, m.Go = link, text
	return m
}

// viewer is who looks.
type viewer struct {
	store.Session
	person store.PersonRow
	token  string
}

type viewerOfRequest struct{}

// seenBy is the request with who looks, for the frame of its page.
func seenBy(r *http.Request, v *viewer) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), viewerOfRequest{}, v))
}

func viewerOf(ctx context.Context) *viewer {
	v, _ := ctx.Value(viewerOfRequest{}).(*viewer)
	return v
}
