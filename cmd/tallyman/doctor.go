package main

import (
	"context"
	"fmt"
	"os"
)

type doctorCmd struct{ database }

// Help explains the command at length.
func (*doctorCmd) Help() string {
	return `Asks the database, in one snapshot, for everything that breaks one of the rules that
nothing may break: no effect without a quorum of humans, none twice, none after it was
taken back, an audit entry for every change, and so on. It changes nothing.`
}

// Run looks.
func (c *doctorCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	found, err := db.Invariants(ctx)
	if err != nil {
		return err
	}
	for _, v := range found {
		fmt.Fprintf(os.Stdout, "%s is broken (%s): %s\n", v.Invariant, v.Means, v.Row)
	}
	if len(found) > 0 {
		return fmt.Errorf("%s; stop the service and look before anything else is approved", plural(len(found), "violation"))
	}
	fmt.Fprintln(os.Stdout, "every rule holds")
	return nil
}
