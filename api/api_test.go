// The oracle of these tests is the interface as it is written down: statuses
// and codes by case, the OpenAPI document, and the bytes answered before. They
// run on a real database.
package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tallyman/api"
	"tallyman/features"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/triage"
	"tallyman/warehouse"
)

var update = flag.Bool("update", false, "write openapi.json anew")

func TestMain(m *testing.M) { storetest.Main(m) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// service is the API on a database of its own.
type service struct {
	t  *testing.T
	db *store.DB
	h  http.Handler
}

func start(t *testing.T) *service {
	t.Helper()
	db := storetest.DB(t)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	return &service{t, db, api.New(db, scoring.NewEngine(features.NewState()), triage.NewDesk(triage.DefaultTaxonomy(), false), func() time.Time { return noon }, log)}
}

func (s *service) key(scopes []store.Scope, sites ...warehouse.Site) string {
	s.t.Helper()
	secret, _, err := s.db.CreateKey(s.t.Context(), store.APIKey{Name: "test", Env: "test", Scopes: scopes, Sites: sites}, time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// call sends a request; headers are name, value pairs.
func (s *service) call(method, path, key, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

// problem checks that an answer is one, and returns its code and field.
func problem(t *testing.T, w *httptest.ResponseRecorder) (code, field string) {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("answer %d %s: %v", w.Code, w.Body, err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("problem has content type %q", got)
	}
	if p.Status != w.Code || p.Title != http.StatusText(w.Code) || p.Detail == "" || p.Type == "" {
		t.Errorf("incomplete problem of a %d: %+v", w.Code, p)
	}
	return p.Code, p.Field
}

func read[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("answer is %d: %s", w.Code, w.Body)
	}
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOpenAPIIsTheCommittedOne(t *testing.T) {
	s := start(t)
	w := s.call("GET", "/openapi.json", "", "")
	var got bytes.Buffer
	if err := json.Indent(&got, w.Body.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if *update {
		if err := os.WriteFile("openapi.json", got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("openapi.json is not what is served (go test ./api -update writes it):\n%s", diff)
	}
}

// routes are all operations with the scope that each needs.
var routes = []struct {
	method, path, body string
	scope              store.Scope
}{
	{"POST", "/v1/events?source=wms", `[]`, store.EventsWrite},
	{"POST", "/v1/risk-evaluations", load40, store.RiskWrite},
	{"GET", "/v1/risk-evaluations/rev_x", "", store.RiskRead},
	{"GET", "/v1/count-queue?site=DC-1", "", store.QueueRead},
	{"GET", "/v1/sites", "", store.QueueRead},
	{"GET", "/v1/steps", "", store.StepsRead},
	{"GET", "/v1/steps/st_x", "", store.StepsRead},
	{"POST", "/v1/tickets", ticketShort, store.TicketsWrite},
	{"GET", "/v1/tickets", "", store.TicketsRead},
	{"GET", "/v1/tickets/tkt_x", "", store.TicketsRead},
}

// Parameters that are wrong are a 400 here: nothing that only reads has a 422.
func TestNoReadDocumentsA422(t *testing.T) {
	s := start(t)
	var document struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	if err := json.Unmarshal(s.call("GET", "/openapi.json", "", "").Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	for path, methods := range document.Paths {
		if _, there := methods["get"].Responses["422"]; there {
			t.Errorf("GET %s documents a 422", path)
		}
	}
	if _, there := document.Paths["/v1/risk-evaluations"]["post"].Responses["422"]; !there {
		t.Error("a key that was used for another request is not documented")
	}
}

func TestEveryOperationWantsAKeyWithItsScope(t *testing.T) {
	s := start(t)
	var document struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(s.call("GET", "/openapi.json", "", "").Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	operations := 0
	for _, path := range document.Paths {
		operations += len(path)
	}
	if known := len(routes) + len(personRoutes) + 1; operations != known { // and signing in
		t.Errorf("the tests know %d operations of %d", known, operations)
	}
	good := s.key(store.Scopes)
	revokedSecret, revokedID, err := s.db.CreateKey(t.Context(), store.APIKey{Name: "old", Env: "test", Scopes: store.Scopes}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.RevokeKey(t.Context(), revokedID); err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		for key, want := range map[string]string{
			"": "unauthenticated", "nonsense": "invalid_key", good[:len(good)-1] + "!": "invalid_key", revokedSecret: "invalid_key",
		} {
			w := s.call(r.method, r.path, key, r.body, "Idempotency-Key", "k")
			if code, _ := problem(t, w); w.Code != http.StatusUnauthorized || code != want || w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s with key %q: %d %s, want 401 %s", r.method, r.path, key, w.Code, code, want)
			}
		}
		var others []store.Scope
		for _, scope := range store.Scopes {
			if scope != r.scope {
				others = append(others, scope)
			}
		}
		w := s.call(r.method, r.path, s.key(others), r.body, "Idempotency-Key", "k")
		if code, _ := problem(t, w); w.Code != http.StatusForbidden || code != "scope_missing" {
			t.Errorf("%s %s without its scope: %d %s", r.method, r.path, w.Code, code)
		}
		if w := s.call(r.method, r.path, s.key([]store.Scope{r.scope}), r.body, "Idempotency-Key", "k"); w.Code == http.StatusForbidden || w.Code == http.StatusUnauthorized {
			t.Errorf("%s %s with its scope alone: %d %s", r.method, r.path, w.Code, w.Body)
		}
	}
}

func TestForeignSites(t *testing.T) {
	s := start(t)
	mine, all := s.key(store.Scopes, "DC-1"), s.key(store.Scopes)
	events := `[` + event("1", "DC-1") + `,` + event("2", "DC-2") + `]`
	if a := read[eventsAnswer](t, s.call("POST", "/v1/events?source=wms", mine, events)); a.Accepted != 1 || a.Refused != 1 || a.Results[1].Field != "site" {
		t.Errorf("events of two sites with a key for one: %+v", a)
	}
	read[eventsAnswer](t, s.call("POST", "/v1/events?source=wms", all, events))
	type sites struct{ Data []struct{ Code string } }
	if got := read[sites](t, s.call("GET", "/v1/sites", mine, "")); len(got.Data) != 1 || got.Data[0].Code != "DC-1" {
		t.Errorf("sites of a key for DC-1: %+v", got)
	}
	if got := read[sites](t, s.call("GET", "/v1/sites", all, "")); len(got.Data) != 2 {
		t.Errorf("sites of a key for all: %+v", got)
	}
	foreign := strings.Replace(load40, `"DC-1"`, `"DC-2"`, 1)
	for _, w := range []*httptest.ResponseRecorder{
		s.call("GET", "/v1/count-queue?site=DC-2", mine, ""),
		s.call("GET", "/v1/count-queue?site=NOWHERE", mine, ""),
		s.call("POST", "/v1/risk-evaluations", mine, foreign, "Idempotency-Key", "k"),
		s.call("POST", "/v1/tickets", mine, strings.Replace(ticketShort, `"DC-1"`, `"DC-2"`, 1), "Idempotency-Key", "k"),
		s.call("GET", "/v1/tickets?site=DC-2", mine, ""),
	} {
		if code, field := problem(t, w); w.Code != http.StatusForbidden || code != "site_forbidden" || field != "site" {
			t.Errorf("foreign site: %d %s %s", w.Code, code, field)
		}
	}
	id := read[struct{ ID string }](t, s.call("POST", "/v1/risk-evaluations", all, foreign, "Idempotency-Key", "k")).ID
	theirs, nobodys := s.call("GET", "/v1/risk-evaluations/"+id, mine, ""), s.call("GET", "/v1/risk-evaluations/rev_nobody", mine, "")
	if theirs.Code != http.StatusNotFound || !bytes.Equal(theirs.Body.Bytes(), nobodys.Body.Bytes()) {
		t.Errorf("a foreign evaluation can be told from none: %d %s, %d %s", theirs.Code, theirs.Body, nobodys.Code, nobodys.Body)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		method, path, code string
		status             int
	}{
		{"GET", "/v1/nothing", "no_such_route", 404},
		{"DELETE", "/v1/events", "method_not_allowed", 405},
		{"GET", "/v1/count-queue?site=%00", "invalid_request", 400},
		{"GET", "/v1/count-queue?site=%ff", "invalid_request", 400},
		{"GET", "/v1/count-queue?site=%zz", "invalid_request", 400},
		{"GET", "/v1/count-queue?site=A&site=B", "invalid_request", 400},
		{"GET", "/v1/risk-evaluations/rev_%00", "invalid_request", 400},
	} {
		w := s.call(c.method, c.path, s.key(store.Scopes), "")
		if code, _ := problem(t, w); w.Code != c.status || code != c.code {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, w.Code, code, c.status, c.code)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: security headers are missing: %v", c.method, c.path, w.Header())
		}
	}
}

func TestHealthAndMetrics(t *testing.T) {
	s := start(t)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if w := s.call("GET", path, "", ""); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	s.call("POST", "/v1/events", s.key(store.Scopes), event("1", "DC-1"))
	s.call("GET", "/v1/risk-evaluations/rev_anything", s.key(store.Scopes), "")
	s.call("GET", "/wp-login.php", "", "")
	got := s.call("GET", "/metrics", "", "").Body.String()
	for _, want := range []string{
		`tallyman_http_requests_total{method="GET",route="/v1/risk-evaluations/{id}",status="404"} 1`,
		`tallyman_http_requests_total{method="any",route="none",status="404"} 1`,
		`tallyman_http_request_duration_seconds_count{route="/v1/events"} 1`,
		`tallyman_events_total{answer="refused"} 1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	for _, secret := range []string{"rev_anything", "wp-login"} {
		if strings.Contains(got, secret) {
			t.Errorf("metrics have a label of the client's: %s", secret)
		}
	}
	s.db.Close()
	if w := s.call("GET", "/readyz", "", ""); w.Code != 503 {
		t.Errorf("ready without a database: %d", w.Code)
	}
}

func zipped(t *testing.T, r io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := io.Copy(zw, r); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
