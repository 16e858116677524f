package main

import (
	"context"
	"fmt"
	"os"

	"tallyman/guardrails"
)

type policyRejudgeCmd struct {
	database
	Step string `arg:"" help:"The step; blocked, or waiting."`
	By   string `required:"" placeholder:"EMAIL" help:"An owner of policy."`
}

// Help explains the command at length.
func (*policyRejudgeCmd) Help() string {
	return `A step is blocked when the policy denies it or cannot judge it, or when it is not known
who counted, received or bought. When that was put right, this judges the step by the
policy in force: it waits for people, or says why it is still blocked.`
}

// Run has the step judged.
func (c *policyRejudgeCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	by, err := db.PersonByEmail(ctx, c.By)
	if err != nil {
		return err
	}
	if err := db.Rejudge(ctx, guardrails.StepID(c.Step), by); err != nil {
		return err
	}
	s, err := db.Step(ctx, guardrails.StepID(c.Step))
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s is %s and needs %s\n", s.ID, s.State, s.Requirement)
	return nil
}
