// Package tickets measures the intake of tickets by a running service while the
// language model behind it misbehaves, and how soon what waited is settled once
// the model is back.
package tickets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/fixtures"
	"tallyman/llm/llmtest"
)

const (
	perKind = 50 // tickets taken under each misbehaviour
	senders = 2
)

// service is a demo of its own with a scripted language model.
type service struct {
	URL    string   `json:"url"`
	APIKey string   `json:"api_key"`
	Sites  []string `json:"sites"`
	db     *pgx.Conn
	model  *llmtest.Server
	sent   int
}

func BenchmarkIntake(b *testing.B) {
	if testing.Short() {
		b.Skip("it takes two minutes")
	}
	s := start(b)
	held := fixtures.Tickets()
	isLast := func(m llmtest.Misbehaviour) bool { return strings.Contains(m.Name, "an hour") } // for which it is left alone
	kinds := llmtest.Misbehaviours()
	var all []time.Duration
	measure := func(name string, reply llmtest.Reply) {
		s.model.Play(reply)
		s.report(b, name, s.take(b, held, &all))
	}
	for b.Loop() {
		measure("obeys", llmtest.Model{}.Reply)
		for _, m := range kinds {
			if !isLast(m) {
				measure(m.Name, m.Reply)
			}
		}
		s.recover(b)
		for _, m := range kinds {
			if isLast(m) {
				measure(m.Name, m.Reply)
			}
		}
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(all[len(all)-1].Microseconds())/1000, "max-ms")
}

func start(b *testing.B) *service {
	b.Helper()
	dir := b.TempDir()
	binary := filepath.Join(dir, "tallyman")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, "tallyman/cmd/tallyman").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	s := &service{model: llmtest.New(b, llmtest.Model{}.Reply)}
	data := filepath.Join(dir, "d") // short: a socket's path is limited
	demo := exec.Command(binary, "demo", "--dir", data, "--listen", "127.0.0.1:0", "--days", "60", "--skus", "200", "--llm-budget", "2000000000")
	demo.Env = append(os.Environ(), "TALLYMAN_LLM_BASE_URL="+s.model.URL, "TALLYMAN_LLM_MODEL=model-1")
	demo.Stderr = b.Output()
	if err := demo.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = demo.Process.Signal(syscall.SIGTERM)
		_ = demo.Wait()
	})
	s.await(b, data)
	var err error
	if s.db, err = pgx.Connect(b.Context(), "host="+filepath.Join(data, "postgres", "run")+" user=tallyman dbname=postgres"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.db.Close(context.Background()) })
	return s
}

// await waits until the demo has written where it is.
func (s *service) await(b *testing.B, data string) {
	b.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(filepath.Join(data, "demo.json")); err == nil && json.Unmarshal(text, s) == nil {
			return
		}
		select {
		case <-tick.C:
		case <-b.Context().Done():
			b.Fatal("the demo did not start")
		}
	}
}

// take sends tickets, each a new one, and returns how long the answers took.
func (s *service) take(b *testing.B, held []fixtures.Ticket, all *[]time.Duration) []time.Duration {
	b.Helper()
	took := make([]time.Duration, perKind)
	var group errgroup.Group
	group.SetLimit(senders)
	for i := range took {
		s.sent++
		n := s.sent
		group.Go(func() error {
			began := time.Now()
			err := s.post(b.Context(), n, held[n*7919%len(held)].Text)
			took[i] = time.Since(began)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	*all = append(*all, took...)
	slices.Sort(took)
	return took
}

func (s *service) post(ctx context.Context, n int, text string) error {
	body, err := json.Marshal(map[string]string{"site": s.Sites[0], "text": text})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/tickets", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.APIKey)
	r.Header.Set("Idempotency-Key", fmt.Sprint("bench-", n))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("ticket %d: %s", n, res.Status)
	}
	return nil
}

func (s *service) report(b *testing.B, name string, took []time.Duration) {
	b.Helper()
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	fmt.Printf("%-40s p50 %5.1f ms  p99 %5.1f ms  max %5.1f ms\n", name, ms(took[len(took)/2]), ms(took[len(took)*99/100]), ms(took[len(took)-1]))
}

// recover lets the server obey again and waits until no ticket waits for it.
func (s *service) recover(b *testing.B) {
	b.Helper()
	waiting := func() (n int) {
		if err := s.db.QueryRow(b.Context(), `select count(*) from ticket where asking = 'waiting'`).Scan(&n); err != nil {
			b.Fatal(err)
		}
		return n
	}
	left := waiting()
	s.model.Play(llmtest.Model{}.Reply)
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for waiting() > 0 {
		<-tick.C
	}
	var labelled, unclear int
	err := s.db.QueryRow(b.Context(), `
		select count(*) filter (where l.path = 'llm'), count(*) filter (where l.label = 'unclear')
		from ticket t
		join ticket_label l on l.ticket_id = t.id and l.seq = t.label_seq`).Scan(&labelled, &unclear)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("back: %d tickets waited, all settled after %.1f s; of %d sent %d were labelled by the language model, %d are unclear\n",
		left, time.Since(began).Seconds(), s.sent, labelled, unclear)
}
