// Tallyman tells a warehouse what to count, which inbound load to check twice,
// and who must say yes. It stands beside the WMS and never changes stock.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type program struct {
	Demo     demoCmd     `cmd:"" help:"A whole service with simulated warehouses to look at."`
	Serve    serveCmd    `cmd:"" help:"The service: API, pages, ranking."`
	Import   importCmd   `cmd:"" help:"Load history from files."`
	Train    trainCmd    `cmd:"" help:"Fit the models to the recorded history."`
	Backtest backtestCmd `cmd:"" help:"How much better would counting have been? No server, no database."`
	Triage   triageCmd   `cmd:"" help:"Tickets: learn labels, measure, classify."`
	Model    modelCmd    `cmd:"" help:"Models on any table: fit, predict, explain, compare, convert."`
	Simulate simulateCmd `cmd:"" help:"Write the events of warehouses that never existed."`
	Site     siteCmd     `cmd:"" help:"Sites: their names and time zones."`
	Key      keyCmd      `cmd:"" help:"API keys."`
	Policy   policyCmd   `cmd:"" help:"Who must approve what: check, try on history, put in force."`
	Target   targetCmd   `cmd:"" help:"The systems that carry approved steps out, and one to try with."`
	Switch   switchCmd   `cmd:"" help:"Keep approved steps from being sent: kill switches and freezes."`
	Dead     deadCmd     `cmd:"" name:"deadletter" help:"Operations that wait for a human."`
	Doctor   doctorCmd   `cmd:"" help:"Check every rule that nothing may break on what is recorded."`
	User     userCmd     `cmd:"" help:"People: who may sign in, and what they may approve."`
	Audit    auditCmd    `cmd:"" help:"The record of who decided what: verify, export, prove."`
	Migrate  migrateCmd  `cmd:"" help:"Bring the database to this program's schema."`
}

const about = `What to count, which inbound load to check twice, and who must say yes.

Start with "tallyman demo". To see what your own history says, without a server:
"tallyman backtest --subject position --outcome variance --events events.csv.gz
--train-until 2026-06-30 --test-until 2026-09-30".`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tallyman:", err)
		stop()
		os.Exit(statusOf(err)) //nolint:gocritic // stop was called
	}
}

func statusOf(err error) int {
	if own, ok := errors.AsType[*exitError](err); ok {
		return own.code
	}
	return 1
}

func run(ctx context.Context, args []string) error {
	var p program
	parser, err := kong.New(&p, kong.Name("tallyman"), kong.Description(about), kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return err
	}
	k, err := parser.Parse(args)
	parser.FatalIfErrorf(err)
	err = k.Run()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return errors.New("stopped")
	}
	return err
}
