package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
	"tallyman/webhook"
)

// targetSimulateCmd runs a receiver.
type targetSimulateCmd struct {
	Listen        string   `default:"127.0.0.1:8090" help:"Address; port 0 takes any free one."`
	Journal       string   `default:"journal.jsonl" help:"File to which every effect is added, one line each."`
	Secret        []string `placeholder:"whsec_…" help:"Secrets to verify signatures with; without one nothing is verified."`
	Fail          []string `placeholder:"FAULT" help:"How to fail: 503 always, 503:0.2 one message in five, 503:x3 the next three. Faults: 500, timeout, reset, slow, big-body, 200-error-body, 200-html, 401, 409, 429, 503, redirect; 500, timeout and reset also with -after-apply, slow and big-body only so."`
	NotIdempotent bool     `help:"Carry out again what comes again."`
	Seed          uint64   `default:"1" help:"Same seed, same faults."`
}

// Help explains the command at length.
func (*targetSimulateCmd) Help() string {
	return `A target to try with: it verifies signatures, carries out every idempotency key once,
answers whether it did, and keeps a journal of its effects that outlives a crash. Add
it with: tallyman target add try --url http://127.0.0.1:8090 --query-url
http://127.0.0.1:8090 --private. For a TLS failure add it as https://.`
}

// Run serves until interrupted.
func (c *targetSimulateCmd) Run(ctx context.Context) error {
	r := &webhook.Receiver{Now: time.Now, Careless: c.NotIdempotent, Random: rand.New(rand.NewPCG(c.Seed, 0))}
	for _, text := range c.Secret {
		secret, err := readSecret(text)
		if err != nil {
			return err
		}
		r.Secrets = append(r.Secrets, secret)
	}
	var faults []webhook.Fault
	for _, text := range c.Fail {
		f, err := webhook.ParseFault(text)
		if err != nil {
			return err
		}
		faults = append(faults, f)
	}
	r.Fail(faults...)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "http://%s\n", listener.Addr())
	return receive(ctx, listener, r, c.Journal)
}

// receive serves a receiver with a journal until ctx ends.
func receive(ctx context.Context, listener net.Listener, r *webhook.Receiver, journal string) error {
	file, err := openJournal(r, journal)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	<-ctx.Done()
	err = server.Close()
	if served := <-stopped; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, file.Close())
}

// openJournal tells the receiver what it did before, and where to write down what
// it does.
func openJournal(r *webhook.Receiver, name string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	good, err := r.Restore(file)
	if err == nil {
		err = file.Truncate(good)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	r.Journal = func(line []byte) error {
		if _, err := file.Write(append([]byte("\n"), line...)); err != nil {
			return err
		}
		return file.Sync()
	}
	return file, nil
}

// demoTarget is the target of the demonstration.
const demoTarget = "wms-demo"

// startTarget runs the demonstration's target in this process and registers it,
// with another address after each start.
func (c *demoCmd) startTarget(ctx context.Context, db *store.DB) (wait func() error, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	url := "http://" + listener.Addr().String()
	secrets, err := db.PutTarget(ctx, store.Target{
		Name: demoTarget, URL: url, QueryURL: url, Sites: []warehouse.Site{guardrails.Everywhere}, Idempotent: true, Private: true,
		Kinds: demoKinds(),
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	r := &webhook.Receiver{Now: time.Now, Secrets: secrets}
	ended := make(chan error, 1)
	go func() { ended <- receive(ctx, listener, r, filepath.Join(c.Dir, "wms-demo.jsonl")) }()
	return func() error { return <-ended }, nil
}

// demoKinds are the actions that a WMS carries out; people count and look.
func demoKinds() []guardrails.Kind {
	return []guardrails.Kind{
		guardrails.KindHoldReceipt, guardrails.KindReleaseReceipt, guardrails.KindInventoryAdjustment, guardrails.KindVerifyLoad,
		guardrails.KindShipmentSubstitution, guardrails.KindOrderShortShipment, guardrails.KindCountPosition,
	}
}
