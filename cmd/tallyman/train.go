package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"tallyman/jobs"
)

// trainCmd fits the models and puts them in force.
type trainCmd struct {
	database
	Seed uint64 `default:"1" help:"Same seed and history, same models."`
}

// Help explains the command at length.
func (*trainCmd) Help() string {
	return `Replays the recorded history, fits a model for every outcome that was seen often
enough (variance of positions, discrepancy and lateness of loads), and puts the
models in force. Running it is the human decision to do so. A service that is
running takes them up when it is started again.`
}

// Run trains.
func (c *trainCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	skipped, err := jobs.Train(ctx, db, time.Now(), c.Seed, newLog())
	if err != nil {
		return err
	}
	if len(skipped) > 0 {
		fmt.Fprintf(os.Stdout, "no model yet for %v: import more history\n", skipped)
	}
	return nil
}
