package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"tallyman/store"
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
}

// New returns the handler of every page.
func New(db *store.DB, clock func() time.Time, log *slog.Logger) http.Handler {
	files, version := assets()
	s := &server{db: db, clock: clock, log: log, assets: "/static/" + version}
	s.pages = template.Must(template.New("").Funcs(template.FuncMap{
		"asset": func(name string) string { return s.assets + "/" + name },
	}).ParseFS(templates, "templates/*.html"))
	mux := http.NewServeMux()
	mux.Handle("GET "+s.assets+"/", cached(http.StripPrefix(s.assets, http.FileServerFS(files))))
	mux.Handle("GET /{$}", http.RedirectHandler("/queue", http.StatusSeeOther))
	mux.HandleFunc("GET /queue", s.queue)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, r, http.StatusNotFound, "message", message{"There is no such page", "The count queue is the place to start."})
	})
	return secure(mux)
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

// message is a page that says one thing.
type message struct{ Title, Text string }

// Heading names the page.
func (m message) Heading() string { return m.Title }

// page is what the frame around every page needs to know.
type page interface{ Heading() string }

// render writes a page whole or, when its template fails, an error.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name string, data page) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, data); err != nil {
		s.log.LogAttrs(r.Context(), slog.LevelError, "page not rendered", slog.String("page", name), slog.Any("error", err))
		http.Error(w, "This page could not be shown. It was logged.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser may be gone
}

// fail answers for an error that nobody on the page can do anything about.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.log.LogAttrs(r.Context(), slog.LevelError, "page failed", slog.String("path", r.URL.Path), slog.Any("error", err))
	s.render(w, r, http.StatusInternalServerError, "message", message{"This page could not be made", "The reason was logged. Try again in a moment."})
}
