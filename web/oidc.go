package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"tallyman/guardrails"
	"tallyman/store"
)

// OIDC configures signing in with an OpenID Connect provider.
type OIDC struct {
	Issuer, ClientID, Secret string
	Roles                    []GroupRole // what the groups of the claim "groups" give
}

// maxAuthAge is how old a sign-in at the provider may be when it is used here.
const maxAuthAge = 8 * time.Hour

// patience bounds each request to a provider.
var patience = 10 * time.Second

// provider is a provider that is asked for its addresses when it is first needed:
// the program starts also while it is away.
type provider struct {
	config   OIDC
	redirect string
	client   *http.Client
	found    atomic.Pointer[discovered]
}

// discovered is what a provider said of itself.
type discovered struct {
	oauth    *oauth2.Config
	verifier *oidc.IDTokenVerifier
}

func newProvider(c *OIDC, public string) (*provider, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	if public == "" {
		return nil, errors.New("signing in with an identity provider needs the public URL of this site, to which it sends people back")
	}
	return &provider{config: *c, redirect: public + "/oidc/callback", client: &http.Client{Timeout: patience}}, nil
}

// discover asks the provider until it has answered once. Nobody waits for
// another's request: one that hangs holds up whoever made it alone.
func (p *provider) discover(ctx context.Context) (*discovered, error) {
	if d := p.found.Load(); d != nil {
		return d, nil
	}
	// Keys are fetched later with this context, after the request that began it.
	answer, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("identity provider: %w", err)
	}
	d := &discovered{
		&oauth2.Config{
			ClientID: p.config.ClientID, ClientSecret: p.config.Secret, Endpoint: answer.Endpoint(), RedirectURL: p.redirect,
			Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups"},
		},
		answer.Verifier(&oidc.Config{ClientID: p.config.ClientID}),
	}
	p.found.Store(d)
	return d, nil
}

// attempt is one sign-in under way, kept in a cookie of the browser that began it.
type attempt struct{ state, nonce, verifier, next string }

func (s *server) attemptCookie() string { return s.cookieName() + "-oidc" }

func (s *server) setAttempt(w http.ResponseWriter, a *attempt) {
	c := &http.Cookie{Name: s.attemptCookie(), Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode, MaxAge: -1}
	if a != nil {
		next := base64.RawURLEncoding.EncodeToString([]byte(a.next))
		c.Value, c.MaxAge = strings.Join([]string{a.state, a.nonce, a.verifier, next}, "."), 600
	}
	http.SetCookie(w, c)
}

func (s *server) readAttempt(r *http.Request) (attempt, bool) {
	c, err := r.Cookie(s.attemptCookie())
	if err != nil {
		return attempt{}, false
	}
	parts := strings.Split(c.Value, ".")
	if len(parts) != 4 {
		return attempt{}, false
	}
	next, err := base64.RawURLEncoding.DecodeString(parts[3])
	return attempt{parts[0], parts[1], parts[2], local(string(next))}, err == nil
}

// startOIDC sends the browser to the provider.
func (s *server) startOIDC(w http.ResponseWriter, r *http.Request) {
	if s.oidc == nil {
		s.render(w, r, http.StatusNotFound, "message", say("There is no such page", "No identity provider is configured here.").to("/signin", "Sign in"))
		return
	}
	provider, err := s.oidc.discover(r.Context())
	if err != nil {
		s.noOIDC(w, r, http.StatusBadGateway, "The identity provider does not answer. Try again in a moment.", err)
		return
	}
	a := attempt{rand.Text(), rand.Text(), oauth2.GenerateVerifier(), local(r.URL.Query().Get("next"))}
	age := fmt.Sprint(int(maxAuthAge.Seconds()))
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)}
	if r.URL.Query().Has("again") {
		age = "0"
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	s.setAttempt(w, &a)
	http.Redirect(w, r, provider.oauth.AuthCodeURL(a.state, append(options, oauth2.SetAuthURLParam("max_age", age))...), http.StatusSeeOther)
}

// finishOIDC is where the provider sends the browser back to.
func (s *server) finishOIDC(w http.ResponseWriter, r *http.Request) {
	a, ok := s.readAttempt(r)
	s.setAttempt(w, nil)
	query := r.URL.Query()
	if s.oidc == nil || !ok || subtle.ConstantTimeCompare([]byte(a.state), []byte(query.Get("state"))) != 1 {
		s.noOIDC(w, r, http.StatusBadRequest, "This sign-in was not begun in this browser, or more than ten minutes ago.", errors.New("state does not match"))
		return
	}
	if reason := query.Get("error"); reason != "" {
		s.noOIDC(w, r, http.StatusForbidden, "The identity provider did not sign you in.", fmt.Errorf("provider answered %q", reason))
		return
	}
	who, err := s.oidc.identify(r.Context(), query.Get("code"), &a)
	if err != nil {
		s.noOIDC(w, r, http.StatusForbidden, "What the identity provider sent could not be trusted, or lacks a verified email.", err)
		return
	}
	old := ""
	if c, err := r.Cookie(s.cookieName()); err == nil {
		old = c.Value
	}
	token, _, err := s.db.SignInWith(r.Context(), who, old)
	switch {
	case errors.Is(err, store.ErrUnauthorized):
		s.noOIDC(w, r, http.StatusForbidden, "Your access to Tallyman has ended.", err)
	case err != nil:
		s.fail(w, r, err)
	default:
		s.setCookie(w, token)
		http.Redirect(w, r, a.next, http.StatusSeeOther)
	}
}

func (s *server) noOIDC(w http.ResponseWriter, r *http.Request, status int, text string, err error) {
	s.log.LogAttrs(r.Context(), slog.LevelWarn, "sign-in refused", slog.Any("error", err))
	s.render(w, r, status, "message", say("You are not signed in", text+" The reason was logged.").to("/signin", "Try again"))
}

// identify exchanges a code for a token and believes what is signed in it.
func (p *provider) identify(ctx context.Context, code string, a *attempt) (*store.Identity, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := d.oauth.Exchange(oidc.ClientContext(ctx, p.client), code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		return nil, err
	}
	raw, _ := answer.Extra("id_token").(string)
	token, err := d.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.nonce)) != 1 {
		return nil, errors.New("nonce does not match")
	}
	var claims struct {
		Name     string   `json:"name"`
		Email    string   `json:"email"`
		Verified bool     `json:"email_verified"`
		Groups   []string `json:"groups"`
		AuthTime int64    `json:"auth_time"`
	}
	if err := token.Claims(&claims); err != nil {
		return nil, err
	}
	if claims.Email == "" || !claims.Verified {
		return nil, errors.New("it has no verified email, by which one human is one person")
	}
	if claims.Name == "" {
		claims.Name = claims.Email
	}
	who := &store.Identity{
		Issuer: token.Issuer, Subject: token.Subject, Name: claims.Name, Email: claims.Email, Grants: p.config.grants(claims.Groups),
		AuthenticatedAt: time.Unix(claims.AuthTime, 0),
	}
	age := token.IssuedAt.Sub(who.AuthenticatedAt)
	if claims.AuthTime == 0 { // it does not say, so that it is not fresh
		age, who.AuthenticatedAt = 0, token.IssuedAt.Add(-guardrails.FreshFor-time.Second)
	}
	if age > maxAuthAge+time.Minute {
		return nil, fmt.Errorf("signed in %s ago, which is more than was asked for", age)
	}
	return who, nil
}

// grants are what the first rows for the groups give.
func (c *OIDC) grants(groups []string) []guardrails.Grant {
	var grants []guardrails.Grant
	for _, r := range c.Roles {
		if slices.Contains(groups, r.Group) {
			grants = append(grants, r.Grant)
		}
	}
	return grants
}
