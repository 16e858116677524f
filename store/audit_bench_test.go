package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// What the audit entry adds to an approval, all of its transaction included.
// Approvals with and without it take turns one by one, so that a busy machine
// slows both alike; each client works on both. Every step has an approver of its
// own: one person's approvals wait for each other. The test server does not wait
// for its disk, which makes the entry look dearer than it is; DATABASE_URL names
// another one.
func BenchmarkAuditOverhead(b *testing.B) {
	for _, clients := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			const round = 32
			audited, plain := newApprovals(b, `select`), newApprovals(b, `alter table step disable trigger step_audited`)
			for b.Loop() {
				audited.propose(b, round)
				plain.propose(b, round)
				var group errgroup.Group
				group.SetLimit(clients)
				for i := range round {
					group.Go(func() error {
						if i%2 == 0 {
							if err := plain.approve(b.Context(), i, plain.db.DecideUnaudited); err != nil {
								return err
							}
							return audited.approve(b.Context(), i, audited.decide)
						}
						if err := audited.approve(b.Context(), i, audited.decide); err != nil {
							return err
						}
						return plain.approve(b.Context(), i, plain.db.DecideUnaudited)
					})
				}
				if err := group.Wait(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(100*(audited.mean()/plain.mean()-1), "overhead-%")
			b.ReportMetric(100*(audited.median()/plain.median()-1), "median-overhead-%")
			b.ReportMetric(1000*plain.median(), "ms-plain")
		})
	}
}

// approvals are those of one database.
type approvals struct {
	db    *store.DB
	conn  *pgx.Conn
	by    []store.By // of each step
	steps []store.Step
	n     int

	mu   sync.Mutex
	took []time.Duration
}

func newApprovals(b *testing.B, prepare string) *approvals {
	b.Helper()
	dsn := storetest.DSN(b)
	db := storetest.Open(b, dsn)
	conn, err := pgx.Connect(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.WithoutCancel(b.Context())) })
	if _, err := conn.Exec(b.Context(), prepare); err != nil {
		b.Fatal(err)
	}
	return &approvals{db: db, conn: conn}
}

// propose makes steps, and somebody to approve each of them.
func (a *approvals) propose(b *testing.B, n int) {
	b.Helper()
	a.by, a.steps = a.by[:0], a.steps[:0]
	for range n {
		a.n++
		a.by = append(a.by, store.By{Person: supervisor(b, a.conn), Session: "s"})
		a.steps = append(a.steps, proposeTicket(b, a.db, fmt.Sprintf("T-%d", a.n)))
	}
}

func (a *approvals) approve(ctx context.Context, i int, decide func(context.Context, guardrails.StepID, store.By, guardrails.Command) error) error {
	begin := time.Now()
	err := decide(ctx, a.steps[i].ID, a.by[i], guardrails.Approve{Binding: a.steps[i].Binding})
	took := time.Since(begin)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took = append(a.took, took)
	return err
}

func (a *approvals) decide(ctx context.Context, id guardrails.StepID, by store.By, cmd guardrails.Command) error {
	_, err := a.db.Decide(ctx, id, by, cmd)
	return err
}

// mean and median are in seconds.
func (a *approvals) mean() float64 {
	var sum time.Duration
	for _, d := range a.took {
		sum += d
	}
	return sum.Seconds() / float64(len(a.took))
}

func (a *approvals) median() float64 {
	slices.Sort(a.took)
	return a.took[len(a.took)/2].Seconds()
}
