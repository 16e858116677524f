package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

type eventCmd struct {
	Conflicts eventConflictsCmd `cmd:"" help:"List the records that were refused because their id was there with other content."`
}

type eventConflictsCmd struct {
	database
	Limit int `default:"100" help:"At most so many, the newest first."`
}

// Help explains the command at length.
func (*eventConflictsCmd) Help() string {
	return `One JSON object a line: the source and id, the seq of the event that holds them, and
the record that was refused. Where the refused one is right, the sender corrects it
with a record of its own id, such as an adjustment: what was recorded never changes.`
}

// Run lists them.
func (c *eventConflictsCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	conflicts, err := db.Conflicts(ctx, c.Limit)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	for _, x := range conflicts {
		err := out.Encode(struct {
			Source string          `json:"source"`
			ID     string          `json:"id"`
			Holder int64           `json:"seq"`
			Body   json.RawMessage `json:"refused"`
		}{string(x.Source), x.ID, int64(x.Holder), x.Body})
		if err != nil {
			return err
		}
	}
	if len(conflicts) == 0 {
		fmt.Fprintln(os.Stderr, "none: no record was refused for its id")
	}
	return nil
}
