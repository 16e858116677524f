package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

// roles are all that a policy might ask for.
var roles = []guardrails.Role{
	"supervisor", "inventory_control", "procurement", "supplier_manager", "ap", "finance", "controller", "transportation", "customer_service", "it",
}

// person makes somebody who holds every role at the sites.
func (s *site) person(login string, sites ...warehouse.Site) guardrails.PersonID {
	s.t.Helper()
	id := storetest.Person(s.t, s.db, login, strings.ToUpper(login[:1])+login[1:])
	for _, code := range sites {
		storetest.Grant(s.t, s.db, id, code, roles...)
	}
	return id
}

// propose makes a step by a party that two supervisors must approve.
func (s *site) propose(ticket string, by guardrails.Party) store.Step {
	s.t.Helper()
	by.Part = guardrails.Proposer
	step, err := s.db.Propose(s.t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: ticket, Team: "receiving"}, Parties: []guardrails.Party{by},
		Evidence: guardrails.Evidence{Body: []byte(`{"score_ppm":620000,"reasons":[{"text":"Three tickets of this load went there."}]}`)},
	}, store.Source{})
	if err != nil {
		s.t.Fatal(err)
	}
	two, err := guardrails.Require([]guardrails.Slot{{Role: "supervisor", Count: 2}}, guardrails.Session, 0, 20*time.Hour)
	if err == nil {
		step, err = s.db.Decide(s.t.Context(), step.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: two, Policy: step.Policy})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return step
}

var machine = guardrails.Party{Ref: "llm:v1"}

// client is somebody who looks, with cookies.
type client struct {
	*site
	cookies map[string]string
}

func (s *site) browser() *client { return &client{s, map[string]string{}} }

// signIn returns a browser in which somebody is signed in.
func (s *site) signIn(login string) *client {
	s.t.Helper()
	b := s.browser()
	if status, _, to := b.post("/signin", "login", login, "password", storetest.Password, "next", "/steps"); status != http.StatusSeeOther || to != "/steps" {
		s.t.Fatalf("sign in as %s: %d to %q", login, status, to)
	}
	return b
}

func (b *client) send(r *http.Request) (status int, page, to string) {
	b.t.Helper()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c.Value
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			b.t.Errorf("cookie %v", c)
		}
	}
	if page = w.Body.String(); strings.Contains(w.Header().Get("Content-Type"), "html") && w.Code != http.StatusSeeOther {
		wellFormed(b.t, r.URL.Path, page)
	}
	return w.Code, page, w.Header().Get("Location")
}

func (b *client) open(path string) (status int, page, to string) {
	b.t.Helper()
	return b.send(httptest.NewRequest(http.MethodGet, path, nil))
}

func (b *client) post(path string, form ...string) (status int, page, to string) {
	b.t.Helper()
	r := b.form(path, form...)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(r)
}

func (b *client) form(path string, form ...string) *http.Request {
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestSigningIn(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1", "DC-2")
	nobody := s.browser()
	if status, _, _ := nobody.open("/queue"); status != 200 {
		t.Errorf("before the first account /queue answers %d", status)
	}
	s.person("anna", "DC-1")
	for path, want := range map[string]string{"/queue?site=DC-1": "/signin?next=%2Fqueue%3Fsite%3DDC-1", "/steps": "/signin?next=%2Fsteps", "/me": "/signin?next=%2Fme"} {
		if status, _, to := nobody.open(path); status != http.StatusSeeOther || to != want {
			t.Errorf("%s answers %d to %q", path, status, to)
		}
	}
	if status, page, _ := nobody.post("/steps/st_x/approve"); status != 401 || !strings.Contains(page, "Your session has ended") || !strings.Contains(page, "next=%2Fsteps%2Fst_x") {
		t.Errorf("deciding without a session: %d %s", status, page)
	}
	_, page, _ := nobody.open("/signin?next=//evil.example")
	says(t, page, `name="next" value="/steps"`, `autocomplete="current-password"`)
	status, page, _ := nobody.post("/signin", "login", "anna", "password", "wrong wrong wrong")
	if says(t, page, "That did not work"); status != 401 {
		t.Errorf("a wrong password: %d", status)
	}
	for name, header := range map[string]string{"elsewhere": "cross-site", "a sibling": "same-site"} {
		r := nobody.form("/signin", "login", "anna", "password", storetest.Password)
		r.Header.Set("Sec-Fetch-Site", header)
		if status, page, _ := nobody.send(r); status != 403 || !strings.Contains(page, "Nothing was changed") {
			t.Errorf("a form from %s: %d", name, status)
		}
	}
	if status, _, _ := nobody.send(nobody.form("/signin", "login", "anna", "password", storetest.Password)); status != 403 {
		t.Errorf("a form from nowhere: %d", status)
	}
	anna := s.signIn("anna")
	_, page, _ = anna.open("/queue")
	says(t, page, "Anna", "Sign out", "DC-1")
	keepsQuietOf(t, page, `value="DC-2"`)
	if status, _, _ := anna.open("/queue?site=DC-2"); status != 404 {
		t.Errorf("another's site: %d", status)
	}
	_, page, _ = anna.open("/steps")
	says(t, page, "Nothing waits for you")
	if status, _, to := anna.post("/signout"); status != 303 || to != "/signin" {
		t.Errorf("sign out: %d to %s", status, to)
	}
	if status, _, _ := anna.open("/steps"); status != 303 {
		t.Errorf("after signing out: %d", status)
	}
}

func TestTwoPeopleApprove(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	annaID := s.person("anna", "DC-1")
	for _, login := range []string{"bert", "cleo", "dora"} {
		s.person(login, "DC-1")
	}
	s.person("eve", "DC-2")
	step := s.propose("T-1", guardrails.Party{Person: annaID})
	path, binding := "/steps/"+string(step.ID), step.Binding.String()

	anna, bert, cleo, dora, eve := s.signIn("anna"), s.signIn("bert"), s.signIn("cleo"), s.signIn("dora"), s.signIn("eve")
	_, page, _ := anna.open(path)
	says(t, page, "Who proposed a step cannot approve it", "62 %", "Three tickets of this load went there.", "proposed by Anna", "2 still needed", `&#34;ticket&#34;:&#34;T-1&#34;`,
		binding[:8], "Withdraw", "people, who carry it out by hand", "What takes it back", `{&#34;action&#34;:&#34;cancel&#34;`, "approval given"[:8])
	keepsQuietOf(t, page, ">Approve</button>")
	status, page, _ := anna.post(path+"/approve", "binding", binding)
	if says(t, page, "You cannot approve this one", "nor anybody for them"); status != 409 {
		t.Errorf("self-approval: %d", status)
	}
	for _, do := range []func() (int, string, string){
		func() (int, string, string) { return eve.open(path) },
		func() (int, string, string) { return eve.post(path+"/approve", "binding", binding) },
		func() (int, string, string) { return eve.post(path+"/withdraw", "reason", "x") },
		func() (int, string, string) { return bert.open("/steps/st_none") },
		func() (int, string, string) { return bert.open("/steps/%00") },
	} {
		if status, page, _ := do(); status != 404 || !strings.Contains(page, "There is no such step") {
			t.Errorf("a step of another site: %d", status)
		}
	}
	_, page, _ = bert.open("/steps")
	says(t, page, "Give ticket T-1 to receiving", "You can approve it", "needs 2 supervisor")
	status, page, _ = bert.post(path+"/reject", "binding", binding, "reason", "  ")
	if says(t, page, "Say why"); status != 422 {
		t.Errorf("a rejection without a reason: %d", status)
	}
	status, page, _ = bert.post(path+"/approve", "binding", strings.Repeat("0", 64), "reason", "as I said")
	if says(t, page, "It changed while you looked", "as I said</textarea>"); status != 409 {
		t.Errorf("another binding: %d", status)
	}
	if status, _, _ := bert.post(path+"/approve", "binding", "x"); status != 400 {
		t.Errorf("no binding: %d", status)
	}
	if status, _, to := bert.post(path+"/approve", "binding", binding, "reason", "looks right"); status != 303 || to != path+"?did=approve" {
		t.Fatalf("approve: %d to %s", status, to)
	}
	_, page, _ = bert.open(path + "?did=approve")
	says(t, page, "You approved it", "still needs the approval of others", "✓ Bert", "1 still needed", "looks right", "One human fills one slot")
	status, page, _ = bert.post(path+"/approve", "binding", binding)
	if says(t, page, "You have decided this already"); status != 409 {
		t.Errorf("twice: %d", status)
	}
	_, page, _ = bert.open("/steps")
	says(t, page, "Nothing waits for you")
	if status, _, _ := cleo.post(path+"/approve", "binding", binding); status != 303 {
		t.Fatalf("the second approval: %d", status)
	}
	status, page, _ = dora.post(path+"/approve", "binding", binding)
	if says(t, page, "Somebody was faster", "approved as supervisor", "queued"); status != 409 {
		t.Errorf("the third: %d", status)
	}
	_, page, _ = dora.open("/steps?show=open")
	says(t, page, "approved, to be sent")
}

// Between a click and the page that follows, others go on.
func TestRejectedBeforeTheNextPage(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	s.person("anna", "DC-1")
	s.person("bert", "DC-1")
	step := s.propose("T-1", machine)
	path, binding := "/steps/"+string(step.ID), step.Binding.String()
	anna, bert := s.signIn("anna"), s.signIn("bert")
	_, _, next := anna.post(path+"/approve", "binding", binding)
	if status, _, _ := bert.post(path+"/reject", "binding", binding, "reason", "it is a duplicate"); status != http.StatusSeeOther {
		t.Fatalf("reject: %d", status)
	}
	_, page, _ := anna.open(next)
	says(t, page, "You approved it, but it was rejected.", "It is a duplicate.")
	keepsQuietOf(t, page, "every approval it needs", "on its way")
	_, page, _ = bert.open(next)
	keepsQuietOf(t, page, "You approved it")
}

func TestUnderYourEyes(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	s.person("anna", "DC-1")
	anna := s.signIn("anna")
	old := s.propose("T-1", machine)
	next, err := s.db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: "T-1", Team: "shipping"}, Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
	}, store.Source{})
	if err != nil {
		t.Fatal(err)
	}
	status, page, _ := anna.post("/steps/"+string(old.ID)+"/approve", "binding", old.Binding.String())
	if says(t, page, "A newer step has taken its place", `href="/steps/`+string(next.ID)+`"`); status != 409 {
		t.Errorf("superseded: %d", status)
	}
	_, page, _ = anna.open("/steps/" + string(old.ID))
	says(t, page, "A newer step has taken its place", "There is nothing to decide now", "superseded")

	blocked, err := s.db.Propose(t.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.InventoryAdjustment{Location: "A-1", SKU: "S", Book: 5000, Counted: 3000, Reason: "counted"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "key:wms"}},
	}, store.Source{})
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ = anna.open("/steps/" + string(blocked.ID))
	says(t, page, "It is blocked", "not known who the counter is", "Set the book of S at A-1 from 5 to 3")
	_, page, _ = anna.open("/steps?show=open&action=inventory_adjustment")
	says(t, page, "blocked by policy")
	_, page, _ = anna.open("/steps?show=open&action=invoice_pause")
	says(t, page, "Nothing with this filter")
	_, page, _ = anna.open("/steps?show=done")
	says(t, page, "superseded")
}

func TestSeveralTogether(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	s.person("anna", "DC-1")
	anna := s.signIn("anna")
	var boxes []string
	for _, ticket := range []string{"T-1", "T-2"} {
		step, err := s.db.Propose(t.Context(), guardrails.Recommendation{
			Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: ticket, Team: "receiving"}, Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
		}, store.Source{})
		if err != nil {
			t.Fatal(err)
		}
		boxes = append(boxes, "step", string(step.ID)+" "+step.Binding.String())
	}
	_, page, _ := anna.post("/steps?show=mine", boxes...)
	says(t, page, "Nothing was approved", "“Give ticket T-1 to receiving” was not opened by you.", "Open it once")
	for i := 1; i < len(boxes); i += 2 {
		id, _, _ := strings.Cut(boxes[i], " ")
		anna.open("/steps/" + id)
	}
	_, page, _ = anna.open("/steps")
	if n := len(regexp.MustCompile(`type="checkbox"`).FindAllString(page, -1)); n != 2 {
		t.Errorf("%d steps can be ticked", n)
	}
	for range 2 { // the second time they are approved already
		status, _, to := anna.post("/steps?show=mine", boxes...)
		if status != http.StatusSeeOther {
			t.Errorf("together: %d", status)
		}
		_, page, _ = anna.open(to)
		says(t, page, "2 of 2 approved", "Give ticket T-1 to receiving</a>: Approved.", "Nothing waits for you")
	}
	id, _, _ := strings.Cut(boxes[1], " ")
	if status, _, _ := anna.post("/steps/"+id+"/withdraw", "reason", "a duplicate"); status != http.StatusSeeOther {
		t.Errorf("withdraw: %d", status)
	}
	_, page, _ = anna.open("/steps?show=mine&answered=" + id)
	says(t, page, "Give ticket T-1 to receiving</a>: Approved, but it was withdrawn.")
	_, page, _ = anna.post("/steps?show=mine")
	says(t, page, "Nothing was approved")
}

func TestACountIsApprovedFromTheQueue(t *testing.T) {
	s := start(t, noon)
	s.hear("DC-1")
	s.rank("DC-1", noon, 1, sample()[:2])
	s.person("anna", "DC-1")
	anna := s.signIn("anna")
	_, page, _ := anna.open("/queue?site=DC-1")
	form := regexp.MustCompile(`action="(/steps/[^"]+/approve)"><input type="hidden" name="binding" value="([0-9a-f]{64})"`).FindStringSubmatch(page)
	if form == nil {
		t.Fatalf("nothing to approve: %s", page)
	}
	if status, _, to := anna.post(form[1], "binding", form[2], "back", "/queue?site=DC-1"); status != 303 || to != "/queue?site=DC-1" {
		t.Errorf("approve a count: %d to %s", status, to)
	}
	_, page, _ = anna.open("/queue?site=DC-1")
	says(t, page, "approved, to be sent")
	s.rank("DC-1", noon.Add(time.Minute), 2, sample()[:2])
	_, page, _ = anna.open(strings.TrimSuffix(form[1], "/approve"))
	says(t, page, "approved, to be sent", "queued")
}

func TestDelegation(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	annaID := s.person("anna", "DC-1")
	bertID := s.person("bert", "DC-1")
	anna, bert := s.signIn("anna"), s.signIn("bert")
	today := time.Now().UTC().Format(time.DateOnly)
	if status, page, _ := anna.post("/me/delegations", "to", itoa(bertID), "begin", today, "end", today); status != 422 || !strings.Contains(page, "Nothing was changed") {
		t.Errorf("no action: %d", status)
	}
	delegate := func(b *client) (int, string, string) {
		return b.post("/me/delegations", "to", itoa(bertID), "begin", today, "end", today, "action", "route_ticket")
	}
	s.age()
	status, page, _ := delegate(anna)
	if status != 409 {
		t.Errorf("with a sign-in of an hour ago: %d", status)
	}
	says(t, page, "Sign in again first", `href="/signin?again=1&amp;next=/me"`)
	_, page, _ = bert.open("/me")
	keepsQuietOf(t, page, "<strong>Anna</strong>")
	anna = s.signIn("anna")
	if status, _, to := delegate(anna); status != 303 || to != "/me" {
		t.Fatalf("delegate: %d", status)
	}
	_, page, _ = bert.open("/me")
	says(t, page, "For whom you decide", "<strong>Anna</strong>", "Route ticket", "supervisor")
	step := s.propose("T-1", machine)
	path := "/steps/" + string(step.ID)
	_, page, _ = bert.open(path)
	says(t, page, ">Anna</option>")
	if status, _, _ := bert.post(path+"/approve", "binding", step.Binding.String(), "for", itoa(annaID)); status != 303 {
		t.Errorf("for another: %d", status)
	}
	_, page, _ = anna.open(path)
	says(t, page, "Bert for Anna", "One human fills one slot")
	id := regexp.MustCompile(`/me/delegations/(\d+)/end`).FindString(func() string { _, p, _ := anna.open("/me"); return p }())
	if status, _, _ := anna.post(id); status != 303 {
		t.Errorf("end: %d", status)
	}
	_, page, _ = bert.open("/me")
	keepsQuietOf(t, page, "<strong>Anna</strong>,")
}

func itoa(id guardrails.PersonID) string { return strconv.FormatInt(int64(id), 10) }
