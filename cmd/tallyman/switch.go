package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"tallyman/guardrails"
	"tallyman/warehouse"
)

type switchCmd struct {
	Throw  switchThrowCmd  `cmd:"" help:"Keep everything that matches from being sent, at once."`
	Freeze switchFreezeCmd `cmd:"" help:"Keep it from being sent between two instants, such as during a physical inventory."`
	List   switchListCmd   `cmd:"" help:"List switches and freezes."`
	Lift   switchLiftCmd   `cmd:"" help:"End a switch, or a freeze early."`
}

type switchThrowCmd struct {
	database
	Kind   string `placeholder:"ACTION" help:"Only this action."`
	Site   string `placeholder:"CODE" help:"Only this site."`
	Model  int64  `placeholder:"ID" help:"Only what this model proposed."`
	Target string `placeholder:"NAME" help:"Only what goes to this target."`
	All    bool   `help:"Everything: said when nothing else is."`
	Reason string `required:"" help:"Why; people see it."`
}

// Run throws the switch.
func (c *switchThrowCmd) Run(ctx context.Context) error {
	k := guardrails.Switch{Kind: guardrails.Kind(c.Kind), Site: warehouse.Site(c.Site), Model: c.Model, Target: c.Target, Reason: c.Reason}
	if c.All != (c.Kind == "" && c.Site == "" && c.Model == 0 && c.Target == "") {
		return errors.New("say what the switch matches with --kind, --site, --model and --target, or --all alone for everything")
	}
	if err := checkKind(c.Kind); err != nil {
		return err
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	id, err := db.ThrowSwitch(ctx, k)
	if err == nil {
		fmt.Fprintf(os.Stdout, "switch %d is on; lift it with: tallyman switch lift %d\n", id, id)
	}
	return err
}

func checkKind(kind string) error {
	if kind != "" && !guardrails.Kind(kind).Valid() {
		return fmt.Errorf("--kind: %q is none of %s", kind, join(guardrails.Kinds, ""))
	}
	return nil
}

type switchFreezeCmd struct {
	database
	Kind   string    `placeholder:"ACTION" help:"Only this action."`
	Site   string    `placeholder:"CODE" help:"Only this site."`
	From   time.Time `required:"" placeholder:"TIME" help:"RFC 3339, such as 2026-12-31T18:00:00+01:00."`
	Until  time.Time `required:"" placeholder:"TIME" help:"RFC 3339."`
	Reason string    `required:"" help:"Why; people see it."`
}

// Run adds the freeze.
func (c *switchFreezeCmd) Run(ctx context.Context) error {
	if !c.Until.After(c.From) {
		return errors.New("--until must be after --from")
	}
	if err := checkKind(c.Kind); err != nil {
		return err
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	id, err := db.AddFreeze(ctx, guardrails.Freeze{
		Kind: guardrails.Kind(c.Kind), Site: warehouse.Site(c.Site), Begin: c.From, End: c.Until, Reason: c.Reason,
	})
	if err == nil {
		fmt.Fprintf(os.Stdout, "freeze %d; end it early with: tallyman switch lift --freeze %d\n", id, id)
	}
	return err
}

type switchListCmd struct{ database }

// Run lists what is on.
func (c *switchListCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	switches, err := db.Switches(ctx)
	if err != nil {
		return err
	}
	freezes, err := db.Freezes(ctx)
	if err != nil {
		return err
	}
	if len(switches)+len(freezes) == 0 {
		fmt.Fprintln(os.Stdout, "nothing is on: whatever is approved is sent")
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\tID\tACTION\tSITE\tMODEL\tTARGET\tSINCE OR BETWEEN\tREASON")
	for _, k := range switches {
		model := "all"
		if k.Model != 0 {
			model = fmt.Sprint(k.Model)
		}
		fmt.Fprintf(w, "switch\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, orAll(string(k.Kind)), orAll(string(k.Site)), model, orAll(k.Target), k.At.Format(time.DateTime), k.Reason)
	}
	for _, f := range freezes {
		fmt.Fprintf(w, "freeze\t%d\t%s\t%s\tall\tall\t%s to %s\t%s\n", f.ID, orAll(string(f.Kind)), orAll(string(f.Site)),
			f.Begin.Format(time.DateTime), f.End.Format(time.DateTime), f.Reason)
	}
	return w.Flush()
}

func orAll(s string) string {
	if s == "" {
		return "all"
	}
	return s
}

type switchLiftCmd struct {
	database
	ID     int64 `arg:"" help:"As listed."`
	Freeze bool  `help:"It is a freeze."`
}

// Run lifts it.
func (c *switchLiftCmd) Run(ctx context.Context) error {
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	if c.Freeze {
		return db.LiftFreeze(ctx, c.ID)
	}
	return db.LiftSwitch(ctx, c.ID)
}
