package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

const (
	sites    = 8
	shift    = 100 // steps that one person approves
	proposer = 16  // proposals at a time
)

// world is a warehouse's database, in which adjustments wait for supervisors.
type world struct {
	db    *store.DB
	owner *pgx.Conn
	fast  *store.DB // its commits do not wait for the disk: for what is not measured
	made  int
}

func newWorld(ctx context.Context, dsn string) (*world, error) {
	w := &world{}
	var err error
	if w.db, err = store.Open(ctx, dsn); err != nil {
		return nil, err
	}
	if w.fast, err = store.Open(ctx, dsn+"&synchronous_commit=off"); err != nil {
		return nil, err
	}
	if w.owner, err = pgx.Connect(ctx, dsn); err != nil {
		return nil, err
	}
	_, err = w.db.AddTarget(ctx, store.Target{
		Name: "wms", URL: "https://wms.example/tallyman", Sites: []warehouse.Site{guardrails.Everywhere},
		Kinds: []guardrails.Kind{guardrails.KindInventoryAdjustment}, Idempotent: true,
	})
	return w, err
}

func (w *world) close(ctx context.Context) error {
	w.db.Close()
	w.fast.Close()
	return w.owner.Close(ctx)
}

func site(client int) warehouse.Site { return warehouse.Site(fmt.Sprintf("DC-%d", client%sites+1)) }

// supervisor makes somebody who may approve at a site what a shift asks for.
func (w *world) supervisor(ctx context.Context, at warehouse.Site) (store.By, error) {
	by := store.By{Session: "bench"}
	err := w.owner.QueryRow(ctx, `
		with p as (insert into person (name, refs_known) values ('Sam', true) returning id),
		f as (insert into person_ref (ref, person_id) select 'sam-' || id, id from p)
		insert into role_grant (person_id, role, site, limit_minor, daily_minor, origin)
		select id, 'supervisor', $1, 250000, 250000000, 'command'
		from p
		returning person_id`, at).Scan(&by.Person)
	return by, err
}

// propose makes n adjustments of as many positions at a site, of a value each.
func (w *world) propose(ctx context.Context, at warehouse.Site, n int, value int64) ([]store.Step, error) {
	steps := make([]store.Step, n)
	var group errgroup.Group
	group.SetLimit(proposer)
	for i := range steps {
		w.made++
		sku, location := warehouse.SKU(fmt.Sprintf("SKU-%06d", w.made)), warehouse.Location(fmt.Sprintf("A-%05d", w.made/3))
		group.Go(func() (err error) {
			steps[i], err = w.fast.Propose(ctx, guardrails.Recommendation{
				Site:   at,
				Action: &guardrails.InventoryAdjustment{Location: location, SKU: sku, Book: 100_000, Counted: 98_000, Reason: "counted twice"},
				Parties: []guardrails.Party{
					{Part: guardrails.Proposer, Ref: "model:1"},
					{Part: guardrails.Counter, Ref: "u17"},
				},
				Facts:    guardrails.Facts{ValueMinor: value, Currency: "EUR", VariancePPM: 20_000, Class: "B", Repeats: 1, ScorePPM: 310_000},
				Evidence: guardrails.Evidence{Body: []byte(`{"book":100000,"counted":98000,"counts":[{"by":"u17","qty":98000},{"by":"u21","qty":98000}]}`)},
			}, store.Source{})
			if err == nil && steps[i].State != guardrails.Pending {
				err = fmt.Errorf("step %s is %s: %s", steps[i].ID, steps[i].State, steps[i].Reason)
			}
			return err
		})
	}
	return steps, group.Wait()
}
