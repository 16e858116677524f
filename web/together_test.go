package web_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
	"tallyman/web"
)

// startAsOwner is start with a connection of who owns the tables.
func startAsOwner(t *testing.T) (*site, *pgx.Conn) {
	t.Helper()
	dsn := storetest.DSN(t)
	db := storetest.Open(t, dsn)
	owner, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(t.Context()) })
	h, err := web.New(db, time.Now, slog.New(slog.NewTextHandler(t.Output(), nil)), web.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, dsn, db, h}, owner
}

func (s *site) ask(code warehouse.Site, a guardrails.Action) store.Step {
	s.t.Helper()
	step, err := s.db.Propose(s.t.Context(), guardrails.Recommendation{
		Site: code, Action: a, Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}}, Facts: guardrails.Facts{ValueMinor: 100, Currency: "USD"},
	}, store.Source{})
	if err != nil {
		s.t.Fatal(err)
	}
	return step
}

func box(s store.Step) string { return string(s.ID) + " " + s.Binding.String() }

// What may go together is of one action at one site, and each group has its own
// button, so that no tick leads to a refusal of all.
func TestGroupsGoTogether(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1", "DC-2")
	s.person("anna", "DC-1", "DC-2")
	anna := s.signIn("anna")
	steps := []store.Step{
		s.ask("DC-1", &guardrails.RouteTicket{Ticket: "T-1", Team: "receiving"}),
		s.ask("DC-1", &guardrails.RouteTicket{Ticket: "T-2", Team: "receiving"}),
		s.ask("DC-2", &guardrails.RouteTicket{Ticket: "T-3", Team: "receiving"}),
		s.ask("DC-1", &guardrails.CountPosition{Location: "A-1", SKU: "S"}),
	}
	for _, step := range steps {
		anna.open("/steps/" + string(step.ID))
	}
	_, page, _ := anna.open("/steps?show=mine")
	forms := map[string]string{}
	for _, m := range regexp.MustCompile(`id="(together-\d)"><button type="submit" class="primary">Approve what is ticked: ([^<]+)<`).FindAllStringSubmatch(page, -1) {
		forms[m[2]] = m[1]
	}
	if len(forms) != 3 {
		t.Fatalf("the groups are %v", forms)
	}
	for i, label := range []string{"Route ticket at DC-1", "Route ticket at DC-1", "Route ticket at DC-2", "Count position at DC-1"} {
		says(t, page, `value="`+box(steps[i])+`" form="`+forms[label]+`"`)
	}
	status, page, _ := anna.post("/steps?show=mine", "step", box(steps[0]), "step", box(steps[3]))
	if says(t, page, "Nothing was approved", "“Count S at A-1” is of another action or site."); status != http.StatusConflict {
		t.Errorf("a mixture: %d", status)
	}
	_, page, _ = anna.open("/steps?show=mine&action=count_position")
	says(t, page, ">Approve what is ticked</button>")
}

// A reload asks for the same answers and approves nothing again, and the page
// stays the one that was looked at.
func TestTogetherSendsBack(t *testing.T) {
	s := start(t, time.Now())
	s.hear("DC-1")
	s.person("anna", "DC-1")
	s.person("bert", "DC-1")
	anna := s.signIn("anna")
	first, second := s.ask("DC-1", &guardrails.RouteTicket{Ticket: "T-1", Team: "receiving"}), s.ask("DC-1", &guardrails.RouteTicket{Ticket: "T-2", Team: "receiving"})
	for _, step := range []store.Step{first, second} {
		anna.open("/steps/" + string(step.ID))
	}
	if _, err := s.db.Decide(t.Context(), second.ID, store.By{Machine: "test"}, guardrails.Withdraw{Reason: "no more"}); err != nil {
		t.Fatal(err)
	}
	after := url.Values{"after": {time.Now().UTC().Format(time.RFC3339Nano) + " st_x"}, "show": {"mine"}}.Encode()
	status, _, to := anna.post("/steps?"+after, "step", box(first), "step", box(second))
	if status != http.StatusSeeOther || !strings.HasPrefix(to, "/steps?"+after+"&answered=") {
		t.Fatalf("%d to %s", status, to)
	}
	for range 2 {
		_, page, _ := anna.open(to)
		says(t, page, "1 of 2 approved", "Give ticket T-1 to receiving</a>: Approved.", "Give ticket T-2 to receiving</a>: The step is withdrawn")
	}
	_, page, _ := s.signIn("bert").open(to)
	says(t, page, "0 of 2 approved")
	_, page, _ = anna.open("/steps?answered=st_none,%00," + strings.Repeat("x,", 1000))
	keepsQuietOf(t, page, "of 0", "0 of", "of 1 approved", `class="answers"`)
}

// Who decides for another is told so, not that they cannot.
func TestTheInboxKnowsDelegations(t *testing.T) {
	s, _ := startAsOwner(t)
	s.hear("DC-1")
	anna, bert := s.person("anna", "DC-1"), s.person("bert")
	by, now := store.Administrator{}, time.Now()
	if err := s.db.GrantRole(t.Context(), by, bert, guardrails.Grant{Role: "transportation", Site: "DC-1"}); err != nil {
		t.Fatal(err)
	}
	step := s.ask("DC-1", &guardrails.RouteTicket{Ticket: "T-1", Team: "receiving"})
	b := s.signIn("bert")
	_, page, _ := b.open("/steps?show=open")
	says(t, page, "which you do not hold there")
	err := s.db.Delegate(t.Context(), by, guardrails.Delegation{
		From: anna, To: bert, Kinds: []guardrails.Kind{guardrails.KindRouteTicket}, Sites: []warehouse.Site{"*"}, Limit: guardrails.Limit{Unlimited: true},
		Begin: now.Add(-time.Hour), End: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ = b.open("/steps")
	says(t, page, "You can approve it for Anna.", "Open it to decide.", `waiting for you: </span>1</span>`)
	keepsQuietOf(t, page, "which you do not hold there", "checkbox")
	if status, _, _ := b.post("/steps/"+string(step.ID)+"/approve", "binding", step.Binding.String(), "for", itoa(anna)); status != http.StatusSeeOther {
		t.Errorf("for Anna: %d", status)
	}
}

// Only what somebody can mend is called their fault.
func TestADelegationThatFailsHereIsOurs(t *testing.T) {
	s, owner := startAsOwner(t)
	s.hear("DC-1")
	s.person("anna", "DC-1")
	bert := s.person("bert", "DC-1")
	anna, today := s.signIn("anna"), time.Now().UTC().Format(time.DateOnly)
	send := func(to, end string) (int, string) {
		status, page, _ := anna.post("/me/delegations", "to", to, "begin", today, "end", end, "action", "route_ticket")
		return status, page
	}
	for name, form := range map[string][2]string{"nobody": {"4711", today}, "too long": {itoa(bert), "2099-01-01"}} {
		if status, page := send(form[0], form[1]); status != http.StatusUnprocessableEntity || !strings.Contains(page, "Nothing was changed") {
			t.Errorf("%s: %d", name, status)
		}
	}
	if _, err := owner.Exec(t.Context(), `revoke insert on delegation from `+store.AppRole); err != nil {
		t.Fatal(err)
	}
	if status, page := send(itoa(bert), today); status != http.StatusInternalServerError || !strings.Contains(page, "The reason was logged") {
		t.Errorf("a database that refuses: %d", status)
	}
}

// The number in the frame of every page costs no payload.
func TestTheCountOfWhatWaitsReadsNoPayload(t *testing.T) {
	s, owner := startAsOwner(t)
	s.hear("DC-1")
	s.person("anna", "DC-1")
	s.ask("DC-1", &guardrails.RouteTicket{Ticket: "T-1", Team: "receiving"})
	anna := s.signIn("anna")
	if _, err := owner.Exec(t.Context(), `revoke select on recommendation from tallyman_viewer, `+store.AppRole); err != nil {
		t.Fatal(err)
	}
	_, page, _ := anna.open("/me")
	says(t, page, `waiting for you: </span>1</span>`)
}

// What no database can hold is nobody's user name.
func TestSigningInWithANUL(t *testing.T) {
	s := start(t, time.Now())
	s.person("anna", "DC-1")
	for _, login := range []string{"an\x00na", "\x00", "anna\xff"} {
		status, page, _ := s.browser().post("/signin", "login", login, "password", storetest.Password)
		if says(t, page, "That did not work"); status != http.StatusUnauthorized {
			t.Errorf("%q: %d", login, status)
		}
	}
}

// The days of a delegation are those of the sites where somebody works.
func TestDaysOfADelegationAreThoseOfTheSite(t *testing.T) {
	s := start(t, time.Date(2026, 10, 30, 23, 30, 0, 0, time.UTC))
	for _, site := range []warehouse.Site{"DC-1", "DC-2", "DC-3"} {
		s.hear(site)
	}
	for site, zone := range map[warehouse.Site]string{"DC-1": "America/New_York", "DC-2": "Asia/Tokyo"} {
		if err := s.db.SetSite(t.Context(), site, "", zone); err != nil {
			t.Fatal(err)
		}
	}
	to := itoa(s.person("bert", "DC-1"))
	for login, c := range map[string]struct {
		sites       []warehouse.Site
		begin, last string
		want        [2]string
		today       string
	}{
		"anna": {[]warehouse.Site{"DC-1"}, "2099-07-01", "2099-07-01", [2]string{"2099-07-01T04:00:00Z", "2099-07-02T03:59:59Z"}, "2026-10-30"},
		"dora": {[]warehouse.Site{"DC-1"}, "2099-10-20", "2099-11-18", [2]string{"2099-10-20T04:00:00Z", "2099-11-19T04:00:00Z"}, "2026-10-30"}, // clocks go back
		"cleo": {[]warehouse.Site{"DC-2"}, "2099-07-01", "2099-07-02", [2]string{"2099-06-30T15:00:00Z", "2099-07-02T14:59:59Z"}, "2026-10-31"},
		"emil": {[]warehouse.Site{"DC-1", "DC-2"}, "2099-07-01", "2099-07-01", [2]string{"2099-07-01T00:00:00Z", "2099-07-01T23:59:59Z"}, "2026-10-30"},
		"fred": {[]warehouse.Site{"DC-3"}, "2099-07-01", "2099-07-01", [2]string{"2099-07-01T00:00:00Z", "2099-07-01T23:59:59Z"}, "2026-10-30"},
	} {
		id := s.person(login, c.sites...)
		b := s.signIn(login)
		if _, page, _ := b.open("/me"); !strings.Contains(page, `value="`+c.today+`"`) {
			t.Errorf("%s: it is not %s", login, c.today)
		}
		if status, _, _ := b.post("/me/delegations", "to", to, "begin", c.begin, "end", c.last, "action", "route_ticket"); status != 303 {
			t.Errorf("%s: %d", login, status)
			continue
		}
		list, err := s.db.Delegations(t.Context(), id)
		if err != nil || len(list) != 1 || list[0].Begin.UTC().Format(time.RFC3339) != c.want[0] || list[0].End.UTC().Format(time.RFC3339) != c.want[1] {
			t.Errorf("%s: %+v, %v; want %v", login, list, err, c.want)
		}
	}
}
