package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/warehouse"
)

// floor is a database and whoever approves there.
type floor struct {
	*testing.T
	db   *store.DB
	conn *pgx.Conn
}

func TestAttackApprovals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		attack func(*floor)
	}{
		{"1 many approve what needs one", attackOneSlot},
		{"2 two race for the last slot", attackLastSlot},
		{"12 the same recommendation is made again", attackSameAgain},
		{"26 the session's clocks change", attackTimeZone},
		{"34 amounts that are none", attackAmounts},
		{"37 an amount is split over ten steps", attackSplit},
		{"38 one of 25 was replaced meanwhile", attackBulk},
		{"39 too many, mixed or unseen together", attackBulkLimits},
		{"40 a delegation that was delegated", attackChain},
		{"53 every step's history is one that the rules allow", attackHistories},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dsn := storetest.DSN(t)
			f := &floor{t, open(t, dsn), connect(t, dsn)}
			tt.attack(f)
			f.sound()
		})
	}
}

func (f *floor) sound() {
	f.Helper()
	found, err := f.db.Invariants(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range found {
		f.Errorf("%s is broken (%s): %s", v.Invariant, v.Means, v.Row)
	}
}

func (f *floor) person(role string) store.By {
	f.Helper()
	var id guardrails.PersonID
	err := f.conn.QueryRow(f.Context(), `
		with p as (insert into person (name, refs_known) values ('p', true) returning id)
		insert into role_grant (person_id, role, site, unlimited, origin)
		select id, $1, '*', true, 'command' from p
		returning person_id`, role).Scan(&id)
	if err != nil {
		f.Fatal(err)
	}
	return store.By{Person: id, Session: "s", AuthenticatedAt: clockOf(f.T, f.conn)}
}

func ticket(id, team string) guardrails.Recommendation {
	return guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: id, Team: team}, Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
	}
}

func adjustment(location string, minor int64) guardrails.Recommendation {
	return guardrails.Recommendation{
		Site:    "DC-1",
		Action:  &guardrails.InventoryAdjustment{Location: warehouse.Location(location), SKU: "S", Book: 2000, Counted: 1000, Reason: "counted"},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "key:k"}, {Part: guardrails.Counter, Ref: "floor-1"}},
		Facts:   guardrails.Facts{ValueMinor: minor, Currency: "EUR"},
	}
}

func (f *floor) propose(r guardrails.Recommendation) store.Step {
	f.Helper()
	s, err := f.db.Propose(f.Context(), r, store.Source{})
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// forTwo makes a step that two supervisors must approve.
func (f *floor) forTwo(r guardrails.Recommendation) store.Step {
	f.Helper()
	s := f.propose(r)
	two, err := guardrails.Require([]guardrails.Slot{{Role: "supervisor", Count: 2}}, guardrails.Session, 0, s.Requirement.Life)
	if err == nil {
		s, err = f.db.Decide(f.Context(), s.ID, store.By{Machine: "test"}, guardrails.Tighten{Requirement: two, Policy: s.Policy})
	}
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// race has people approve a step at once, and returns how many could.
func (f *floor) race(s *store.Step, people int) (won int) {
	f.Helper()
	by := make([]store.By, people)
	for i := range by {
		by[i] = f.person("supervisor")
	}
	done := make([]bool, people)
	var group errgroup.Group
	for i := range by {
		group.Go(func() error {
			_, err := f.db.Decide(context.WithoutCancel(f.Context()), s.ID, by[i], guardrails.Approve{Binding: s.Binding})
			done[i] = err == nil
			if err != nil && codeOf(err) != guardrails.CodeNotPending {
				return err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		f.Fatal(err)
	}
	for _, d := range done {
		if d {
			won++
		}
	}
	return won
}

func (f *floor) count(table string, s *store.Step) (n int) {
	f.Helper()
	if err := f.conn.QueryRow(f.Context(), `select count(*) from `+table+` where step_id = $1`, s.ID).Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}

func attackOneSlot(f *floor) {
	s := f.propose(ticket("T-1", "receiving"))
	if won := f.race(&s, 64); won != 1 || f.count("decision", &s) != 1 || f.count("execution", &s) != 1 {
		f.Errorf("%d of 64 approved it; %d decisions, %d executions", won, f.count("decision", &s), f.count("execution", &s))
	}
}

func attackLastSlot(f *floor) {
	for i := range 8 {
		s := f.forTwo(ticket(fmt.Sprint("T-", i), "receiving"))
		if _, err := f.db.Decide(f.Context(), s.ID, f.person("supervisor"), guardrails.Approve{Binding: s.Binding}); err != nil {
			f.Fatal(err)
		}
		if won := f.race(&s, 2); won != 1 || f.count("decision", &s) != 2 {
			f.Errorf("%d of two filled the last slot; %d decisions", won, f.count("decision", &s))
		}
	}
}

func attackSameAgain(f *floor) {
	s := f.forTwo(ticket("T-1", "receiving"))
	if _, err := f.db.Decide(f.Context(), s.ID, f.person("supervisor"), guardrails.Approve{Binding: s.Binding}); err != nil {
		f.Fatal(err)
	}
	again := f.propose(ticket("T-1", "receiving"))
	if again.ID != s.ID || again.Binding != s.Binding || f.count("decision", &again) != 1 {
		f.Errorf("step %s became %s with %d decisions", s.ID, again.ID, f.count("decision", &again))
	}
}

// A database whose sessions keep the time of a place lets nothing live for an hour
// more or less.
func attackTimeZone(f *floor) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} {
		if _, err := f.conn.Exec(f.Context(), `alter role tallyman_app in database `+pgx.Identifier{f.conn.Config().Database}.Sanitize()+` set timezone = '`+zone+`'`); err != nil {
			f.Fatal(err)
		}
		db := open(f.T, f.conn.Config().ConnString())
		s, err := db.Propose(f.Context(), ticket("T-"+zone, "receiving"), store.Source{})
		if err != nil || s.ExpiresAt.Sub(s.CreatedAt) != 4*time.Hour {
			f.Errorf("in %s a ticket lives for %s, %v", zone, s.ExpiresAt.Sub(s.CreatedAt), err)
		}
		if _, err = db.Decide(f.Context(), s.ID, f.person("supervisor"), guardrails.Approve{Binding: s.Binding}); err != nil {
			f.Error(err)
		}
	}
	exec(f.T, f.conn, `set timezone = 'Europe/Berlin'`)
	from, to := f.person("supervisor").Person, f.person("supervisor").Person
	for _, begin := range []string{"2026-10-24T12:00:00Z", "2027-03-27T12:00:00Z"} {
		at, err := time.Parse(time.RFC3339, begin)
		if err != nil {
			f.Fatal(err)
		}
		const insert = `insert into delegation (from_id, to_id, kinds, sites, begins_at, ends_at) values ($1, $2, '{route_ticket}', '{*}', $3, $4)`
		exec(f.T, f.conn, insert, from, to, at, at.Add(guardrails.MaxDelegation))
		if _, err := f.conn.Exec(f.Context(), insert, from, to, at, at.Add(guardrails.MaxDelegation+time.Second)); constraintOf(err) != "delegation_time" {
			f.Errorf("from %s for a second more than 30 days: %v", begin, err)
		}
	}
}

func attackAmounts(f *floor) {
	for _, minor := range []int64{-1, math.MinInt64} {
		if _, err := f.db.Propose(f.Context(), adjustment("A-1", minor), store.Source{}); err == nil {
			f.Errorf("%d is an amount", minor)
		}
	}
	nameless := adjustment("A-1", 100)
	nameless.Facts.Currency = ""
	if _, err := f.db.Propose(f.Context(), nameless, store.Source{}); err == nil {
		f.Error("an amount has no currency")
	}
	unknown := f.propose(adjustment("A-2", guardrails.UnknownAmount))
	overflow := f.propose(adjustment("A-3", math.MaxInt64-1))
	for _, s := range []store.Step{unknown, overflow} {
		if s.Value != guardrails.UnknownAmount || s.Requirement.String() != "controller + site_manager" || s.Requirement.Auth != guardrails.Fresh {
			f.Errorf("%d asks for %s", s.Value, s.Requirement)
		}
		by := f.person("controller")
		exec(f.T, f.conn, `update role_grant set unlimited = false, limit_minor = 9223372036854775806, daily_minor = 9223372036854775806 where person_id = $1`, by.Person)
		if _, err := f.db.Decide(f.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding}); codeOf(err) != guardrails.CodeValueLimit {
			f.Errorf("approved within a limit: %v", err)
		}
	}
}

func attackSplit(f *floor) {
	var s store.Step
	for i := range 10 {
		s = f.propose(adjustment(fmt.Sprint("A-", i), 49_999))
		if i == 0 && s.Requirement.String() != "inventory_control" {
			f.Errorf("the first asks for %s", s.Requirement)
		}
	}
	if s.Value != 10*49_999 || s.Requirement.String() != "finance + inventory_control" {
		f.Errorf("the tenth is worth %d and asks for %s", s.Value, s.Requirement)
	}
}

// opened are tickets that somebody has looked at.
func (f *floor) opened(by store.By, n int) []store.Approval {
	f.Helper()
	var all []store.Approval
	for i := range n {
		s := f.propose(ticket(fmt.Sprint("T-", i), "receiving"))
		if err := f.db.NoteView(f.Context(), by.Person, &s); err != nil {
			f.Fatal(err)
		}
		all = append(all, store.Approval{Step: s.ID, Binding: s.Binding})
	}
	return all
}

func attackBulk(f *floor) {
	by := f.person("supervisor")
	all := f.opened(by, guardrails.MaxBulk)
	f.propose(ticket("T-6", "shipping"))
	answers, err := f.db.ApproveTogether(f.Context(), by, all)
	if err != nil {
		f.Fatal(err)
	}
	for i, err := range answers {
		if i == 6 && codeOf(err) != guardrails.CodeSuperseded || i != 6 && err != nil {
			f.Errorf("%d: %v", i, err)
		}
	}
	var approved int
	if err := f.conn.QueryRow(f.Context(), `select count(*) from step where state = 'approved'`).Scan(&approved); err != nil || approved != guardrails.MaxBulk-1 {
		f.Errorf("%d are approved, %v", approved, err)
	}
}

func attackBulkLimits(f *floor) {
	by := f.person("supervisor")
	all := f.opened(by, guardrails.MaxBulk+1)
	two := f.forTwo(ticket("T-two", "receiving"))
	elsewhere := ticket("T-away", "receiving")
	elsewhere.Site = "DC-2"
	away, unseen := f.propose(elsewhere), f.propose(ticket("T-new", "receiving"))
	for _, s := range []store.Step{two, away} {
		if err := f.db.NoteView(f.Context(), by.Person, &s); err != nil {
			f.Fatal(err)
		}
	}
	pair := func(s store.Step) []store.Approval { return []store.Approval{all[0], {Step: s.ID, Binding: s.Binding}} }
	for name, approvals := range map[string][]store.Approval{
		"26": all, "none": nil, "twice the same": {all[0], all[0]}, "for two": pair(two), "two sites": pair(away), "unseen": pair(unseen),
	} {
		if answers, err := f.db.ApproveTogether(f.Context(), by, approvals); codeOf(err) != guardrails.CodeBulk || answers != nil {
			f.Errorf("%s: %v, %v", name, answers, err)
		}
	}
	if _, err := f.db.ApproveTogether(f.Context(), by, pair(store.Step{})); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("one that is not there: %v", err)
	}
	var n int
	if err := f.conn.QueryRow(f.Context(), `select count(*) from decision`).Scan(&n); err != nil || n != 0 {
		f.Errorf("%d decisions were made, %v", n, err)
	}
}

// What was delegated cannot be passed on, and ends while a page is open.
func attackChain(f *floor) {
	a, b, c := f.person("supervisor"), f.person("visitor"), f.person("visitor")
	const insert = `insert into delegation (from_id, to_id, kinds, sites, begins_at, ends_at)
		values ($1, $2, '{route_ticket}', '{*}', clock_timestamp() - interval '1 hour', clock_timestamp() + interval '1 hour')`
	exec(f.T, f.conn, insert, a.Person, b.Person)
	exec(f.T, f.conn, insert, b.Person, c.Person)
	s := f.propose(ticket("T-1", "receiving"))
	for _, behalf := range []store.By{a, b} {
		by := c
		by.OnBehalfOf = behalf.Person
		if _, err := f.db.Decide(f.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding}); codeOf(err) != guardrails.CodeDelegation && codeOf(err) != guardrails.CodeRoleMissing {
			f.Errorf("the third approves for %d: %v", behalf.Person, err)
		}
	}
	b.OnBehalfOf = a.Person
	tried, err := f.db.Try(f.Context(), s.ID, b, guardrails.Approve{Binding: s.Binding})
	if err != nil || tried[0] != nil {
		f.Fatalf("the second could not: %v, %v", tried, err)
	}
	exec(f.T, f.conn, `update delegation set ends_at = clock_timestamp() where from_id = $1`, a.Person)
	if _, err := f.db.Decide(f.Context(), s.ID, b, guardrails.Approve{Binding: s.Binding}); codeOf(err) != guardrails.CodeDelegation {
		f.Errorf("after it ended: %v", err)
	}
	if strings.Contains(string(s.State), "approved") {
		f.Error("it is approved")
	}
}
