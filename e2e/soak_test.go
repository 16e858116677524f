package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
	"tallyman/pglocal"
	"tallyman/store"
	"tallyman/warehouse"
)

// faults says how often what is killed while approvals run.
type faults struct{ kills, stops int }

// settleWithin is how long everything may take to settle after the last fault.
const settleWithin = 120 * time.Second

// The program is killed and PostgreSQL stopped at once, again and again, while
// people approve and a target fails in its own ways. No acknowledged decision may
// be lost and no effect be applied twice. TALLYMAN_SOAK=short makes a minute of it.
func TestSoakExecution(t *testing.T) {
	f := faults{kills: 50, stops: 10}
	switch os.Getenv("TALLYMAN_SOAK") {
	case "":
		t.Skip("make soak runs it")
	case "short":
		f = faults{kills: 2, stops: 1}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d kills of the program, %d immediate stops of PostgreSQL", seed, f.kills, f.stops)
	s := newSoak(t)
	ctx, stop := context.WithCancel(t.Context())
	var approving sync.WaitGroup
	for i := range 2 {
		approving.Go(func() { s.approve(ctx, i) })
	}
	s.breakThings(f, rand.New(rand.NewPCG(seed, 0)))
	stop()
	approving.Wait()
	last := time.Now()
	s.await("everything settles", settleWithin, func() bool { return s.unsettled() == 0 })
	settled := time.Since(last)
	s.kill()
	s.check()
	t.Logf("%d approvals acknowledged, %d proposals or approvals without an answer; settled %s after the last fault; it ended by itself %d times",
		len(s.approved), s.unanswered, settled.Round(100*time.Millisecond), s.restarts)
}

type soak struct {
	*testing.T
	bin, dir, journal string
	listen            string // where the program serves
	target            string // address of the reference receiver
	postgres          *pglocal.Server
	db                *store.DB
	owner             *pgx.Conn // of the tables, see connect
	people            map[guardrails.Role][]guardrails.PersonID
	program           *exec.Cmd
	ended             chan struct{} // closed when the program is gone
	log               bytes.Buffer
	restarts          int // after it ended by itself

	mu         sync.Mutex
	approved   []guardrails.StepID // acknowledged
	unanswered int
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{T: t, bin: program(t), dir: t.TempDir(), listen: freeAddress(t), people: map[guardrails.Role][]guardrails.PersonID{}}
	s.startPostgres()
	t.Cleanup(func() { _ = s.postgres.Stop(context.WithoutCancel(t.Context())) })
	if err := store.Migrate(t.Context(), s.postgres.DSN()); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.db, err = store.Open(t.Context(), s.postgres.DSN()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.db.Close)
	s.startTarget()
	s.addPeople()
	s.start()
	t.Cleanup(s.kill)
	return s
}

// freeAddress is one that nobody serves at now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (s *soak) startPostgres() {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	var err error
	if s.postgres, err = pglocal.Start(ctx, pglocal.Config{Dir: filepath.Join(s.dir, "postgres")}); err != nil {
		s.Fatal(err)
	}
}

// startTarget runs the reference receiver, which fails in some ways that end well.
func (s *soak) startTarget() {
	s.Helper()
	s.journal = filepath.Join(s.dir, "journal.jsonl")
	target := exec.CommandContext(s.Context(), s.bin, "target", "simulate", "--listen", "127.0.0.1:0", "--journal", s.journal,
		"--fail", "500-after-apply:0.05", "--fail", "reset-after-apply:0.05", "--fail", "reset:0.03", "--fail", "503:0.02", "--fail", "timeout-after-apply:0.005")
	out, err := target.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := target.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = target.Process.Kill(); _ = target.Wait() })
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.Fatal(err)
	}
	s.target = strings.TrimSpace(url)
	_, err = s.db.AddTarget(s.Context(), store.Target{
		Name: "wms", URL: s.target, QueryURL: s.target, Idempotent: true, Private: true,
		Sites: []warehouse.Site{"*"}, Kinds: []guardrails.Kind{guardrails.KindCountPosition},
	})
	if err != nil {
		s.Fatal(err)
	}
}

// addPeople makes as many of each role as a step asks for.
func (s *soak) addPeople() {
	s.Helper()
	step, err := s.propose(s.Context(), "first")
	if err != nil {
		s.Fatal(err)
	}
	conn := s.connect()
	for _, slot := range step.Requirement.Slots {
		for range slot.Count {
			var id guardrails.PersonID
			err := conn.QueryRow(s.Context(), `
				with p as (insert into person (name, refs_known) values ('soak', true) returning id)
				insert into role_grant (person_id, role, site, unlimited, origin)
				select id, $1, '*', true, 'command' from p
				returning person_id`, slot.Role).Scan(&id)
			if err != nil {
				s.Fatal(err)
			}
			s.people[slot.Role] = append(s.people[slot.Role], id)
		}
	}
}

// connect returns the connection of the test itself, a new one where PostgreSQL
// was stopped since.
func (s *soak) connect() *pgx.Conn {
	s.Helper()
	if s.owner != nil && s.owner.Ping(s.Context()) == nil {
		return s.owner
	}
	var err error
	if s.owner, err = pgx.Connect(s.Context(), s.postgres.DSN()); err != nil {
		s.Fatal(err)
	}
	return s.owner
}

func (s *soak) propose(ctx context.Context, sku string) (store.Step, error) {
	return s.db.Propose(ctx, guardrails.Recommendation{
		Site: "DC-1", Action: &guardrails.CountPosition{Location: "A-1", SKU: warehouse.SKU(sku)},
		Parties: []guardrails.Party{{Part: guardrails.Proposer, Ref: "key:soak"}},
		Facts:   guardrails.Facts{ValueMinor: 100, Currency: "EUR", Class: "C"},
	}, store.Source{})
}

// approve proposes and approves one step after the other until ctx ends.
func (s *soak) approve(ctx context.Context, worker int) {
	for i := 0; ctx.Err() == nil; i++ {
		if !s.keepsUp(ctx) {
			return
		}
		step, err := s.propose(ctx, fmt.Sprintf("SKU-%d-%d", worker, i))
		for _, slot := range step.Requirement.Slots {
			for n := range slot.Count {
				if err != nil {
					break
				}
				by := store.By{Person: s.people[slot.Role][n], Session: "soak", AuthenticatedAt: time.Now().Add(-time.Second)}
				step, err = s.db.Decide(ctx, step.ID, by, guardrails.Approve{Binding: step.Binding, Slot: slot.Role})
			}
		}
		s.mu.Lock()
		if err == nil && step.State == guardrails.Approved {
			s.approved = append(s.approved, step.ID)
		} else {
			s.unanswered++
		}
		s.mu.Unlock()
		pause := 20 * time.Millisecond
		if err != nil {
			pause = 200 * time.Millisecond
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// most is how many approved steps may wait while more are approved.
const most = 50

// keepsUp returns when few enough steps wait, false when ctx ended.
func (s *soak) keepsUp(ctx context.Context) bool {
	for {
		s.mu.Lock()
		waiting := len(s.approved) - s.effects()
		s.mu.Unlock()
		if waiting < most {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// breakThings kills in random order, each time after something was carried out
// since the last time.
func (s *soak) breakThings(f faults, r *rand.Rand) {
	s.Helper()
	var what []func()
	for range f.kills {
		what = append(what, func() { s.kill(); s.start() })
	}
	for range f.stops {
		what = append(what, func() {
			now, cancel := context.WithCancel(s.Context())
			cancel() // at once
			_ = s.postgres.Stop(now)
			s.startPostgres()
		})
	}
	r.Shuffle(len(what), func(i, j int) { what[i], what[j] = what[j], what[i] })
	for _, fault := range what {
		before := s.effects()
		s.await("something is carried out", time.Minute, func() bool { return s.effects() > before+2 })
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond) // somewhere in an attempt
		fault()
	}
}

func (s *soak) start() {
	s.Helper()
	s.program, s.ended = exec.Command(s.bin, "serve", "--dir", s.dir, "--database-url", s.postgres.DSN(), "--listen", s.listen), make(chan struct{})
	s.program.Stderr = &s.log
	if err := s.program.Start(); err != nil {
		s.Fatal(err)
	}
	go func(program *exec.Cmd, ended chan struct{}) {
		_ = program.Wait()
		close(ended)
	}(s.program, s.ended)
}

func (s *soak) kill() {
	program, ended := s.program, s.ended // another one may be started as soon as it is gone
	_ = program.Process.Kill()
	<-ended
}

// effects counts what the target carried out.
func (s *soak) effects() int {
	text, err := os.ReadFile(s.journal)
	if err != nil {
		return 0
	}
	return bytes.Count(text, []byte(`"key"`))
}

func (s *soak) await(what string, within time.Duration, there func() bool) {
	s.Helper()
	for end := time.Now().Add(within); !there(); {
		if time.Now().After(end) {
			s.Fatalf("not within %s: %s (%d unsettled)\n%s", within, what, s.unsettled(), tail(s.log.String()))
		}
		select {
		case <-s.ended: // as a supervisor would
			s.restarts++
			s.start()
		default:
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func tail(text string) string { return text[max(0, len(text)-4000):] }

// unsettled counts the steps that are approved and not at their end.
func (s *soak) unsettled() (n int) {
	s.Helper()
	conn := s.connect()
	err := conn.QueryRow(s.Context(), `select count(*) from step where state in ('approved', 'executing', 'unknown', 'compensating')`).Scan(&n)
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// check compares what was acknowledged, what is recorded and what was done.
func (s *soak) check() {
	s.Helper()
	effects := map[string]int{}
	text, err := os.ReadFile(s.journal)
	if err != nil {
		s.Fatal(err)
	}
	for line := range bytes.Lines(bytes.TrimSpace(text)) {
		var e struct{ Key string }
		if err := json.Unmarshal(line, &e); err != nil {
			s.Fatal(err)
		}
		effects[e.Key]++
	}
	for key, n := range effects {
		if n != 1 {
			s.Errorf("%s was applied %d times", key, n)
		}
	}
	for _, id := range s.approved {
		step, err := s.db.Step(s.Context(), id)
		if err != nil || step.State != guardrails.Succeeded {
			s.Errorf("an acknowledged decision is lost: %s is %s (%s), %v", id, step.State, step.Reason, err)
			continue
		}
		if effects[guardrails.IdempotencyKey(id, 0, step.Payload, false)] != 1 {
			s.Errorf("step %s succeeded without an effect", id)
		}
	}
	found, err := s.db.Invariants(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for _, v := range found {
		s.Errorf("%s is broken (%s): %s", v.Invariant, v.Means, v.Row)
	}
	s.checkAudit()
}

func (s *soak) checkAudit() {
	s.Helper()
	conn := s.connect()
	rows, _ := conn.Query(s.Context(), `select stream, array_agg(body order by seq) from audit_entry group by stream`)
	var stream string
	var bodies [][]byte
	_, err := pgx.ForEachRow(rows, []any{&stream, &bodies}, func() error {
		_, err := audit.CheckStream(stream, bodies)
		return err
	})
	if err != nil {
		s.Error(err)
	}
}
