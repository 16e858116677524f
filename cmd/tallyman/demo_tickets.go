package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"tallyman/fixtures"
	"tallyman/store"
	"tallyman/triage"
)

// demoTickets is how many tickets of the corpus each site of a demonstration has.
const demoTickets = 9

// fileTickets gives every site tickets as people on a dock write them, the last
// hours' newest last. Those of an earlier start stay.
func fileTickets(ctx context.Context, db *store.DB, desk *triage.Desk) error {
	sites, err := db.Sites(ctx)
	if err != nil {
		return err
	}
	corpus := slices.Clone(fixtures.Tickets())
	slices.SortFunc(corpus, func(a, b fixtures.Ticket) int { return int(hashOf(a.Text)) - int(hashOf(b.Text)) })
	now := time.Now()
	for i, site := range sites {
		if len(corpus) < (i+1)*demoTickets {
			return nil
		}
		texts := corpus[i*demoTickets : (i+1)*demoTickets]
		texts = append(slices.Clone(texts), fixtures.Ticket{Text: texts[2].Text + " – still open"}) // two people saw it
		for n, t := range texts {
			in := &store.Intake{
				ID: store.NewTicketID(), Site: site.Code, Text: t.Text, Reporter: fmt.Sprintf("scanner-%d", 1+n%4),
				ReceivedAt: now.Add(-time.Duration(len(texts)-n) * 23 * time.Minute).UTC().Truncate(time.Microsecond),
				By:         store.Asker{APIKey: "demo", IdempotencyKey: fmt.Sprintf("%s-%d", site.Code, n), Fingerprint: sha256.Sum256([]byte(site.Code))},
			}
			if err := db.Examine(ctx, desk, in); err != nil {
				return err
			}
			answer := func(*store.TicketLabel) ([]byte, error) { return []byte("{}"), nil }
			if _, err := db.TakeTicket(ctx, desk.Taxonomy, in, answer); err != nil {
				return err
			}
		}
	}
	return nil
}

func hashOf(s string) uint16 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // a hash never fails
	return uint16(h.Sum32())
}
