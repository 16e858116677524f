package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"tallyman/store"
	"tallyman/warehouse"
)

type siteCmd struct {
	List siteListCmd `cmd:"" help:"List the sites that were heard from."`
	Set  siteSetCmd  `cmd:"" help:"Give a site a name and a time zone."`
}

type siteListCmd struct{ database }

// Run lists the sites.
func (c *siteListCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	sites, err := db.Sites(ctx)
	if err != nil {
		return err
	}
	if len(sites) == 0 {
		fmt.Fprintln(os.Stdout, "none: a site is there once it has sent an event")
		return nil
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "CODE\tNAME\tTIME ZONE\tCURRENCY")
	for _, s := range sites {
		currency := string(s.Currency)
		if s.Currency == warehouse.NoCurrency {
			currency = "not known"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", s.Code, s.Name, s.TimeZone, currency)
	}
	return t.Flush()
}

type siteSetCmd struct {
	database
	Code string `arg:"" help:"As events name it."`
	Name string `help:"As people call it."`
	Zone string `placeholder:"ZONE" help:"IANA time zone, such as America/Chicago; pages show times and count days there."`
}

// Run sets what is given.
func (c *siteSetCmd) Run(ctx context.Context) error {
	if c.Name == "" && c.Zone == "" {
		return errors.New("say --name, --zone or both")
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	err = db.SetSite(ctx, warehouse.Site(c.Code), c.Name, c.Zone)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no event has come from site %s; \"tallyman site list\" shows those that were heard from", c.Code)
	}
	return err
}
