package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/docs/bench/cpu"
	"tallyman/guardrails"
	"tallyman/store"
)

// approvals measures approvals and the peer in turn, the first one changing from
// round to round.
func approvals(ctx context.Context, dsn string, load string, rounds int) error {
	ours, err := newDatabase(ctx, dsn, "approve", true)
	if err != nil {
		return err
	}
	peer, err := newPeer(ctx, dsn)
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, ours)
	if err != nil {
		return err
	}
	defer func() { _ = w.close(ctx) }()
	if _, err := w.turn(ctx, 32, 640); err != nil { // a service's connections have parsed their statements
		return err
	}
	for round := range rounds {
		for l := range strings.SplitSeq(load, ",") {
			var clients, count int
			if _, err := fmt.Sscanf(l, "%d:%d", &clients, &count); err != nil {
				return fmt.Errorf("load %q: %w", l, err)
			}
			turns := []func(context.Context, int, int) (*result, error){w.turn, peer.turn}
			if round%2 == 1 {
				slices.Reverse(turns)
			}
			for _, turn := range turns {
				r, err := turn(ctx, clients, count)
				if err != nil {
					return err
				}
				if err := report(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// client is one person at a time, with steps that wait for them.
type client struct {
	by    []store.By // one after the other
	steps []store.Step
	took  []time.Duration
}

func (w *world) turn(ctx context.Context, clients, count int) (*result, error) {
	all := make([]client, clients)
	for i := range all {
		c := &all[i]
		var err error
		if c.steps, err = w.propose(ctx, site(i), count/clients, 4_200); err != nil {
			return nil, err
		}
		for range (len(c.steps) + shift - 1) / shift {
			by, err := w.supervisor(ctx, site(i))
			if err != nil {
				return nil, err
			}
			c.by = append(c.by, by)
		}
	}
	rows, err := w.rows(ctx)
	if err != nil {
		return nil, err
	}
	var group errgroup.Group
	used, begin := cpu.Now(), time.Now()
	for i := range all {
		group.Go(func() error { return all[i].approve(ctx, w.db) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	r := &result{Part: "approve", Program: "tallyman", Clients: clients, Count: count, Seconds: time.Since(begin).Seconds()}
	r.used(cpu.Now().Sub(used))
	after, err := w.rows(ctx)
	if err != nil {
		return nil, err
	}
	r.Rows = float64(after-rows) / float64(count)
	var took []time.Duration
	for i := range all {
		took = append(took, all[i].took...)
	}
	r.percentiles(took)
	return r, nil
}

func (c *client) approve(ctx context.Context, db *store.DB) error {
	for i := range c.steps {
		s := &c.steps[i]
		begin := time.Now()
		after, err := db.Decide(ctx, s.ID, c.by[i/shift], guardrails.Approve{Binding: s.Binding})
		if err != nil {
			return err
		}
		if after.State != guardrails.Approved {
			return fmt.Errorf("step %s is %s", s.ID, after.State)
		}
		c.took = append(c.took, time.Since(begin))
	}
	return nil
}

// rows counts what an approval writes, versions of steps included.
func (w *world) rows(ctx context.Context) (n int, err error) {
	err = w.owner.QueryRow(ctx, `
		select (select count(*) from decision) + (select count(*) from decision_human) + (select sum(version) from step)
			+ (select count(*) from execution) + (select count(*) from audit_entry) + (select count(*) from audit_unsequenced)
			+ (select count(*) from river_job)`).Scan(&n)
	return n, err
}

func (r *result) percentiles(took []time.Duration) {
	slices.Sort(took)
	at := func(p int) float64 { return 1000 * took[(len(took)-1)*p/100].Seconds() }
	r.P50, r.P95, r.P99 = at(50), at(95), at(99)
}

func (r *result) used(t cpu.Time) {
	r.Client, r.Server = 1000*t.Client.Seconds()/float64(r.Count), 1000*t.Server.Seconds()/float64(r.Count)
}

// peer is pgbench.
type peer struct{ program, host, database string }

func newPeer(ctx context.Context, dsn string) (*peer, error) {
	name := "peer"
	dsn, err := newDatabase(ctx, dsn, name, false)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	for i := range 7 {
		if _, err := conn.Exec(ctx, fmt.Sprintf(`create table t%d (id bigint generated always as identity primary key, body text not null)`, i+1)); err != nil {
			return nil, err
		}
	}
	p := &peer{host: conn.Config().Host, database: name, program: "pgbench"}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench"); len(found) > 0 {
		p.program = found[len(found)-1]
	}
	return p, nil
}

// turn runs the peer's script.
func (p *peer) turn(ctx context.Context, clients, count int) (*result, error) {
	dir, err := os.MkdirTemp("", "pgbench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	script := filepath.Join(dir, "script.sql")
	if err := os.WriteFile(script, peerScript, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, p.program, "--host", p.host, "--username", "tallyman", "--no-vacuum", "--protocol", "prepared",
		"--client", strconv.Itoa(clients), "--jobs", strconv.Itoa(min(clients, 2)), "--transactions", strconv.Itoa(count/clients),
		"--log", "--log-prefix", filepath.Join(dir, "log"), "--file", script, p.database)
	used := cpu.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	tps, err := field(string(out), "tps = ")
	if err != nil {
		return nil, err
	}
	r := &result{Part: "approve", Program: "pgbench", Clients: clients, Count: count, Seconds: float64(count) / tps, Rows: 7}
	spent := cpu.Now().Sub(used)
	spent.Client = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.used(spent)
	took, err := readLogs(dir)
	if err == nil {
		r.percentiles(took)
	}
	return r, err
}

// field reads the number after a text.
func field(out, before string) (float64, error) {
	_, rest, ok := strings.Cut(out, before)
	if !ok {
		return 0, fmt.Errorf("pgbench does not say %q:\n%s", before, out)
	}
	return strconv.ParseFloat(strings.Fields(rest)[0], 64)
}

// readLogs reads how long each transaction took: microseconds, in the third column.
func readLogs(dir string) ([]time.Duration, error) {
	files, err := filepath.Glob(filepath.Join(dir, "log*"))
	if err != nil {
		return nil, err
	}
	var took []time.Duration
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			micros, err := strconv.Atoi(strings.Fields(lines.Text())[2])
			if err != nil {
				return nil, err
			}
			took = append(took, time.Duration(micros)*time.Microsecond)
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
		_ = f.Close()
	}
	return took, nil
}
