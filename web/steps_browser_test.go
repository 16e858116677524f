package web_test

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// shots keeps a picture of every state that the test below walks through:
// go test ./web -run TestInABrowser -shots DIR
var shots = flag.String("shots", "", "folder for pictures of every page")

// tabs are those of a site's people; each has one, and cookies of their own.
type tabs struct {
	*site
	url string
}

func tabsOf(s *site) *tabs {
	s.t.Helper()
	served := httptest.NewServer(s.h)
	s.t.Cleanup(served.Close)
	return &tabs{s, served.URL}
}

type visitor struct {
	*tabs
	ctx  context.Context //nolint:containedctx // it is the tab
	name string
}

// enter opens a tab and signs somebody in there.
func (b *tabs) enter(login string) *visitor {
	b.t.Helper()
	v := &visitor{b, chromium(b.t), login}
	v.open("/steps")
	v.signInHere()
	return v
}

func (v *visitor) signInHere() {
	v.t.Helper()
	v.run(chromedp.Clear(chromedp.CSS("#login")), chromedp.SendKeys(chromedp.CSS("#login"), v.name), chromedp.SendKeys(chromedp.CSS("#password"), storetest.Password))
	v.click("form.stack button.primary")
	v.run(chromedp.WaitVisible(chromedp.CSS("form[action='/signout']")))
}

func (v *visitor) run(actions ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.ctx, patience)
	defer stop()
	if err := chromedp.Do(ctx, actions...); err != nil {
		v.t.Fatalf("%s: %v\n%s", v.name, err, v.text())
	}
}

func (v *visitor) text() string {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.ctx, patience)
	defer stop()
	page, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		v.t.Fatal(err)
	}
	return page
}

func (v *visitor) open(path string) { v.t.Helper(); v.run(chromedp.Navigate(v.url + path)) }

// click presses a button, which loads another page.
func (v *visitor) click(selector string) {
	v.t.Helper()
	ctx, stop := context.WithTimeout(v.ctx, patience)
	defer stop()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		v.t.Fatalf("%s: click %s: %v", v.name, selector, err)
	}
}

// reads checks what the page says, and keeps pictures of it.
func (v *visitor) reads(picture string, texts ...string) {
	v.t.Helper()
	says(v.t, v.text(), texts...)
	if *shots == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
		if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, media); err != nil {
			v.t.Fatal(err)
		}
		for name, width := range map[string]int64{"wide": 1280, "phone": 390} {
			v.run(chromedp.EmulateViewport(width, 900))
			picture := filepath.Join(*shots, picture+"-"+name+"-"+scheme+".png")
			png, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
			if err == nil {
				err = os.WriteFile(picture, png, 0o644)
			}
			if err != nil {
				v.t.Fatal(err)
			}
		}
	}
	v.run(chromedp.EmulateViewport(1280, 900))
}

const approve = "form.stack button.primary"

func TestInABrowser(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	annaID := s.person("anna", "DC-1")
	for _, login := range []string{"bert", "cleo", "dora"} {
		s.person(login, "DC-1")
	}
	s.person("eve", "DC-2")
	b := tabsOf(s)
	anna, bert, cleo, dora, eve := b.enter("anna"), b.enter("bert"), b.enter("cleo"), b.enter("dora"), b.enter("eve")

	t.Run("two people", func(t *testing.T) {
		bert.reads("inbox-empty", "Nothing waits for you")
		step := s.propose("T-1", guardrails.Party{Person: annaID})
		path := "/steps/" + string(step.ID)
		anna.open(path)
		anna.reads("self-approval", "Who proposed a step cannot approve it", "Reject", "Withdraw")
		bert.open("/steps")
		bert.reads("inbox", "Give ticket T-1 to receiving", "You can approve it.")
		bert.open(path)
		bert.reads("step", "2 still needed")
		dora.open(path)
		bert.click(approve)
		bert.reads("approved-one", "You approved it.", "✓ Bert", "1 still needed")
		cleo.open(path)
		cleo.click(approve)
		cleo.reads("approved-all", "It has every approval it needs", "approved, to be sent", "queued")
		dora.click(approve)
		dora.reads("faster", "Somebody was faster.", "✓ Bert", "✓ Cleo")
		eve.open(path)
		eve.reads("another-site", "There is no such step")
	})
	t.Run("rejected", func(t *testing.T) {
		step := s.propose("T-2", machine)
		bert.open("/steps/" + string(step.ID))
		bert.click("button[formaction$='/reject']")
		bert.reads("reason-missing", "Say why.")
		bert.run(chromedp.SendKeys(chromedp.CSS("#reason"), "It is a duplicate."))
		bert.click("button[formaction$='/reject']")
		bert.reads("rejected", "You rejected it.", "It is a duplicate.")
	})
	t.Run("overtaken", func(t *testing.T) { overtaken(t, b, bert) })
	t.Run("from elsewhere", func(t *testing.T) { fromElsewhere(t, b, bert, annaID) })
	t.Run("signed out", func(t *testing.T) {
		step := s.propose("T-7", machine)
		cleo.open("/steps/" + string(step.ID))
		if _, _, err := s.db.SignIn(t.Context(), "cleo", storetest.Password, cleo.token()); err != nil {
			t.Fatal(err)
		}
		cleo.click(approve)
		cleo.reads("session-ended", "Your session has ended", "Nothing was decided or changed")
		cleo.click("a.button")
		cleo.reads("signin", "User name", "Password")
		cleo.signInHere()
		cleo.reads("signed-in-again", "Give ticket T-7 to receiving", "2 still needed")
	})
	t.Run("step up", func(t *testing.T) { stepUp(t, b) })
}

// overtaken walks through what can happen to a step while somebody looks at it.
func overtaken(t *testing.T, b *tabs, bert *visitor) {
	t.Helper()
	t.Run("expired", func(t *testing.T) {
		step := b.propose("T-3", machine)
		bert.open("/steps/" + string(step.ID))
		b.tighten(step, guardrails.Session, time.Microsecond)
		bert.click(approve)
		bert.reads("expired", "It expired before you decided.", "Silence is not consent")
	})
	t.Run("changed", func(t *testing.T) {
		step := b.propose("T-4", machine)
		bert.open("/steps/" + string(step.ID))
		b.tighten(step, guardrails.Session, time.Hour)
		bert.click(approve)
		bert.reads("changed", "It changed while you looked.")
		bert.click(approve)
		bert.reads("changed-approved", "You approved it.")
	})
	t.Run("superseded", func(t *testing.T) {
		step := b.propose("T-5", machine)
		bert.open("/steps/" + string(step.ID))
		next, err := b.db.Propose(t.Context(), guardrails.Recommendation{
			Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: "T-5", Team: "shipping"}, Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
		}, store.Source{})
		if err != nil {
			t.Fatal(err)
		}
		bert.click(approve)
		bert.reads("superseded", "A newer step has taken its place.")
		bert.click(".notice a")
		bert.reads("successor", "Give ticket T-5 to shipping", next.Binding.Short())
	})
}

// fromElsewhere lets a page of another site send a form with somebody's cookies.
func fromElsewhere(t *testing.T, b *tabs, victim *visitor, witness guardrails.PersonID) {
	t.Helper()
	step := b.propose("T-6", machine)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<form method="post" action="` + b.url + `/steps/` + string(step.ID) + `/approve"><input type="hidden" name="binding" value="` +
			step.Binding.String() + `"><button class="button">Win a prize</button></form>`))
	}))
	defer evil.Close()
	victim.run(chromedp.Navigate(strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)))
	victim.click(".button")
	victim.reads("from-elsewhere", "This did not come from a page of Tallyman")
	after, err := b.db.StepView(t.Context(), store.Viewer{Person: witness}, step.ID)
	if err != nil || len(after.Decisions) != 0 {
		t.Errorf("a form of another site decided: %+v, %v", after.Decisions, err)
	}
}

// stepUp is a step that needs a fresh authentication, seen with an old one.
func stepUp(t *testing.T, b *tabs) {
	t.Helper()
	step := b.tighten(b.propose("T-8", machine), guardrails.Fresh, time.Hour)
	dora := b.enter("dora")
	who := store.Identity{
		Issuer: "https://id.example.com", Subject: "d", Name: "Dora", Email: "dora@example.com", AuthenticatedAt: time.Now().Add(-time.Hour),
	}
	token, _, err := b.db.SignInWith(t.Context(), &who, "")
	if err != nil {
		t.Fatal(err)
	}
	dora.setToken(token)
	dora.open("/steps/" + string(step.ID))
	dora.reads("step-up", "Sign in again")
}

func (s *site) tighten(step store.Step, auth guardrails.Strength, life time.Duration) store.Step {
	s.t.Helper()
	r, err := guardrails.Require([]guardrails.Slot{{Role: "supervisor", Count: 2}}, auth, 0, life)
	if err == nil {
		step, err = s.db.Decide(s.t.Context(), step.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: r, Policy: step.Policy})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return step
}

// token is what the tab's session is known by.
func (v *visitor) token() string {
	v.t.Helper()
	all, err := chromedp.Call(v.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range all.Cookies {
		if c.Name == "tallyman" {
			return c.Value
		}
	}
	return ""
}

func (v *visitor) setToken(token string) {
	v.t.Helper()
	httpOnly := true
	cookie := network.SetCookieParams{Name: "tallyman", Value: token, URL: v.url, HTTPOnly: &httpOnly}
	if _, err := chromedp.Call(v.ctx, network.SetCookie, cookie); err != nil {
		v.t.Fatal(err)
	}
}
