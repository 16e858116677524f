package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"tallyman/store"
)

// signInPage asks who it is.
type signInPage struct {
	frame
	Next    string
	Login   string // fixed when somebody signs in again
	Again   bool
	Wrong   bool
	OIDC    bool
	NoLocal bool // nothing but the identity provider
}

// Heading names the page.
func (p *signInPage) Heading() string {
	if p.Again {
		return "Sign in again"
	}
	return "Sign in"
}

// cookieName is bound to the host where the connection is safe.
func (s *server) cookieName() string {
	if s.secure {
		return "__Host-tallyman"
	}
	return "tallyman"
}

func (s *server) setCookie(w http.ResponseWriter, token string) {
	c := &http.Cookie{Name: s.cookieName(), Value: token, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// viewer returns who looks, nil for nobody who is signed in.
func (s *server) viewer(r *http.Request) (*viewer, error) {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // nobody is signed in
	}
	session, err := s.db.SessionByToken(r.Context(), c.Value)
	if errors.Is(err, store.ErrUnauthorized) {
		return nil, nil //nolint:nilnil // nobody is signed in any more
	}
	if err != nil {
		return nil, err
	}
	person, err := s.db.Person(r.Context(), session.Person)
	return &viewer{session, person, c.Value}, err
}

// signed serves a page to people who are signed in and asks the others to.
func (s *server) signed(next func(http.ResponseWriter, *http.Request, *viewer)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := s.viewer(r)
		switch {
		case err != nil:
			s.fail(w, r, err)
		case v != nil:
			next(w, seenBy(r, v), v)
		case r.Method == http.MethodGet:
			http.Redirect(w, r, "/signin?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		default:
			s.render(w, r, http.StatusUnauthorized, "message", say("Your session has ended",
				"Nothing was decided or changed. Sign in, look at it again and decide then.").
				to("/signin?"+url.Values{"next": {backFrom(r)}}.Encode(), "Sign in and come back"))
		}
	}
}

// backFrom returns the page that a form was on.
func backFrom(r *http.Request) string {
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) == 4 && parts[1] == "steps" {
		return "/steps/" + parts[2]
	}
	return "/steps"
}

// queueReaders asks for a sign-in once there are accounts, unless the queue is
// open to all. Who is signed in is told to next, else nil.
func (s *server) queueReaders(next func(http.ResponseWriter, *http.Request, *viewer)) http.HandlerFunc {
	signed := s.signed(next)
	return func(w http.ResponseWriter, r *http.Request) {
		must, err := s.mustSignIn(r.Context())
		if err == nil && must && !s.openQueue {
			signed(w, r)
			return
		}
		var v *viewer
		if err == nil {
			v, err = s.viewer(r)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if v != nil {
			r = seenBy(r, v)
		}
		next(w, r, v)
	}
}

// mustSignIn reports whether pages are for people who are signed in: anybody
// could be.
func (s *server) mustSignIn(ctx context.Context) (bool, error) {
	if s.oidc != nil {
		return true, nil
	}
	return s.db.AnyAccount(ctx)
}

// local keeps a redirect on this site.
func local(next string) string {
	if u, err := url.Parse(next); err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") || strings.HasPrefix(next, "/signin") {
		return "/steps"
	}
	return next
}

func (s *server) signInForm(w http.ResponseWriter, r *http.Request) {
	v, err := s.viewer(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := &signInPage{Next: local(r.URL.Query().Get("next")), OIDC: s.oidc != nil}
	if r.URL.Query().Has("again") && v != nil {
		p.Again, p.Login, p.NoLocal = true, v.Login, !v.Local
		p.OIDC = !v.Local
	} else if v != nil {
		http.Redirect(w, r, p.Next, http.StatusSeeOther)
		return
	}
	s.render(w, r, http.StatusOK, "signin", p)
}

func (s *server) signIn(w http.ResponseWriter, r *http.Request) {
	old := ""
	if c, err := r.Cookie(s.cookieName()); err == nil {
		old = c.Value
	}
	token, _, err := s.db.SignIn(r.Context(), r.PostFormValue("login"), r.PostFormValue("password"), old)
	next := local(r.PostFormValue("next"))
	switch {
	case errors.Is(err, store.ErrUnauthorized):
		p := &signInPage{Next: next, Wrong: true, OIDC: s.oidc != nil, Again: r.PostFormValue("again") != ""}
		if p.Login = r.PostFormValue("login"); isBadText(p.Login) {
			p.Login = ""
		}
		s.render(w, r, http.StatusUnauthorized, "signin", p)
	case err != nil:
		s.fail(w, r, err)
	default:
		s.setCookie(w, token)
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

func (s *server) signOut(w http.ResponseWriter, r *http.Request, v *viewer) {
	if err := s.db.SignOut(r.Context(), v.token); err != nil {
		s.fail(w, r, err)
		return
	}
	s.setCookie(w, "")
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}
