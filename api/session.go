package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"tallyman/guardrails"
	"tallyman/store"
)

type sessionOfCaller struct{}

// human is the person who calls, with their session.
type human struct {
	store.Session
	person store.PersonRow
	token  string
}

func humanOf(ctx context.Context) *human {
	h, _ := ctx.Value(sessionOfCaller{}).(*human)
	return h
}

// authenticatePerson lets a request pass that comes with the session of a
// person. An API key is told that programs do not decide.
func (s *server) authenticatePerson(ctx huma.Context, token string, next func(huma.Context)) {
	_, w := humachi.Unwrap(ctx)
	session, err := s.db.SessionByToken(ctx.Context(), token)
	if errors.Is(err, store.ErrUnauthorized) {
		if _, err := s.db.KeyBySecret(ctx.Context(), token); err == nil {
			writeProblem(w, &Problem{
				Status: http.StatusForbidden, Code: string(guardrails.CodeMachine),
				Detail: "an API key stands for a program, and only people decide; no key can have the right to. Sign in: POST /v1/sessions",
			})
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="tallyman", error="invalid_token"`)
		writeProblem(w, &Problem{Status: http.StatusUnauthorized, Code: "invalid_session", Field: "Authorization", Detail: "this session is unknown or has ended; sign in: POST /v1/sessions"})
		return
	}
	if err != nil {
		writeProblem(w, s.problem(ctx.Context(), err))
		return
	}
	person, err := s.db.Person(ctx.Context(), session.Person)
	if err != nil {
		writeProblem(w, s.problem(ctx.Context(), err))
		return
	}
	next(huma.WithValue(ctx, sessionOfCaller{}, &human{session, person, token}))
}

// personOperation is an operation for people who are signed in.
func personOperation(id, method, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Security: []map[string][]string{{"session": {}}},
		Errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusInternalServerError, http.StatusServiceUnavailable},
	}
}

type signInRequest struct {
	Body struct {
		User     string `json:"user" minLength:"1" maxLength:"100"`
		Password string `json:"password" minLength:"1" maxLength:"1000"`
	}
}

type signInResponse struct {
	Status int
	Body   sessionAnswer
}

type sessionAnswer struct {
	Token     string              `json:"token" doc:"Send it as a bearer; it ends after 30 minutes without a request"`
	ExpiresAt time.Time           `json:"expires_at" doc:"At the latest"`
	FreshTill time.Time           `json:"fresh_until" doc:"Until when it counts as a fresh authentication"`
	Person    guardrails.PersonID `json:"person"`
	Name      string              `json:"name"`
}

func (s *server) registerSessions(a huma.API) {
	signIn := huma.Operation{
		OperationID: "signIn", Method: http.MethodPost, Path: "/v1/sessions", Summary: "Sign in a person, for a program that acts for them",
		Description:   "For local accounts. Signing in again gives a new token and a fresh authentication. A wrong name, a wrong password and a locked account are one and the same 401.",
		DefaultStatus: http.StatusCreated,
		Errors:        []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusInternalServerError, http.StatusServiceUnavailable},
	}
	register(a, signIn, handler(s, s.signIn))
	register(a, personOperation("signOut", http.MethodDelete, "/v1/sessions/current", "End this session"), handler(s, s.signOut))
}

func (s *server) signIn(ctx context.Context, in *signInRequest) (*signInResponse, error) {
	if badText(in.Body.User) || badText(in.Body.Password) {
		return nil, invalid("user", "is not valid text")
	}
	token, session, err := s.db.SignIn(ctx, in.Body.User, in.Body.Password, "")
	if errors.Is(err, store.ErrUnauthorized) {
		return nil, &Problem{
			Status: http.StatusUnauthorized, Code: "sign_in_failed",
			Detail: "user and password do not go together, or the account is locked for some minutes after too many attempts",
		}
	}
	if err != nil {
		return nil, err
	}
	return &signInResponse{http.StatusCreated, sessionAnswer{token, session.ExpiresAt, session.AuthenticatedAt.Add(guardrails.FreshFor), session.Person, session.Name}}, nil
}

func (s *server) signOut(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, s.db.SignOut(ctx, humanOf(ctx).token)
}

// forPeopleAndKeys lets keys with a scope do what people can.
func forPeopleAndKeys(op huma.Operation, scope store.Scope) huma.Operation {
	op.Security = append(op.Security, map[string][]string{"api_key": {string(scope)}})
	return op
}

// keyScopes returns what a key needs for an operation, false where none may.
func keyScopes(op *huma.Operation) (scopes []string, ok bool) {
	for _, m := range op.Security {
		if scopes, ok = m["api_key"]; ok {
			return scopes, true
		}
	}
	return nil, false
}

// viewerOf is who reads steps.
func viewerOf(ctx context.Context) store.Viewer {
	if me := humanOf(ctx); me != nil {
		return store.Viewer{Person: me.Person}
	}
	return store.Viewer{Key: caller(ctx).ID}
}

// actorOf is who would decide.
func actorOf(ctx context.Context) store.By {
	if me := humanOf(ctx); me != nil {
		return me.By()
	}
	return store.By{Machine: "key:" + caller(ctx).ID}
}

// forPeople reports whether an operation is for people who are signed in.
func forPeople(op *huma.Operation) bool {
	return slices.ContainsFunc(op.Security, func(m map[string][]string) bool { _, ok := m["session"]; return ok })
}
