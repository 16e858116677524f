package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"tallyman/scoring"
	"tallyman/store"
	"tallyman/triage"
	"tallyman/warehouse"
)

// Version is that of the interface, not of the program.
const Version = "2026-11-01"

type server struct {
	db      *store.DB
	engine  *scoring.Engine
	desk    *triage.Desk
	clock   func() time.Time
	log     *slog.Logger
	metrics *metrics
}

// New returns the handler of everything below /v1, of /openapi.json, and of
// /healthz, /readyz and /metrics. Time-outs are the HTTP server's to set.
func New(db *store.DB, engine *scoring.Engine, desk *triage.Desk, clock func() time.Time, log *slog.Logger) http.Handler {
	s := &server{db: db, engine: engine, desk: desk, clock: clock, log: log, metrics: newMetrics()}
	r := chi.NewRouter()
	r.Use(s.recover, secure, s.measure, refuseBadText)
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, &Problem{Status: http.StatusNotFound, Code: "no_such_route", Detail: "there is nothing here; /openapi.json lists what there is"})
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, &Problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Detail: "this path has other methods; /openapi.json lists them"})
	})
	document := s.operations(r)
	r.Get("/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") })
	r.Get("/readyz", s.ready)
	r.Method(http.MethodGet, "/metrics", s.metrics.handler())
	return r
}

// ready answers 200 when requests can be served: the engine is loaded before
// the handler exists, the database may come and go.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.db.Ready(r.Context()); err != nil {
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "not ready", slog.Any("error", err))
		writeProblem(w, &Problem{Status: http.StatusServiceUnavailable, Code: "not_ready", Detail: "the database does not answer, or is of another version", Retryable: true})
		return
	}
	writeText(w, "ready\n")
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text))
}

// operations registers every operation and returns their OpenAPI document.
func (s *server) operations(r chi.Router) []byte {
	useProblems()
	config := huma.DefaultConfig("Tallyman", Version)
	config.Info.Description = "What to count, which inbound load to check twice, and who should look at a ticket. Enumerations are open: expect values that are not listed yet. Errors are RFC 9457 problems with a stable `code`."
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"api_key": {Type: "http", Scheme: "bearer", Description: "An API key, tly_…, made with `tallyman key add`."},
		"session": {Type: "http", Scheme: "bearer", Description: "The session of a person, tlyses_…, from POST /v1/sessions. No API key can stand for a person."},
	}
	a := humachi.New(r, config)
	a.UseMiddleware(s.authenticate)
	s.registerEvents(a)
	s.registerEvaluations(a)
	s.registerQueue(a)
	s.registerTickets(a)
	s.registerSessions(a)
	s.registerSteps(a)
	document, err := a.OpenAPI().MarshalJSON()
	if err != nil {
		panic(err) // the document is made of this package's own types
	}
	return document
}

// operation returns what all operations share. Who calls needs the scope.
func operation(id, method, path, summary string, scope store.Scope) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary,
		Security: []map[string][]string{{"api_key": {string(scope)}}},
		Errors:   []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError, http.StatusServiceUnavailable},
	}
}

// register adds an operation. Huma documents a 422 for whatever has parameters;
// here invalid ones are a 400, and only what the operation lists is said.
func register[I, O any](a huma.API, op huma.Operation, do func(context.Context, *I) (*O, error)) {
	listed := slices.Contains(op.Errors, http.StatusUnprocessableEntity)
	huma.Register(a, op, do)
	item := a.OpenAPI().Paths[op.Path]
	for _, added := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
		if added != nil && added.OperationID == op.OperationID && !listed {
			delete(added.Responses, "422")
		}
	}
}

// raw is an answer whose bytes are final.
type raw struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// texts are names as strings; never null in JSON.
func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// siteForbidden refuses a site that the key is not for. It says the same for a site
// that exists and for one that does not.
func siteForbidden(site warehouse.Site) *Problem {
	return &Problem{Status: http.StatusForbidden, Code: "site_forbidden", Field: "site", Detail: "this API key is not for site " + string(site)}
}
