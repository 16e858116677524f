package main

import (
	"context"
	"fmt"
	"os"

	"tallyman/guardrails"
)

type deadResolveCmd struct {
	database
	Step   string `arg:"" help:"The step."`
	By     string `required:"" placeholder:"EMAIL" help:"Who put it right; with a role that the step needs."`
	Reason string `required:"" help:"What was done at the target; it is kept."`
}

// Run records that what could not be taken back was put right by hand.
func (c *deadResolveCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	by, err := db.PersonByEmail(ctx, c.By)
	if err != nil {
		return err
	}
	s, err := db.Decide(ctx, guardrails.StepID(c.Step), by, guardrails.Resolve{Reason: c.Reason})
	if err == nil {
		fmt.Fprintf(os.Stdout, "%s is %s\n", s.ID, s.State)
	}
	return err
}
