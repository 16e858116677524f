package main

import (
	"context"
	"fmt"
	"os"

	"tallyman/store"
)

// migrateCmd is for those who keep the owner's account from the program.
type migrateCmd struct {
	URL string `name:"database-url" env:"DATABASE_URL" required:"" placeholder:"URL" help:"PostgreSQL, as the account that owns the tables."`
}

// Help explains the command at length.
func (*migrateCmd) Help() string {
	return `Every command migrates by itself where its account may. In production give the
program the address of the role ` + store.AppRole + `, which owns nothing and cannot change
or delete the audit log, and run this command with the owner's address when a new
release comes. The first run makes the role; give it a password or a certificate.
Where the owner of the tables does not own the database, let who does run once
"revoke temporary on database NAME from public": triggers would read a temporary
table instead of the real one.`
}

// Run migrates.
func (c *migrateCmd) Run(ctx context.Context) error {
	app, err := store.IsAppRole(c.URL)
	if err != nil {
		return err
	}
	if app {
		return fmt.Errorf("the address is that of %s, which owns no table: give the one of the account that does", store.AppRole)
	}
	if err := store.Migrate(ctx, c.URL); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "the database is up to date")
	return nil
}
