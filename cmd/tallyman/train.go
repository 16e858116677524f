package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"tallyman/jobs"
)

// trainCmd fits models and proposes them.
type trainCmd struct {
	database
	Seed  uint64 `default:"1" help:"Same seed and history, same models."`
	First bool   `help:"Put a model in force for every outcome that never had one. The audit log keeps that you did."`
}

// Help explains the command at length.
func (*trainCmd) Help() string {
	return `Replays the recorded history and fits a model for every outcome that was seen often
enough: variance of positions and its size, discrepancy and lateness of loads.

Where a model is in force, the new one is compared with it on outcomes that neither
was fitted to. If it passes every gate it becomes a step in /steps, and people put
it in force by approving it; a service that is running takes it up then. It may be
run every night.

The first model of an outcome has nothing to be compared with. It is put in force
only with --first: running that is your decision, and the audit log keeps it.`
}

// Run trains.
func (c *trainCmd) Run(ctx context.Context) error {
	growHeap()
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	t, err := jobs.Train(ctx, db, time.Now(), c.Seed, c.First, newLog())
	if err != nil {
		return err
	}
	for _, step := range t.Proposed {
		fmt.Fprintf(os.Stdout, "proposed model %d of %s: it waits for %s in step %s\n", step.Model, step.Subject[1], step.Requirement, step.ID)
	}
	if len(t.Installed) > 0 {
		fmt.Fprintf(os.Stdout, "in force, as the first of their kind: %v\n", t.Installed)
	}
	if len(t.Behind) > 0 {
		fmt.Fprintf(os.Stdout, "the models in force did better on: %v\n", t.Behind)
	}
	if len(t.Waiting) > 0 {
		fmt.Fprintf(os.Stdout, "no model is in force for %v: run tallyman train --first to put one in force\n", t.Waiting)
	}
	if len(t.Skipped) > 0 {
		fmt.Fprintf(os.Stdout, "no new model for %v: too few outcomes, or too few since the last one\n", t.Skipped)
	}
	return nil
}
