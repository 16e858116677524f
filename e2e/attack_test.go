package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// The real program is killed where it hurts: between what it does and what it says.
// make soak does the same many times over.
func TestAttackProcess(t *testing.T) {
	t.Parallel()
	s := newSoak(t)
	k := &killing{soak: s}
	k.signIn()
	for _, tt := range []struct {
		name   string
		attack func(*killing)
	}{
		{"14 killed after the commit and before the answer", attackUnanswered},
		{"15 killed between the decision and the commit", attackUncommitted},
		{"16 killed before, while and after it sends", attackSending},
		{"17 PostgreSQL stops at once while people approve", attackPostgres},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.T = t
			tt.attack(k)
			found, err := s.db.Invariants(t.Context())
			if err != nil || len(found) > 0 {
				t.Errorf("broken: %+v, %v", found, err)
			}
			s.checkAudit()
		})
		s.T = t
	}
}

type killing struct {
	*soak
	token string
}

// signIn makes a supervisor with an account.
func (k *killing) signIn() {
	k.Helper()
	storetest.Grant(k, k.db, storetest.Person(k, k.db, "anna", "Anna"), "DC-1", "supervisor")
	var err error
	if k.token, _, err = k.db.SignIn(k.Context(), "anna", storetest.Password, ""); err != nil {
		k.Fatal(err)
	}
	k.awaitServing()
}

func (k *killing) awaitServing() {
	k.Helper()
	k.await("it serves", time.Minute, func() bool {
		r, err := http.Get("http://" + k.listen + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = r.Body.Close() }()
		return r.StatusCode == http.StatusOK
	})
}

func (k *killing) ticket(id string) store.Step {
	k.Helper()
	s, err := k.db.Propose(k.Context(), guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.RouteTicket{Ticket: id, Team: "receiving"}, Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "llm:v1"}},
	}, store.Source{})
	if err != nil {
		k.Fatal(err)
	}
	return s
}

// approveOver sends an approval to the program, whatever becomes of it.
func (k *killing) approveOver(s store.Step, key string) (status int, body string) {
	text := fmt.Sprintf(`{"verdict":"approve","binding":%q}`, s.Binding)
	r, err := http.NewRequestWithContext(k.Context(), http.MethodPost, "http://"+k.listen+"/v1/steps/"+string(s.ID)+"/decisions", strings.NewReader(text))
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("Authorization", "Bearer "+k.token)
	r.Header.Set("Idempotency-Key", key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	b, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b)
}

func (k *killing) number(sql string, args ...any) (n int) {
	k.Helper()
	conn := k.connect()
	if err := conn.QueryRow(k.Context(), sql, args...).Scan(&n); err != nil {
		k.Fatal(err)
	}
	return n
}

func (k *killing) exec(sql string) {
	k.Helper()
	conn := k.connect()
	if _, err := conn.Exec(k.Context(), sql); err != nil {
		k.Fatal(err)
	}
}

// again starts the program and sends the same approval twice: it is there once.
func (k *killing) again(s store.Step, key string) {
	k.Helper()
	k.start()
	k.awaitServing()
	status, first := k.approveOver(s, key)
	if status != http.StatusOK || !strings.Contains(first, `"state":"approved"`) {
		k.Errorf("sent again: %d %s", status, first)
	}
	if _, second := k.approveOver(s, key); second != first {
		k.Errorf("the same key answers %s and %s", first, second)
	}
	if d, e := k.number(`select count(*) from decision where step_id = $1`, s.ID), k.number(`select count(*) from execution where step_id = $1`, s.ID); d != 1 || e != 1 {
		k.Errorf("%d decisions, %d executions", d, e)
	}
}

func attackUnanswered(k *killing) {
	s := k.ticket("T-14")
	conn := k.connect()
	var sent sync.WaitGroup
	sent.Go(func() { k.approveOver(s, "k-14") })
	for n := 0; n == 0; {
		if err := conn.QueryRow(k.Context(), `select count(*) from decision where step_id = $1`, s.ID).Scan(&n); err != nil {
			k.Fatal(err)
		}
	}
	k.kill()
	sent.Wait()
	k.again(s, "k-14")
}

// slow makes the database take its time over a change, so that the program can be
// killed in the middle of it.
func (k *killing) slow(table, event, when string) (quick func()) {
	k.Helper()
	k.exec(`create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(2); return new; end $$`)
	k.exec(`create trigger zz_dawdle after ` + event + ` on ` + table + ` for each row ` + when + ` execute function dawdle()`)
	return func() {
		k.Helper()
		k.exec(`drop trigger zz_dawdle on ` + table)
		k.exec(`drop function dawdle`)
	}
}

func (k *killing) killWhileItDawdles() {
	k.Helper()
	k.await("it is in the middle", time.Minute, func() bool {
		return k.number(`select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`) > 0
	})
	k.kill()
}

func attackUncommitted(k *killing) {
	s := k.ticket("T-15")
	quick := k.slow("decision", "insert", "")
	var sent sync.WaitGroup
	sent.Go(func() { k.approveOver(s, "k-15") })
	k.killWhileItDawdles()
	sent.Wait()
	quick()
	after, err := k.db.Step(k.Context(), s.ID)
	if err != nil || after.State != guardrails.Pending || after.Version != s.Version || k.number(`select count(*) from decision where step_id = $1`, s.ID) != 0 {
		k.Errorf("something of it is there: %+v, %v", after, err)
	}
	k.again(s, "k-15")
}

// deadly is a target that applies a key once, and at which the program dies.
type deadly struct {
	kill func()

	mu      sync.Mutex
	armed   bool
	applies bool           // before it kills
	effects map[string]int // by key
}

func (d *deadly) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Method != http.MethodPost {
		fmt.Fprintf(w, `{"applied":%t}`, d.effects[r.URL.Query().Get("idempotency_key")] > 0)
		return
	}
	if !d.armed || d.applies {
		d.effects[r.Header.Get("Idempotency-Key")]++
	}
	if d.armed {
		d.armed = false
		d.kill()
		panic(http.ErrAbortHandler)
	}
}

func (d *deadly) arm(applies bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed, d.applies = true, applies
}

func attackSending(k *killing) {
	d := &deadly{kill: k.kill, effects: map[string]int{}}
	server := httptest.NewServer(d)
	defer server.Close()
	target := store.Target{Name: "wms", URL: server.URL, QueryURL: server.URL}
	if _, err := k.db.PutTarget(k.Context(), target); err != nil {
		k.Fatal(err)
	}
	for _, moment := range []string{"before", "while", "after"} {
		s, err := k.propose(k.Context(), "S-16-"+moment)
		if err != nil {
			k.Fatal(err)
		}
		quick := func() {}
		if moment == "before" {
			quick = k.slow("execution", "update", "when (new.state = 'sending')")
		} else {
			d.arm(moment == "after")
		}
		for _, slot := range s.Requirement.Slots {
			by := store.By{Person: k.people[slot.Role][0], Session: "attack", AuthenticatedAt: time.Now().Add(-time.Second)}
			if s, err = k.db.Decide(k.Context(), s.ID, by, guardrails.Approve{Binding: s.Binding, Slot: slot.Role}); err != nil {
				k.Fatal(err)
			}
		}
		if moment == "before" {
			k.killWhileItDawdles()
		} else {
			<-k.ended
		}
		quick()
		for _, aged := range []string{ // as if time passed
			`update execution set changed_at = changed_at - interval '1 minute' where state = 'sending'`,
			`update river_job set attempted_at = attempted_at - interval '1 minute' where state = 'running'`,
			`update river_leader set elected_at = elected_at - interval '1 minute', expires_at = expires_at - interval '1 minute'`,
		} {
			k.exec(aged)
		}
		k.start()
		k.await("it is carried out", settleWithin, func() bool {
			after, err := k.db.Step(k.Context(), s.ID)
			return err == nil && after.State == guardrails.Succeeded
		})
		d.mu.Lock()
		if n := d.effects[guardrails.IdempotencyKey(s.ID, 0, s.Payload, false)]; n != 1 {
			k.Errorf("killed %s it sent: applied %d times", moment, n)
		}
		d.mu.Unlock()
	}
	target.URL, target.QueryURL = k.target, k.target
	if _, err := k.db.PutTarget(k.Context(), target); err != nil {
		k.Fatal(err)
	}
}

func attackPostgres(k *killing) {
	f := faults{stops: 50}
	if os.Getenv("TALLYMAN_SOAK") != "long" {
		k.Skip("make soak runs it; of SOAK=short, TestSoakExecution does the same")
	}
	ctx, stop := context.WithCancel(k.Context())
	var approving sync.WaitGroup
	for i := range 2 {
		approving.Go(func() { k.approve(ctx, 17+i) })
	}
	k.breakThings(f, rand.New(rand.NewPCG(17, 0)))
	stop()
	approving.Wait()
	k.await("everything settles", settleWithin, func() bool { return k.unsettled() == k.byHand() })
	k.kill()
	k.check()
}

// byHand counts the steps that people carry out, which wait for them.
func (k *killing) byHand() int {
	return k.number(`select count(*) from execution where target = 'manual' and state = 'sending'`)
}
