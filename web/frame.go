package web

import (
	"context"

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

func viewerOf(ctx context.Context) *viewer {
	v, _ := ctx.Value(viewerOfRequest{}).(*viewer)
	return v
}
