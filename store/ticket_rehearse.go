package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/triage"
	"tallyman/warehouse"
)

// RecallTickets fills what the model in force remembers of each site, a site on
// each of some goroutines: a ticket that comes first need not wait for
// the vectors of thousands.
func (db *DB) RecallTickets(ctx context.Context, desk *triage.Desk, threads int) error {
	sites, err := db.Sites(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(threads)
	for _, s := range sites {
		group.Go(func() error {
			_, err := db.Remember(ctx, desk.Memory(s.Code), s.Code, "", 0, 1)
			return err
		})
	}
	return group.Wait()
}

// rehearsed is how many connections rehearse: those that upkeep takes in between
// leave enough for requests.
const rehearsed = 8

// RehearseTickets takes two tickets, the second like the first, on each of several
// connections at once, and keeps neither: a connection is slow the first
// time, while PostgreSQL parses statements, plans them and compiles triggers.
func (db *DB) RehearseTickets(ctx context.Context, desk *triage.Desk, now time.Time) error {
	taxonomy, err := db.keepTaxonomy(ctx, desk.Taxonomy)
	if err != nil {
		return err
	}
	n := max(1, min(rehearsed, int(db.pool.Config().MaxConns)/2))
	var begun sync.WaitGroup // so that each has a connection of its own
	begun.Add(n)
	group, ctx := errgroup.WithContext(ctx)
	for i := range n {
		group.Go(func() error {
			tx, err := db.pool.Begin(ctx)
			begun.Done()
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
			begun.Wait()
			return db.rehearse(ctx, tx, desk, taxonomy, warehouse.Site(fmt.Sprint("rehearsal ", i)), now)
		})
	}
	return group.Wait()
}

func (db *DB) rehearse(ctx context.Context, tx pgx.Tx, desk *triage.Desk, taxonomy []byte, site warehouse.Site, now time.Time) error {
	m := triage.NewMemory(desk.Model())
	for n := range 2 {
		in := &Intake{
			ID: NewTicketID(), Site: site, Text: "2 ctns short on PO 4471882", Refs: TicketRefs{Supplier: "rehearsal"},
			ReceivedAt: now, By: Asker{APIKey: "rehearsal", IdempotencyKey: fmt.Sprint(site, n)},
		}
		if err := examine(ctx, tx, desk, m, in); err != nil {
			return err
		}
		answer := func(*TicketLabel) ([]byte, error) { return []byte("{}"), nil }
		if _, err := db.takeTicket(ctx, tx, desk.Taxonomy, taxonomy, in, answer); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `set constraints all immediate`) // what a commit would check
	return err
}
