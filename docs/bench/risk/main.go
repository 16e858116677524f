// Risk measures the risk call against a running demo, beside what PostgreSQL
// takes for one durable insert of a row of the same size.
//
//	bin/tallyman demo --dir /tmp/d --listen 127.0.0.1:0
//	go run ./docs/bench/risk -dir /tmp/d
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	dir    = flag.String("dir", ".data", "folder of the running demo")
	calls  = flag.Int("calls", 2000, "calls of each kind, a tenth of them for 500 lines")
	rounds = flag.Int("rounds", 3, "times that everything takes its turn")
)

type demo struct {
	URL    string   `json:"url"`
	APIKey string   `json:"api_key"`
	Sites  []string `json:"sites"`
}

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "risk:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(*dir, "demo.json"))
	if err != nil {
		return fmt.Errorf("%w: start tallyman demo --dir %s first", err, *dir)
	}
	var d demo
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	socket, err := filepath.Abs(filepath.Join(*dir, "postgres", "run"))
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, "host="+socket+" user=tallyman dbname=postgres pool_max_conns=16")
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, `create table if not exists bench_peer (id bigint generated always as identity primary key, body bytea)`); err != nil {
		return err
	}
	defer func() { _, _ = pool.Exec(ctx, `drop table bench_peer`) }()
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 16

	one, err := d.load(ctx, 1)
	if err != nil {
		return err
	}
	forty, err := d.load(ctx, 40)
	if err != nil {
		return err
	}
	many, err := d.load(ctx, 500)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := d.ask(ctx, one, "first"); err != nil {
		return err
	}
	fmt.Printf("first call %.1f ms\n", time.Since(began).Seconds()*1000)
	row := bytes.Repeat([]byte{7}, 2500)
	kinds := []struct {
		name  string
		calls int
		do    func(context.Context, int) error
	}{
		{"insert, durable", *calls, func(ctx context.Context, _ int) error {
			_, err := pool.Exec(ctx, `insert into bench_peer (body) values ($1)`, row)
			return err
		}},
		{"risk,   1 line ", *calls, func(ctx context.Context, _ int) error { return d.ask(ctx, one, "") }},
		{"risk,  40 lines", *calls, func(ctx context.Context, _ int) error { return d.ask(ctx, forty, "") }},
		{"risk, 500 lines", max(1, *calls/10), func(ctx context.Context, _ int) error { return d.ask(ctx, many, "") }},
	}
	for round := range *rounds {
		for _, connections := range []int{1, 8, 16} {
			for _, k := range kinds {
				took, err := measure(ctx, connections, k.calls, k.do)
				if err != nil {
					return err
				}
				fmt.Printf("round %d  %2d connections  %s  %s\n", round+1, connections, k.name, took)
			}
		}
	}
	return nil
}

// measure runs do n times on each of some connections.
func measure(ctx context.Context, connections, n int, do func(context.Context, int) error) (string, error) {
	took := make([]time.Duration, n)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	began := time.Now()
	for range connections {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				start := time.Now()
				if err := do(ctx, i); err != nil {
					failed.Store(&err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return "", *err
	}
	all := time.Since(began)
	slices.Sort(took)
	at := func(q float64) float64 { return took[min(n-1, int(q*float64(n)))].Seconds() * 1000 }
	return fmt.Sprintf("p50 %6.2f ms  p99 %7.2f ms  %6.0f/s", at(.5), at(.99), float64(n)/all.Seconds()), nil
}

// load is a question about so many lines of SKUs that the site knows.
func (d *demo) load(ctx context.Context, lines int) ([]byte, error) {
	var queue struct {
		Data []struct{ SKU string }
	}
	if err := d.call(ctx, http.MethodGet, "/v1/count-queue?limit=200&site="+d.Sites[0], "", nil, &queue); err != nil {
		return nil, err
	}
	if len(queue.Data) == 0 {
		return nil, fmt.Errorf("the queue of %s is empty", d.Sites[0])
	}
	var b strings.Builder
	for i := range lines {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"line":"%d","sku":%q,"qty_asn":"12","unit_cost":{"amount":"4.10","currency":"USD"}}`, i+1, queue.Data[i%len(queue.Data)].SKU)
	}
	return fmt.Appendf(nil, `{"kind":"inbound_load","site":%q,"references":{"asn":"BENCH-%d"},"parties":{"supplier":"V20026"},"lines":[%s]}`, d.Sites[0], lines, b.String()), nil
}

var asked atomic.Int64

func (d *demo) ask(ctx context.Context, body []byte, key string) error {
	if key == "" {
		key = fmt.Sprint(asked.Add(1))
	}
	return d.call(ctx, http.MethodPost, "/v1/risk-evaluations", fmt.Sprintf("bench-%d-%s", os.Getpid(), key), body, nil)
}

func (d *demo) call(ctx context.Context, method, path, key string, body []byte, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, d.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+d.APIKey)
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s", path, res.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
