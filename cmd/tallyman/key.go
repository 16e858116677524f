package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tallyman/store"
	"tallyman/warehouse"
)

type keyCmd struct {
	Add    keyAddCmd    `cmd:"" help:"Make a key and print its secret, once."`
	List   keyListCmd   `cmd:"" help:"List the keys."`
	Revoke keyRevokeCmd `cmd:"" help:"End a key at once."`
}

type keyAddCmd struct {
	database
	Name   string   `arg:"" help:"Who will use it, such as wms-dc7."`
	Scopes []string `default:"events:write,risk:write,risk:read,queue:read,tickets:write,tickets:read" help:"Rights. No key can approve anything."`
	Sites  []string `placeholder:"CODE" help:"Sites it is limited to; all when not given."`
	Source []string `placeholder:"NAME" help:"Sources whose events it may send. A key that is limited to sites and sends events needs some: ids are unique within a source, and it could take those of other sites' events."`
	Days   int      `default:"365" help:"Days until it expires, at most 366."`
}

// Run makes the key.
func (c *keyAddCmd) Run(ctx context.Context) error {
	key := store.APIKey{Name: c.Name, Env: "live"}
	for _, s := range c.Scopes {
		if !slices.Contains(store.Scopes, store.Scope(s)) {
			return fmt.Errorf("there is no scope %q; the scopes are %s", s, join(store.Scopes, ""))
		}
		key.Scopes = append(key.Scopes, store.Scope(s))
	}
	for _, s := range c.Sites {
		if warehouse.Site(s) == warehouse.Everywhere {
			return errors.New("no site is called *: leave --sites out for a key of every site")
		}
		key.Sites = append(key.Sites, warehouse.Site(s))
	}
	for _, s := range c.Source {
		key.Sources = append(key.Sources, warehouse.Source(s))
	}
	if len(key.Sites) > 0 && len(key.Sources) == 0 && slices.Contains(key.Scopes, store.EventsWrite) {
		return errors.New("--sites limits a key that sends events: say its own source too, such as --source wms-dc7, or leave events:write out of --scopes")
	}
	if c.Days < 1 || c.Days > 366 {
		return errors.New("--days must be between 1 and 366")
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	secret, _, err := db.CreateKey(ctx, key, time.Duration(c.Days)*24*time.Hour)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, secret)
	return nil
}

type keyListCmd struct{ database }

// Run lists the keys.
func (c *keyListCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	keys, err := db.Keys(ctx)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tNAME\tSCOPES\tSITES\tSOURCES\tEXPIRES\tSTATE")
	for _, k := range keys {
		state := "active"
		if k.RevokedAt != nil {
			state = "revoked " + k.RevokedAt.Format(time.DateOnly)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, join(k.Scopes, "-"), join(k.Sites, "all"), join(k.Sources, "all"), k.ExpiresAt.Format(time.DateOnly), state)
	}
	return t.Flush()
}

func join[T ~string](list []T, none string) string {
	if len(list) == 0 {
		return none
	}
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = string(x)
	}
	return strings.Join(texts, ",")
}

type keyRevokeCmd struct {
	database
	ID string `arg:"" help:"The key's id: the eight characters after tly_live_."`
}

// Run revokes the key.
func (c *keyRevokeCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	return db.RevokeKey(ctx, c.ID)
}
