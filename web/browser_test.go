package web_test

// What a supervisor sees, in a real browser: rows and reasons, filters, empty
// states and errors, at the width of a desk and of a phone.

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A screen is what a page is looked at on.
type screen struct {
	name          string
	width, height int64
	phone, dark   bool
}

var screens = []screen{
	{"desk", 1280, 900, false, false},
	{"desk-dark", 1280, 900, false, true},
	{"phone", 390, 844, true, false},
	{"phone-dark", 390, 844, true, true},
}

// tab is an open page of a site, with what went wrong on it.
type tab struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // it is the tab
	server *httptest.Server
	screen screen

	mu    sync.Mutex
	wrong []string
}

// browser is the one of this process, started by the first test that needs it.
var browser = sync.OnceValues(func() (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.DisableGPU, chromedp.WSURLReadTimeout(2*time.Minute),
		// No process is kept ready for a page that may come, and none for what comes with the browser.
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess,RenderDocument"),
		chromedp.Flag("disable-component-extensions-with-background-pages", true))
	if shell, err := exec.LookPath("chromium-headless-shell"); err == nil {
		options = append(options, chromedp.ExecPath(shell)) // Debian's: the same pages for a third of the work
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		return nil, err
	}
	stopBrowser = func() { _ = chromedp.Cancel(ctx) } // it is gone either way
	return ctx, nil
})

// stopBrowser ends the browser, if there is one.
var stopBrowser = func() {}

// chromium is a tab in a window of its own, with its own cookies and cache.
func chromium(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser, which -short leaves out")
	}
	of, err := browser()
	if err != nil {
		if strings.Contains(err.Error(), "executable file not found") {
			t.Skip("no Chromium or Chrome found: sh scripts/setup.sh test installs one")
		}
		t.Fatalf("start the browser: %v", err)
	}
	ctx, stop := chromedp.NewContext(of, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context of its first action
		t.Fatalf("open a window: %v", err)
	}
	return ctx
}

// open opens a window on a screen.
func (s *site) open(on screen) *tab {
	s.t.Helper()
	ctx := chromium(s.t)
	server := httptest.NewServer(s.h)
	s.t.Cleanup(server.Close)
	b := &tab{t: s.t, ctx: ctx, server: server}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		s.t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, page.BringToFront, cdp.Empty{}); err != nil { // else it draws nothing
		s.t.Fatal(err)
	}
	b.turn(on)
	return b
}

// turn looks at the tab on another screen.
func (b *tab) turn(on screen) {
	b.t.Helper()
	b.screen = on
	scheme := map[bool]string{true: "dark", false: "light"}[on.dark]
	emulated := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulated); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(on.width, on.height, func(p *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
		p.Mobile = on.phone
	}))
}

// hear notes what a page must not do.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.wrong = append(b.wrong, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.wrong = append(b.wrong, fmt.Sprintf("console.%s", e.Type))
	case *log.EventEntryAdded:
		b.wrong = append(b.wrong, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventLoadingFailed:
		if e.Canceled && e.Type == network.ResourceTypeOther {
			return // the browser left the page before it had its icon
		}
		b.wrong = append(b.wrong, e.ErrorText)
	}
}

// patience is how long a browser may take over one action on a loaded machine.
const patience = time.Minute

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", b.screen.name, err)
	}
}

// eval returns what a JavaScript expression gives.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", b.screen.name, err)
	}
	return v
}

// until waits for a JavaScript expression to come true. Asking fails while the
// browser goes from one page to another.
func (b *tab) until(expression string) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && yes {
			return
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("%s: never came true: %s", b.screen.name, expression)
		case <-tick.C:
		}
	}
}

// look opens a page, which must say a text and be sound.
func (b *tab) look(name, path, says string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.server.URL + path))
	if text := eval[string](b, `document.body.innerText`); !strings.Contains(text, says) {
		b.t.Errorf("%s on %s does not say %q:\n%s", name, b.screen.name, says, text)
	}
	b.sound(name)
}

// sound checks what holds of every page: nothing wrong in the console, nothing
// beyond the edge of the screen, text that can be told from its background and
// targets that a thumb can hit.
func (b *tab) sound(name string) {
	b.t.Helper()
	if wide := eval[[]string](b, beyondTheEdge); len(wide) > 0 {
		b.t.Errorf("%s on %s is wider than the screen: %q", name, b.screen.name, wide)
	}
	if faint := eval[[]string](b, tooFaint); len(faint) > 0 {
		b.t.Errorf("%s on %s has text that is hard to read: %q", name, b.screen.name, faint)
	}
	if b.screen.phone {
		if small := eval[[]string](b, tooSmall); len(small) > 0 {
			b.t.Errorf("%s on %s has targets under 44 pixels: %q", name, b.screen.name, small)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.wrong) > 0 {
		b.t.Errorf("%s on %s: %q", name, b.screen.name, b.wrong)
		b.wrong = nil
	}
}

const beyondTheEdge = `document.documentElement.scrollWidth <= innerWidth ? [] :
	[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))`

const tooSmall = `[...document.querySelectorAll("select, button, a.button")].filter(e => e.offsetHeight > 0 && e.offsetHeight < 44).map(e => e.outerHTML.slice(0, 80))`

// tooFaint lists texts with less than the contrast of WCAG 2.2, 1.4.3: 4.5 to 1.
const tooFaint = `(() => {
	const rgb = c => (c.match(/[\d.]+/g) || []).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const under = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length == 3 || c[3] == 1) return c } return [255, 255, 255] };
	const found = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (!e.offsetHeight || ![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
		const [a, b] = [light(rgb(getComputedStyle(e).color)), light(under(e))].sort((x, y) => y - x);
		const ratio = (a + .05) / (b + .05);
		if (ratio < 4.5) found.add(e.textContent.trim().slice(0, 40) + " " + ratio.toFixed(2));
	}
	return [...found];
})()`

func TestBrowserQueue(t *testing.T) {
	s := start(t, noon)
	s.hear("DC-1", "DC-2", "DC-3")
	s.rank("DC-1", noon.Add(-20*time.Minute), 3, sample())
	s.rank("DC-2", noon.AddDate(0, 0, -2), 1, sample())
	b := s.open(screens[0])
	for _, on := range screens {
		b.turn(on)
		b.look("queue", "/queue?site=DC-1", "Not counted for 94 days, while 212 picks went through it.")
		if rows := eval[int](b, `document.querySelectorAll(".queue tbody tr").length`); rows != len(sample()) {
			t.Errorf("%d rows on %s", rows, on.name)
		}
		b.look("old", "/queue?site=DC-2", "This ranking is old.")
		b.look("unranked", "/queue?site=DC-3", "Not ranked yet")
		b.look("no-match", "/queue?site=DC-1&zone=C&class=A", "Nothing to count with this filter")
		b.look("end", "/queue?site=DC-1&after=5000", "That is the end of the queue")
	}
}

func TestBrowserBeforeThereIsAnything(t *testing.T) {
	s := start(t, noon)
	b := s.open(screens[0])
	for _, on := range screens {
		b.turn(on)
		b.look("nothing", "/queue", "No warehouse has been heard from yet")
	}
}

// Filters work without a reload, keep the address good for a bookmark and the
// back button, and come from the keyboard as well.
func TestBrowserFilters(t *testing.T) {
	s := start(t, noon)
	s.hear("DC-1", "DC-2")
	s.rank("DC-1", noon, 2, sample())
	s.rank("DC-2", noon, 2, sample()[:1])
	b := s.open(screens[0])
	b.look("filters", "/queue?site=DC-1", "SKU-10443")
	b.choose("zone", "A", "2 A", "zone=A")
	b.choose("class", "B", "1 A", "class=B&zone=A")
	b.do(chromedp.NavigateBack())
	b.until(`document.querySelectorAll(".queue tbody tr").length == 2`)
	b.choose("zone", "", "5 ABC", "")
	b.choose("site", "DC-2", "1 A", "site=DC-2")

	b.look("filters", "/queue?site=DC-1", "SKU-10443")
	b.do(chromedp.KeyEvent(kb.Tab))
	if first := eval[string](b, `document.activeElement.textContent + getComputedStyle(document.activeElement).outlineStyle`); first != "Skip to the contentsolid" {
		t.Errorf("the first stop of the keyboard is %q", first)
	}
	b.do(chromedp.Focus(chromedp.CSS("#zone")), chromedp.KeyEvent("B"))
	b.until(`location.search.includes("zone=B")`)
	if focused := eval[string](b, `document.activeElement.id`); focused != "zone" {
		t.Errorf("after filtering by keyboard the focus is on %q", focused)
	}
	b.sound("filtered")

	b.look("filters", "/queue?site=DC-1", "SKU-10443")
	b.do(chromedp.Evaluate[chromedp.Void](set("zone", "A") + set("class", "B"))) // before the answer to the first
	b.until(`["A", "B"].join() == ["zone", "class"].map(p => new URLSearchParams(location.search).get(p)).join()`)
}

// set is the JavaScript of what a click on an entry of a picker does.
func set(picker, value string) string {
	return fmt.Sprintf(`{
		const picker = document.getElementById(%q);
		picker.value = %q;
		picker.dispatchEvent(new Event("change", {bubbles: true}));
	}`, picker, value)
}

func (b *tab) pick(picker, value string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](set(picker, value)))
}

// choose picks an entry and waits for "ROWS ZONES" and the address.
func (b *tab) choose(picker, value, want, address string) {
	b.t.Helper()
	b.pick(picker, value)
	b.until(fmt.Sprintf(`new URLSearchParams(location.search).get(%q) == %q`, picker, value))
	got := eval[string](b, `document.querySelectorAll(".queue tbody tr").length + " " +
		[...new Set([...document.querySelectorAll(".tags")].map(e => (e.textContent.match(/Zone (.)/) || ["", ""])[1]))].sort().join("")`)
	if got != want {
		b.t.Errorf("%s %q shows %s, want %s", picker, value, got, want)
	}
	for part := range strings.SplitSeq(address, "&") {
		if search := eval[string](b, `location.search`); !strings.Contains(search, part) {
			b.t.Errorf("%s %q: the address says %s, want %s in it", picker, value, search, part)
		}
	}
}

// When filtering fails the page says so, whatever it is that fails.
func TestBrowserSaysThatFilteringFailed(t *testing.T) {
	s := start(t, noon)
	s.hear("DC-1")
	s.rank("DC-1", noon, 1, sample())
	b := s.open(screens[2])
	b.look("before", "/queue?site=DC-1", "SKU-10443")
	b.server.Close()
	b.pick("zone", "A")
	b.until(`!document.getElementById("unreachable").hidden`)
	b.forgive()
	b.sound("unreachable")

	b = s.open(screens[0])
	b.look("before", "/queue?site=DC-1", "SKU-10443")
	s.db.Close()
	b.pick("zone", "A")
	b.until(`document.querySelector("h1").innerText == "This page could not be made"`)
	b.forgive()
	b.sound("failed")
}

// forgive forgets the request that was meant to fail, which the browser logs.
func (b *tab) forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = nil
}
