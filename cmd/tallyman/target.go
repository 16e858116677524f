package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
	"tallyman/webhook"
)

type targetCmd struct {
	Add      targetAddCmd      `cmd:"" help:"Add a target and print its signing secret, once."`
	List     targetListCmd     `cmd:"" help:"List the targets."`
	Test     targetTestCmd     `cmd:"" help:"See whether a target can be reached and asked. Nothing is carried out."`
	Pause    targetPauseCmd    `cmd:"" help:"Send it nothing; what is approved waits."`
	Resume   targetResumeCmd   `cmd:"" help:"Send again, and first what waits."`
	Rotate   targetRotateCmd   `cmd:"" help:"Change the signing secret; the old one signs beside it for a while."`
	Simulate targetSimulateCmd `cmd:"" help:"Run a small target that can be told to fail."`
}

type targetAddCmd struct {
	database
	Name          string   `arg:"" help:"Such as wms-dc7."`
	To            string   `required:"" name:"url" placeholder:"URL" help:"Messages are posted to it; https."`
	Query         string   `name:"query-url" placeholder:"URL" help:"GET with ?idempotency_key= answers {\"applied\": true} or false. Without it a human must say what became of a message without an answer."`
	Sites         []string `default:"*" placeholder:"CODE" help:"Sites that it serves; all when not given."`
	Kinds         []string `placeholder:"ACTION" help:"Actions that it carries out; all when not given."`
	NotIdempotent bool     `help:"It may carry out again what it is sent again under the same key. Then nothing is sent again that may have been applied."`
	Private       bool     `help:"It may have a private address and speak http. Link-local addresses stay out of reach."`
}

// Run adds the target.
func (c *targetAddCmd) Run(ctx context.Context) error {
	t := store.Target{Name: c.Name, URL: c.To, QueryURL: c.Query, Idempotent: !c.NotIdempotent, Private: c.Private}
	for _, u := range []string{c.To, c.Query} {
		if u == "" {
			continue
		}
		if err := webhook.CheckURL(u, c.Private); err != nil {
			return fmt.Errorf("%w; --private allows http and private addresses", err)
		}
	}
	for _, s := range c.Sites {
		t.Sites = append(t.Sites, warehouse.Site(s))
	}
	for _, k := range c.Kinds {
		kind := guardrails.Kind(k)
		if !kind.Valid() || kind.Internal() {
			return fmt.Errorf("--kinds: %q is no action of a target; choose from %s", k, join(externalKinds(), ""))
		}
		t.Kinds = append(t.Kinds, kind)
	}
	if len(t.Kinds) == 0 {
		t.Kinds = externalKinds()
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	secret, err := db.AddTarget(ctx, t)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, writeSecret(secret))
	return nil
}

func externalKinds() []guardrails.Kind {
	var kinds []guardrails.Kind
	for _, k := range guardrails.Kinds {
		if !k.Internal() {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// secretPrefix is that of Standard Webhooks.
const secretPrefix = "whsec_"

func writeSecret(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

func readSecret(text string) ([]byte, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, secretPrefix))
	if err != nil || len(secret) < 24 {
		return nil, errors.New("a secret is whsec_ and at least 24 bytes in base64, as printed by target add")
	}
	return secret, nil
}

type targetListCmd struct{ database }

// Run lists the targets.
func (c *targetListCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	targets, err := db.Targets(ctx)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		fmt.Fprintln(os.Stdout, "no target: what is approved is carried out by hand; add one with tallyman target add")
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tURL\tSITES\tWAITING\tSTATE")
	for _, t := range targets {
		state := "active"
		if t.PausedAt != nil {
			state = "paused " + t.PausedAt.Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", t.Name, t.URL, join(t.Sites, "none"), t.Waiting, state)
	}
	return w.Flush()
}

type targetNamed struct {
	database
	Name string `arg:"" help:"The target."`
}

type targetTestCmd struct{ targetNamed }

// Run asks the target after a key that nobody ever used.
func (c *targetTestCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	t, secrets, err := db.Target(ctx, c.Name)
	if err != nil {
		return err
	}
	if t.QueryURL == "" {
		return errors.New("it has no --query-url, so that nothing can be asked without an effect; send it a step to try it")
	}
	m := &webhook.Message{URL: t.QueryURL, Key: "tly_test_" + strings.ToLower(rand.Text()), Secrets: secrets, Private: t.Private}
	applied, err := webhook.NewClient(webhook.Timeout).Ask(ctx, m, time.Now())
	if err != nil {
		return fmt.Errorf("target %s: %w", c.Name, err)
	}
	if applied {
		return fmt.Errorf("target %s says that it applied %s, which nobody ever sent: its answers cannot be relied on", c.Name, m.Key)
	}
	fmt.Fprintf(os.Stdout, "%s answers, accepts the signature and knows what it did not do\n", c.Name)
	return nil
}

type targetPauseCmd struct {
	targetNamed
	Reason string `required:"" help:"Why; it is kept."`
}

// Run pauses the target.
func (c *targetPauseCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	return db.PauseTarget(ctx, c.Name, c.Reason)
}

type targetResumeCmd struct{ targetNamed }

// Run resumes the target.
func (c *targetResumeCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	n, err := db.ResumeTarget(ctx, c.Name)
	if err == nil {
		fmt.Fprintf(os.Stdout, "%s, %s on the way\n", c.Name, plural(n, "operation"))
	}
	return err
}

type targetRotateCmd struct {
	targetNamed
	Overlap time.Duration `default:"24h" help:"How long the secrets of before sign as well."`
}

// Run rotates the secret.
func (c *targetRotateCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	secret, err := db.RotateSecret(ctx, c.Name, c.Overlap)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, writeSecret(secret))
	return nil
}
