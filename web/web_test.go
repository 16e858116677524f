// The oracle of these tests is what each state of the page must say and must
// not say, on a real database; and that every page is well formed and loads
// nothing from elsewhere.
package web_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
	"tallyman/web"
)

// look serves the page of a ranked site until interrupted:
// go test ./web -run TestLook -look 127.0.0.1:8099
var look = flag.String("look", "", "address to serve sample pages at, for a browser")

func TestMain(m *testing.M) { storetest.Main(m, func() { stopBrowser() }) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

type site struct {
	t   *testing.T
	dsn string // of the owner of the tables
	db  *store.DB
	h   http.Handler
}

func start(t *testing.T, now time.Time) *site {
	t.Helper()
	return startWith(t, now, web.Config{})
}

func startWith(t *testing.T, now time.Time, config web.Config) *site {
	t.Helper()
	dsn := storetest.DSN(t)
	db := storetest.Open(t, dsn)
	h, err := web.New(db, func() time.Time { return now }, slog.New(slog.NewTextHandler(t.Output(), nil)), config)
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, dsn, db, h}
}

func (s *site) hear(codes ...warehouse.Site) {
	s.t.Helper()
	var events []warehouse.Event
	for _, code := range codes {
		events = append(events, warehouse.Event{Source: "wms", ID: "e" + string(code), Type: warehouse.Count, OccurredAt: noon, Site: code, SKU: "A", Qty: warehouse.Some(1000)})
	}
	if _, err := s.db.Ingest(s.t.Context(), events); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) rank(code warehouse.Site, asOf time.Time, watermark store.Seq, rows []store.QueueRow) {
	s.t.Helper()
	for i := range rows {
		rows[i].Position.Site = code
	}
	if _, err := s.db.ReplaceQueue(s.t.Context(), store.Ranking{Site: code, AsOf: asOf, Watermark: watermark}, rows); err != nil {
		s.t.Fatal(err)
	}
}

// get returns a page, which must be sound.
func (s *site) get(path string, status int) string {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != status {
		s.t.Fatalf("%s answers %d, want %d: %s", path, w.Code, status, w.Body)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self';") || strings.Contains(csp, "unsafe") {
		s.t.Errorf("%s: policy %q", path, csp)
	}
	page := w.Body.String()
	wellFormed(s.t, path, page)
	return page
}

var (
	void      = regexp.MustCompile(`<(meta|link|img)([^>]*)>`)
	bare      = regexp.MustCompile(` (selected|defer|hidden)\b`)
	elsewhere = regexp.MustCompile(`(?:src|href|action)="(?:https?:)?//`)
	inline    = regexp.MustCompile(`(?s) (?:style|on[a-z]+)="|<style|<script>|<script [^>]*>[^<]`)
)

func wellFormed(t *testing.T, path, page string) {
	t.Helper()
	for name, pattern := range map[string]*regexp.Regexp{"loads something from elsewhere": elsewhere, "has an inline style or script": inline} {
		if found := pattern.FindString(page); found != "" {
			t.Errorf("%s %s: %s", path, name, found)
		}
	}
	d := xml.NewDecoder(strings.NewReader(bare.ReplaceAllString(void.ReplaceAllString(page, "<$1$2/>"), "")))
	d.Entity = xml.HTMLEntity
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s is not well formed: %v", path, err)
			return
		}
	}
}

func says(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
}

func keepsQuietOf(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("the page says %q:\n%s", text, page)
		}
	}
}

func TestBeforeThereIsAnything(t *testing.T) {
	s := start(t, noon)
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/queue" {
		t.Errorf("/ answers %d to %q", w.Code, w.Header().Get("Location"))
	}
	page := s.get("/queue", 200)
	says(t, page, "No warehouse has been heard from yet", "tallyman import", "tallyman demo")
	keepsQuietOf(t, page, "<table", "<form")
	for _, asset := range regexp.MustCompile(`/static/[^"]+`).FindAllString(page, -1) {
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, asset, nil))
		if w.Code != 200 || w.Body.Len() == 0 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s answers %d with %d bytes, %v", asset, w.Code, w.Body.Len(), w.Header())
		}
	}
	s.get("/nothing", 404)
	s.get("/queue?site=%00", 400)
	s.get("/queue?site=%ff", 400)

	s.hear("DC-1")
	page = s.get("/queue", 200)
	says(t, page, "Not ranked yet", `<option value="DC-1" selected>`)
	keepsQuietOf(t, page, "<table", "This ranking is old", "Zone")
	says(t, s.get("/queue?site=<b>", 404), "There is no site &lt;b&gt;")

	s.rank("DC-1", noon, 1, nil)
	says(t, s.get("/queue", 200), "Nothing to count", "0 positions")
	s.db.Close()
	says(t, s.get("/queue", 500), "This page could not be made")
}

func TestAnOpenQueueKnowsWhoIsSignedIn(t *testing.T) {
	s := startWith(t, noon, web.Config{OpenQueue: true})
	s.hear("DC-1")
	s.role("sam", "supervisor", "DC-1")
	says(t, s.get("/queue", 200), "Sign in")
	_, page, _ := s.signIn("sam").open("/queue")
	says(t, page, "Sign out", `href="/steps"`)
	keepsQuietOf(t, page, "Sign in")
}

func TestARowSaysWhyAndHowMuch(t *testing.T) {
	s := start(t, noon)
	s.hear("DC-1", "DC-2")
	rows := sample()
	s.rank("DC-2", noon.Add(-time.Hour), 2, rows)
	page := s.get("/queue?site=DC-2", 200)
	says(t, page,
		"What to count at DC-2", "23 November 2026, 11:00 UTC", fmt.Sprintf("%d positions", len(rows)),
		"A-01-03-2", "SKU-10443", "Zone A", "Class A", "<strong>62 %</strong> <span>likely wrong; an error would be about 31 units, 2\u202f071\u00a0USD</span>", `<rect class="fill" width="62"`,
		"1\u202f284", ">USD<", "4 minutes to count", "94 days ago", "book <span>118</span>",
		"Not counted for 94 days, while 212 picks went through it.",
		"UTC.</span> Lately 17\u00a0% of counts here are off.</p>", "random control", "never", "no cost known", "book not known", "Nothing stands out.", ` class="below">-6<`, ">waits for approval<",
		`<option value="A">A (2)</option>`,
	)
	keepsQuietOf(t, page, "This ranking is old", "New events have come", "fourth reason", ">XXX<", "Next positions")

	page = s.get("/queue?site=DC-2&zone=A", 200)
	says(t, page, `<option value="A" selected>`, "A-01-03-2")
	keepsQuietOf(t, page, "B-02-11-1")
	page = s.get("/queue?site=DC-2&zone=C&class=A", 200)
	says(t, page, "Nothing to count with this filter", `href="/queue?site=DC-2"`)
	says(t, s.get("/queue?site=DC-2&zone=elsewhere", 200), "B-02-11-1")
	says(t, s.get("/queue?site=DC-2&after=9999", 200), "That is the end of the queue")
	says(t, s.get("/queue?site=DC-2&after=x", 200), "A-01-03-2")
}

func TestARankingThatFellBehind(t *testing.T) {
	s := start(t, noon)
	s.hear("DC-1")
	s.rank("DC-1", noon, 0, sample())
	page := s.get("/queue", 200)
	says(t, page, "New events have come since")
	keepsQuietOf(t, page, "This ranking is old")

	late := start(t, noon.AddDate(0, 0, 3))
	late.hear("DC-1")
	late.rank("DC-1", noon, 0, sample())
	says(t, late.get("/queue", 200), "This ranking is old.", "It was made 3 days ago and has not seen the newest events")
}

func TestALongQueueHasPages(t *testing.T) {
	s := start(t, noon)
	s.hear("DC-1")
	rows := make([]store.QueueRow, 101)
	for i := range rows {
		rows[i] = store.QueueRow{Rank: i + 1, Position: warehouse.Position{Location: warehouse.Location(fmt.Sprintf("L-%03d", i+1)), SKU: "A"}, Zone: "Z", Class: "A", Probability: 0.3, Minutes: 1, Propensity: 1}
	}
	s.rank("DC-1", noon, 1, rows)
	page := s.get("/queue?site=DC-1&zone=Z", 200)
	says(t, page, "L-050", `href="/queue?after=50&amp;site=DC-1&amp;zone=Z"`)
	keepsQuietOf(t, page, "L-051", "Back to the top")
	page = s.get("/queue?after=100&site=DC-1&zone=Z", 200)
	says(t, page, "L-101", "Back to the top")
	keepsQuietOf(t, page, "Next positions", "L-100")
}

func TestLook(t *testing.T) {
	if *look == "" {
		t.Skip("serves sample pages with -look ADDRESS")
	}
	s := start(t, noon)
	s.hear("DC-1", "DC-2", "DC-3")
	s.rank("DC-1", noon.Add(-20*time.Minute), 3, sample())
	s.rank("DC-2", noon.AddDate(0, 0, -2), 1, sample())
	t.Log(http.ListenAndServe(*look, s.h))
}

// sample is a queue with every kind of row.
func sample() []store.QueueRow {
	why := func(texts ...string) []store.Reason {
		reasons := make([]store.Reason, len(texts))
		for i, text := range texts {
			reasons[i] = store.Reason{Code: "CODE", Text: text, Contribution: 1}
		}
		return reasons
	}
	usd := func(minor int64) warehouse.Money { return warehouse.Money{Minor: minor, Currency: "USD"} }
	at := func(location, sku string) warehouse.Position {
		return warehouse.Position{Location: warehouse.Location(location), SKU: warehouse.SKU(sku)}
	}
	rows := []store.QueueRow{
		{
			Position: at("A-01-03-2", "SKU-10443"), Zone: "A", Class: "A", Probability: 0.62, Size: 31.4, Loss: usd(128_437), Minutes: 3.6,
			LastCount: noon.AddDate(0, 0, -94), Book: warehouse.Some(118_000),
			Reasons: why("Not counted for 94 days, while 212 picks went through it.", "The last two counts here were short, by 9 and 14 units.", "Its neighbours were wrong in 4 of the last 10 counts.", "A fourth reason is left out: fourth reason."),
		},
		{
			Position: at("B-02-11-1", "SKU-20118"), Zone: "B", Class: "A", Probability: 0.91, Loss: usd(40_250), Minutes: 2,
			LastCount: noon.AddDate(0, 0, -12), Book: warehouse.Some(-6_000),
			Reasons: why("The book is below zero, which no shelf can be.", "A picker found less than asked for three times this month."),
		},
		{
			Position: at("C-07-02-4", "SKU-31007-BLUE-LARGE"), Zone: "C", Class: "B", Probability: 0.34, Loss: warehouse.Money{Minor: 9_925, Currency: warehouse.NoCurrency}, Minutes: 6.2,
			Book: warehouse.Some(1_240_500), Reasons: why("It was never counted since stock was first put here.", "Quantities here arrive in packs of 12, and two receipts look like packs booked as pieces."),
		},
		{Position: at("A-04-01-1", "SKU-11902"), Zone: "A", Class: "B", Probability: 0.08, Loss: usd(312), Minutes: 0.6, LastCount: noon.AddDate(0, 0, -1), Book: warehouse.Some(0), Control: true},
		{Position: at("main", "SKU-40001"), Probability: 0.17, Minutes: 1, Reasons: []store.Reason{{Code: "SITE_ERRS_NOW", Text: "Lately 17 % of counts here are off."}}},
	}
	for i := range rows {
		rows[i].Rank, rows[i].Propensity = i+1, 1
	}
	return rows
}
