package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/store"
)

// A Problem is an error as a client sees it (RFC 9457).
type Problem struct { //nolint:errname // what RFC 9457 calls it
	Type      string `json:"type" example:"about:blank" doc:"About:blank: the code says which problem it is"`
	Title     string `json:"title" doc:"The HTTP status in words"`
	Status    int    `json:"status" example:"400"`
	Detail    string `json:"detail" doc:"What is wrong, which, why, and what to do"`
	Code      string `json:"code" example:"invalid_request" doc:"Stable name of the problem, to branch on"`
	Field     string `json:"field,omitempty" example:"lines[0].qty_asn" doc:"What is at fault in the request"`
	Retryable bool   `json:"retryable" doc:"Whether the same request may succeed later"`

	State        string `json:"step_state,omitempty" doc:"Of the step that was to be decided"`
	Binding      string `json:"binding,omitempty" doc:"What it asks for now"`
	SupersededBy string `json:"superseded_by,omitempty" doc:"Step to look at instead: /v1/steps/{superseded_by}"`
}

func (p *Problem) Error() string {
	if p.Field != "" {
		return p.Field + ": " + p.Detail
	}
	return p.Detail
}

// GetStatus is how huma reads the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is how huma reads the media type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// complete fills what follows from the status.
func (p *Problem) complete() *Problem {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	return p
}

func invalid(field, format string, args ...any) *Problem {
	return &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Field: field, Detail: fmt.Sprintf(format, args...)}
}

func notFound(what string) *Problem {
	return &Problem{Status: http.StatusNotFound, Code: "not_found", Detail: what + " is not there, or this API key may not see it"}
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p.complete()) // the client may be gone
}

// problem is the one place that turns errors into answers. What a client can
// do nothing about is logged and not told.
func (s *server) problem(ctx context.Context, err error) *Problem {
	var p *Problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, store.ErrNotFound):
		p = notFound("it")
	case errors.Is(err, store.ErrIdempotencyMismatch):
		p = &Problem{
			Status: http.StatusUnprocessableEntity, Code: "idempotency_key_reused", Field: "Idempotency-Key",
			Detail: "this key was used for another request; repeat that request to the byte, or take a new key",
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p = &Problem{Status: http.StatusServiceUnavailable, Code: "timeout", Detail: "the answer took too long; try again", Retryable: true}
	default:
		s.log.LogAttrs(ctx, slog.LevelError, "request failed", slog.Any("error", err))
		p = &Problem{Status: http.StatusInternalServerError, Code: "internal", Detail: "something went wrong here; it was logged", Retryable: true}
	}
	return p.complete()
}

// handler lets an operation return plain errors.
func handler[I, O any](s *server, do func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	}
}

// useProblems makes huma's own refusals problems like ours. Huma has one
// function for the whole process.
var useProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		p := &Problem{Status: status, Detail: detail, Code: codes[status]}
		if status == http.StatusUnprocessableEntity { // 422 means one thing only: a reused key
			p.Status, p.Code = http.StatusBadRequest, "invalid_request"
		}
		if p.Code == "" {
			p.Code = strings.ReplaceAll(strings.ToLower(http.StatusText(p.Status)), " ", "_")
		}
		for _, err := range errs {
			if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
				_, p.Field, _ = strings.Cut(d.Location, ".")
				p.Detail = d.Message
				break
			}
		}
		return p.complete()
	}
})

var codes = map[int]string{
	http.StatusBadRequest:            "invalid_request",
	http.StatusRequestEntityTooLarge: "body_too_large",
}
