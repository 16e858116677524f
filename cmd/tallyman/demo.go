package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tallyman/fixtures"
	"tallyman/jobs"
	"tallyman/pglocal"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/warehouse"
	"tallyman/web"
)

// demoCmd is a whole service on simulated warehouses.
type demoCmd struct {
	database
	auditSettings
	languageModel
	Listen string `default:"127.0.0.1:8080" help:"Address of API and pages; port 0 takes any free one."`
	Fresh  bool   `help:"Begin anew: delete the private database of --dir first."`
	Sites  int    `default:"3" help:"Simulated distribution centres."`
	SKUs   int    `name:"skus" default:"600" help:"Articles in the catalogue."`
	Days   int    `default:"240" help:"Length of the history."`
	Seed   uint64 `default:"1" help:"Same seed, same warehouses."`
}

// Help explains the command at length.
func (*demoCmd) Help() string {
	return `Starts a private PostgreSQL, loads the simulated history of a distributor, fits the
models, ranks what to count and serves it. The first start takes about a minute,
later ones seconds: the data is kept in --dir. Scripts read the address, a key, people
to sign in as and a sample request from demo.json in --dir, which is written when everything is
ready. What it shows is a simulation.`
}

// Run prepares the demonstration and serves it until interrupted.
func (c *demoCmd) Run(ctx context.Context) error {
	log := quiet()
	ready := filepath.Join(c.Dir, "demo.json")
	if err := os.Remove(ready); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if c.Fresh {
		if err := c.clear(ctx, log); err != nil {
			return err
		}
	}
	say("starting the database")
	db, closeAll, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer closeAll()
	ctx, end := context.WithCancel(ctx)
	defer end()
	targetEnded, err := c.startTarget(ctx, db)
	if err != nil {
		return err
	}
	stopAudit, err := c.keep(ctx, db, c.Dir, log)
	if err != nil {
		return err
	}
	defer stopAudit()
	engine, err := c.prepare(ctx, db)
	if err != nil {
		return err
	}
	var tickets ownTickets
	desk, basis, err := tickets.desk(ctx, db, c.LLMBaseURL != "", refitThreads())
	if err != nil {
		return err
	}
	client, err := c.budgeted(db, log)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("%w; choose another address with --listen", err)
	}
	if err := fileTickets(ctx, db, desk); err != nil {
		return err
	}
	defer func() { _ = os.Remove(ready) }()
	announce := func() error { return c.announce(ctx, db, listener.Addr().String(), ready) }
	err = serve(ctx, listener, &service{db, engine, desk, basis, client}, web.Config{OpenQueue: true}, announce, log)
	end()
	err = errors.Join(err, targetEnded())
	say("stopped; the data is kept in " + c.Dir)
	return err
}

// clear deletes what an earlier demo kept.
func (c *demoCmd) clear(ctx context.Context, log *slog.Logger) error {
	if c.URL != "" {
		return errors.New("--fresh deletes the private database only; empty the one at DATABASE_URL yourself")
	}
	if err := pglocal.Remove(ctx, pglocal.Config{Dir: filepath.Join(c.Dir, "postgres"), Log: log}); err != nil {
		return err
	}
	for _, name := range []string{"audit.key", "audit-anchors.jsonl"} { // of the log that is gone
		if err := os.RemoveAll(filepath.Join(c.Dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// prepare fills an empty database and returns the live engine.
func (c *demoCmd) prepare(ctx context.Context, db *store.DB) (*scoring.Engine, error) {
	watermark, err := db.Watermark(ctx)
	if err != nil {
		return nil, err
	}
	complete, err := c.complete(ctx, db)
	if err != nil {
		return nil, err
	}
	if watermark == 0 || !complete {
		if err := c.load(ctx, db); err != nil {
			return nil, err
		}
		if err := c.train(ctx, db); err != nil {
			return nil, err
		}
	}
	say("loading the state")
	engine, err := jobs.Load(ctx, db, time.Now())
	if err != nil {
		return nil, err
	}
	sites, err := db.Sites(ctx)
	if err != nil {
		return nil, err
	}
	say("ranking what to count")
	for _, s := range sites {
		if err := jobs.Rank(ctx, db, engine, s.Code, time.Now()); err != nil {
			return nil, err
		}
	}
	return engine, nil
}

// train puts the models in force that could have been fitted a while ago, and has
// newer ones compared with them, so that people have models to decide about. What
// had too little history then gets its first model now.
func (c *demoCmd) train(ctx context.Context, db *store.DB) error {
	say("fitting the first models")
	if _, err := jobs.Train(ctx, db, time.Now().AddDate(0, 0, -c.Days/4), c.Seed, true, quiet()); err != nil {
		return err
	}
	say("fitting newer ones, and comparing them")
	_, err := jobs.Train(ctx, db, time.Now(), c.Seed, true, quiet())
	return err
}

// complete reports whether an earlier start got as far as the models.
func (c *demoCmd) complete(ctx context.Context, db *store.DB) (bool, error) {
	champions, err := db.Champions(ctx)
	return len(champions) > 0, err
}

// load simulates a history that ends yesterday. What an interrupted start
// left is there already and not loaded twice.
func (c *demoCmd) load(ctx context.Context, db *store.DB) error {
	end, err := c.lastDay(ctx, db)
	if err != nil {
		return err
	}
	world, err := fixtures.New(fixtures.Config{Sites: c.Sites, SKUs: c.SKUs, Days: c.Days, Seed: c.Seed, End: end})
	if err != nil {
		return err
	}
	say(fmt.Sprintf("simulating %d sites, %d SKUs and %d days", c.Sites, c.SKUs, c.Days))
	next, stop := iter.Pull(world.Events())
	defer stop()
	progress := newProgress(os.Stderr, "events")
	defer progress.done()
	return db.Import(ctx, func() (warehouse.Event, error) {
		e, ok := next()
		if !ok {
			return e, io.EOF
		}
		return e, nil
	}, func(b store.Imported) { progress.add(b.Accepted + b.Duplicates) })
}

// lastDay is yesterday or, after an interrupted start, the day that it chose.
func (c *demoCmd) lastDay(ctx context.Context, db *store.DB) (time.Time, error) {
	chosen := filepath.Join(c.Dir, "demo-last-day")
	watermark, err := db.Watermark(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if text, err := os.ReadFile(chosen); err == nil && watermark > 0 {
		return time.Parse(time.DateOnly, string(text))
	}
	yesterday := time.Now().UTC().AddDate(0, 0, -1)
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return time.Time{}, err
	}
	return yesterday, os.WriteFile(chosen, []byte(yesterday.Format(time.DateOnly)), 0o644)
}

// readiness is what scripts read.
type readiness struct {
	URL    string           `json:"url"`
	APIKey string           `json:"api_key"`
	Sites  []warehouse.Site `json:"sites"`
	Sample json.RawMessage  `json:"sample"`

	People   []demoPerson `json:"people"`
	Password string       `json:"password"` // of all of them
}

// logins lists who can sign in and what they do.
func (r *readiness) logins() string {
	var names []string
	for _, p := range r.People {
		names = append(names, fmt.Sprintf("%s (%s)", p.Login, p.Does))
	}
	return strings.Join(names, ", ")
}

func (c *demoCmd) announce(ctx context.Context, db *store.DB, address, ready string) error {
	secret, _, err := db.CreateKey(ctx, store.APIKey{Name: "demo", Env: "demo", Scopes: store.Scopes}, 30*24*time.Hour)
	if err != nil {
		return err
	}
	r := readiness{URL: "http://" + address, APIKey: secret}
	sites, err := db.Sites(ctx)
	if err != nil {
		return err
	}
	for _, s := range sites {
		r.Sites = append(r.Sites, s.Code)
	}
	if r.Sample, err = sample(ctx, db); err != nil {
		return err
	}
	if len(r.Sites) > 0 {
		r.People = demoPeople
		if r.Password, err = addPeople(ctx, db, r.Sites[0]); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(ready+".part", append(text, '\n'), 0o600); err != nil {
		return err
	}
	if err := os.Rename(ready+".part", ready); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, `
Tallyman is running on simulated warehouses.

  look      %[1]s/queue            what to count first, and why
  decide    %[1]s/steps            what waits for somebody to say yes
  tickets   %[1]s/tickets          what people wrote, and who should look at it (sign in as sofia)
  sign in   as %[4]s, each with the password %[5]s
  API       %[1]s/openapi.json
  key       %[2]s
  ask       curl -s %[1]s/v1/risk-evaluations \
              -H 'Authorization: Bearer %[2]s' -H 'Idempotency-Key: try-1' \
              -H 'Content-Type: application/json' -d '%[3]s'

Ctrl-C stops it.
`, r.URL, secret, r.Sample, r.logins(), r.Password)
	return nil
}

// sample is a risk call about the newest load that the history announced.
func sample(ctx context.Context, db *store.DB) (json.RawMessage, error) {
	now := time.Now()
	var load []warehouse.Event
	err := db.EventsByTime(ctx, now.AddDate(0, 0, -14), now, nil, func(e *store.Recorded) error {
		if e.Type != warehouse.ASN {
			return nil
		}
		if len(load) > 0 && load[0].Load != e.Load {
			load = load[:0]
		}
		load = append(load, e.Event)
		return nil
	})
	if err != nil || len(load) == 0 {
		return json.RawMessage("{}"), err
	}
	type line map[string]any
	lines := []line{}
	for _, e := range load[:min(3, len(load))] {
		l := line{"line": e.Line, "sku": e.SKU, "qty_asn": e.Expected.String()}
		if e.Cost.Known() {
			l["unit_cost"] = map[string]string{"amount": e.Cost.String(), "currency": string(e.Cost.Currency)}
		}
		lines = append(lines, l)
	}
	return json.Marshal(map[string]any{
		"kind": "inbound_load", "site": load[0].Site, "occurred_at": now.UTC().Format(time.RFC3339),
		"references": map[string]any{"asn": load[0].Load}, "parties": map[string]any{"supplier": load[0].Supplier},
		"lines": lines,
	})
}

func say(what string) { fmt.Fprintln(os.Stderr, what) }
