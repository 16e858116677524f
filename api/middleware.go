package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"tallyman/store"
)

type keyOfCaller struct{}

// caller is the API key that a request came with.
func caller(ctx context.Context) store.APIKey {
	key, _ := ctx.Value(keyOfCaller{}).(store.APIKey)
	return key
}

// authenticate lets a request pass whose key has the operation's scope.
func (s *server) authenticate(ctx huma.Context, next func(huma.Context)) {
	if len(ctx.Operation().Security) == 0 {
		next(ctx) // signing in
		return
	}
	_, w := humachi.Unwrap(ctx)
	scheme, secret, _ := strings.Cut(ctx.Header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="tallyman"`)
		writeProblem(w, &Problem{Status: http.StatusUnauthorized, Code: "unauthenticated", Field: "Authorization", Detail: "send an API key or, for what people do, a session: Authorization: Bearer tly_… or tlyses_…"})
		return
	}
	scopes, forKeys := keyScopes(ctx.Operation())
	if forPeople(ctx.Operation()) && (!forKeys || strings.HasPrefix(secret, store.SessionPrefix)) {
		s.authenticatePerson(ctx, secret, next)
		return
	}
	key, err := s.db.KeyBySecret(ctx.Context(), secret)
	if errors.Is(err, store.ErrUnauthorized) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="tallyman", error="invalid_token"`)
		writeProblem(w, &Problem{Status: http.StatusUnauthorized, Code: "invalid_key", Field: "Authorization", Detail: "this API key is unknown, revoked or expired"})
		return
	}
	if err != nil {
		writeProblem(w, s.problem(ctx.Context(), err))
		return
	}
	for _, scope := range scopes {
		if !slices.Contains(key.Scopes, store.Scope(scope)) {
			writeProblem(w, &Problem{Status: http.StatusForbidden, Code: "scope_missing", Detail: "this API key lacks the scope " + scope})
			return
		}
	}
	next(huma.WithValue(ctx, keyOfCaller{}, key))
}

// secure sets the headers that keep an answer from being cached, framed or
// taken for something else.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

func badText(s string) bool { return strings.ContainsRune(s, 0) || !utf8.ValidString(s) }

// refuseBadText keeps out of every address what no database text can hold.
func refuseBadText(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		field := ""
		for name, values := range query {
			if badText(name) || slices.ContainsFunc(values, badText) {
				field = strings.ToValidUTF8(name, "�")
			} else if len(values) > 1 {
				writeProblem(w, invalid(name, "is there %d times", len(values)))
				return
			}
		}
		if err != nil || field != "" || badText(r.URL.Path) {
			writeProblem(w, invalid(field, "the address is not valid text: it must be percent-encoded UTF-8 without U+0000"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recover answers for a handler that panicked.
func (s *server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.answerPanic(w, r)
		next.ServeHTTP(w, r)
	})
}

func (s *server) answerPanic(w http.ResponseWriter, r *http.Request) {
	v := recover()
	switch v {
	case nil:
	case http.ErrAbortHandler:
		panic(v)
	default:
		writeProblem(w, s.problem(r.Context(), fmt.Errorf("%s panicked: %v", r.URL.Path, v)))
	}
}
