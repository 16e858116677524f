package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/store/storetest"
)

// What the audit entry adds to an approval: rounds with and without it take
// turns, so that a busy machine slows both alike. "overhead-%" is the whole of it
// in time; the test server does not wait for its disk, which makes it look larger.
func BenchmarkAuditOverhead(b *testing.B) {
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			const round = 64
			dsn := storetest.DSN(b)
			db, err := store.Open(b.Context(), dsn)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			conn, err := pgx.Connect(b.Context(), dsn)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close(context.WithoutCancel(b.Context()))
			var spent [2]time.Duration
			n := 0
			for b.Loop() {
				for _, audited := range []int{n % 2, 1 - n%2} {
					toggle := `alter table step disable trigger step_audited`
					if audited == 1 {
						toggle = `alter table step enable trigger step_audited`
					}
					if _, err := conn.Exec(b.Context(), toggle); err != nil {
						b.Fatal(err)
					}
					person := supervisor(b, conn, "DC-1") // whose sum of a day stays short
					steps := make([]store.Step, round)
					for i := range steps {
						steps[i] = proposeTicket(b, db, fmt.Sprintf("T-%d-%d-%d", n, audited, i))
					}
					begin := time.Now()
					var group errgroup.Group
					group.SetLimit(clients)
					for _, s := range steps {
						group.Go(func() error {
							by, approve := store.By{Person: person, Session: "s"}, guardrails.Approve{Binding: s.Binding}
							if audited == 0 {
								return db.DecideUnaudited(b.Context(), s.ID, by, approve)
							}
							_, err := db.Decide(b.Context(), s.ID, by, approve)
							return err
						})
					}
					if err := group.Wait(); err != nil {
						b.Fatal(err)
					}
					spent[audited] += time.Since(begin)
				}
				n++
			}
			b.ReportMetric(100*(float64(spent[1])/float64(spent[0])-1), "overhead-%")
			b.ReportMetric(float64(n*round)/spent[1].Seconds(), "audited/s")
		})
	}
}
