package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
)

type deadCmd struct {
	List    deadListCmd    `cmd:"" help:"List them, the oldest first."`
	Replay  deadReplayCmd  `cmd:"" help:"Send one again, or all since an instant: the same bytes under the same key."`
	Resolve deadResolveCmd `cmd:"" help:"Say that what could not be taken back was put right at the target."`
	Answer  deadAnswerCmd  `cmd:"" help:"Say whether the target applied what nobody can be sure of, or whether people did what is theirs."`
}

// mostLetters is how many are listed or replayed at once.
const mostLetters = 1000

type deadListCmd struct {
	database
	Since time.Time `placeholder:"TIME" help:"RFC 3339."`
}

// Run lists the dead letters.
func (c *deadListCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	letters, err := db.DeadLetters(ctx, c.Since, mostLetters)
	if err != nil {
		return err
	}
	if len(letters) == 0 {
		fmt.Fprintln(os.Stdout, "none")
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "STEP\tACTION\tSITE\tTARGET\tSTATE\tATTEMPTS\tSINCE\tREASON")
	for _, l := range letters {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", l.Step, l.Kind, printable(string(l.Site)), l.Target, l.State, l.Attempts, l.Since.Format(time.DateTime), printable(l.Reason))
	}
	return w.Flush()
}

type deadReplayCmd struct {
	database
	Step   string    `arg:"" optional:"" help:"The step; or --since."`
	Since  time.Time `placeholder:"TIME" help:"All since then; RFC 3339."`
	By     string    `required:"" placeholder:"EMAIL" help:"Who replays. For a large value it must not be an approver."`
	Reason string    `required:"" help:"Why it will work now; it is kept."`
}

// Run replays.
func (c *deadReplayCmd) Run(ctx context.Context) error {
	if (c.Step == "") == c.Since.IsZero() {
		return errors.New("name a step, or --since")
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	by, err := db.PersonByEmail(ctx, c.By)
	if err != nil {
		return err
	}
	steps := []guardrails.StepID{guardrails.StepID(c.Step)}
	if c.Step == "" {
		letters, err := db.DeadLetters(ctx, c.Since, mostLetters)
		if err != nil {
			return err
		}
		steps = steps[:0]
		for _, l := range letters {
			if l.State == guardrails.Refused {
				steps = append(steps, l.Step)
			}
		}
	}
	failed := 0
	for _, id := range steps {
		if _, err := db.Decide(ctx, id, by, guardrails.Replay{Reason: c.Reason}); err != nil {
			failed++
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		fmt.Fprintf(os.Stdout, "%s is on its way again\n", id)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s could not be replayed", failed, plural(len(steps), "step"))
	}
	return nil
}

type deadAnswerCmd struct {
	database
	Step    string `arg:"" help:"The step."`
	Applied bool   `help:"It was done."`
	Absent  bool   `help:"It was not: what went to a target is sent again, what people were to do ends."`
	By      string `required:"" placeholder:"EMAIL" help:"Who looked."`
	Reason  string `required:"" help:"How they know; it is kept."`
}

// Run records the answer.
func (c *deadAnswerCmd) Run(ctx context.Context) error {
	if c.Applied == c.Absent {
		return errors.New("say --applied or --absent")
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	by, err := db.PersonByEmail(ctx, c.By)
	if err != nil {
		return err
	}
	return db.ReportByHand(ctx, guardrails.StepID(c.Step), by, store.Word{Done: c.Applied, Reason: c.Reason})
}
