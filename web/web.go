package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tallyman/store"
	"tallyman/triage"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed static
var static embed.FS

type server struct {
	db     *store.DB
	clock  func() time.Time
	log    *slog.Logger
	pages  *template.Template
	assets string // path below which the static files are
	public string // address of this site as browsers see it, "" when not said
	secure bool   // it is reached by HTTPS
	oidc   *provider

	openQueue bool // anybody may read it

	taxonomy *triage.Taxonomy
}

// Config says how browsers and an identity provider reach the pages.
type Config struct {
	PublicURL string // such as https://tallyman.example.com; needed for OIDC and for safe cookies
	OIDC      *OIDC  // nil for local accounts only
	OpenQueue bool   // whoever reaches the address may read the queue of every site

	Taxonomy *triage.Taxonomy // of tickets; nil for the default one
}

// New returns the handler of every page.
func New(db *store.DB, clock func() time.Time, log *slog.Logger, config Config) (http.Handler, error) {
	files, version := assets()
	s := &server{db: db, clock: clock, log: log, assets: "/static/" + version}
	s.public = strings.TrimSuffix(config.PublicURL, "/")
	s.openQueue = config.OpenQueue
	if s.taxonomy = config.Taxonomy; s.taxonomy == nil {
		s.taxonomy = triage.DefaultTaxonomy()
	}
	s.secure = strings.HasPrefix(s.public, "https://")
	var err error
	if s.oidc, err = newProvider(config.OIDC, s.public); err != nil {
		return nil, err
	}
	s.pages = template.Must(template.New("").Funcs(template.FuncMap{
		"asset": func(name string) string { return s.assets + "/" + name },
	}).ParseFS(templates, "templates/*.html"))
	mux := http.NewServeMux()
	mux.Handle("GET "+s.assets+"/", cached(http.StripPrefix(s.assets, http.FileServerFS(files))))
	mux.Handle("GET /{$}", http.RedirectHandler("/queue", http.StatusSeeOther))
	mux.HandleFunc("GET /queue", s.queueReaders(s.queue))
	mux.HandleFunc("GET /signin", s.signInForm)
	mux.HandleFunc("POST /signin", s.signIn)
	mux.HandleFunc("POST /signout", s.signed(s.signOut))
	mux.HandleFunc("GET /oidc/start", s.startOIDC)
	mux.HandleFunc("GET /oidc/callback", s.finishOIDC)
	mux.HandleFunc("GET /steps", s.signed(s.inbox))
	mux.HandleFunc("POST /steps", s.signed(s.approveTogether))
	mux.HandleFunc("GET /steps/{id}", s.signed(s.step))
	mux.HandleFunc("POST /steps/{id}/{verb}", s.signed(s.decide))
	mux.HandleFunc("POST /steps/{id}/done", s.signed(s.tell(true)))
	mux.HandleFunc("POST /steps/{id}/not-done", s.signed(s.tell(false)))
	mux.HandleFunc("GET /tickets", s.signed(s.tickets))
	mux.HandleFunc("GET /tickets/{id}", s.signed(s.ticket))
	mux.HandleFunc("POST /tickets/{id}/{verb}", s.signed(s.changeTicket))
	mux.HandleFunc("GET /glass", s.signed(s.glass))
	mux.HandleFunc("POST /glass/{id}", s.signed(s.reviewGlass))
	mux.HandleFunc("GET /me", s.signed(s.me))
	mux.HandleFunc("POST /me/delegations", s.signed(s.delegate))
	mux.HandleFunc("POST /me/delegations/{id}/end", s.signed(s.endDelegation))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, r, http.StatusNotFound, "message", say("There is no such page", "The count queue is the place to start."))
	})
	fromHere, err := s.fromHere(mux)
	return secure(limited(fromHere)), err
}

// fromHere refuses what another site makes a browser send. Browsers say where a
// request comes from; one that says nothing changes nothing here.
func (s *server) fromHere(next http.Handler) (http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	if s.public != "" {
		if err := protection.AddTrustedOrigin(s.public); err != nil {
			return nil, fmt.Errorf("public URL: %w", err)
		}
	}
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.render(w, r, http.StatusForbidden, "message", say("This did not come from a page of Tallyman",
			"Another site, or something between you and this one, sent it. Nothing was changed. Open the page here and try again."))
	})
	protection.SetDenyHandler(refuse)
	checked := protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
			refuse(w, r)
			return
		}
		checked.ServeHTTP(w, r)
	}), nil
}

// maxForm bounds what a form may send, in bytes.
const maxForm = 64 << 10

func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// assets returns the static files and a name for this version of them.
func assets() (fs.FS, string) {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the path is a constant
	}
	sum := sha256.New()
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		sum.Write(content)
		return err
	})
	if err != nil {
		panic(err) // the files are in the program
	}
	return files, hex.EncodeToString(sum.Sum(nil))[:12]
}

// cached lets a browser keep what never changes under its name.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		next.ServeHTTP(w, r)
	})
}

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// render writes a page whole or, when its template fails, an error.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name string, data page) {
	if f := data.around(); f != nil {
		s.fill(r, f)
	}
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, data); err != nil {
		s.log.LogAttrs(r.Context(), slog.LevelError, "page not rendered", slog.String("page", name), slog.Any("error", err))
		http.Error(w, "This page could not be shown. It was logged.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(seen(b.Bytes())) // the browser may be gone
}

// fill says in the frame who is signed in and what waits for them.
func (s *server) fill(r *http.Request, f *frame) {
	f.Here, _, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	v := viewerOf(r.Context())
	if v == nil {
		f.Login, _ = s.mustSignIn(r.Context()) // the page itself says what is wrong
		return
	}
	f.Name = v.Name
	if n, err := s.db.WaitingSteps(r.Context(), v.Person); err == nil && n > 0 {
		f.Waiting = strconv.Itoa(min(n, 99))
	}
}

// fail answers for an error that nobody on the page can do anything about.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.log.LogAttrs(r.Context(), slog.LevelError, "page failed", slog.String("path", r.URL.Path), slog.Any("error", err))
	s.render(w, r, http.StatusInternalServerError, "message", say("This page could not be made", "The reason was logged. Try again in a moment."))
}
