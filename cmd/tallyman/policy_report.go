package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
)

type policySimulateCmd struct {
	database
	File string    `arg:"" help:"The policy, or - for the standard input."`
	From time.Time `format:"2006-01-02" placeholder:"DATE" help:"First day (UTC); 30 days ago when not given."`
	To   time.Time `format:"2006-01-02" placeholder:"DATE" help:"Last day; today when not given."`
	JSON bool      `help:"Print everything as JSON."`
}

// Help explains the command at length.
func (*policySimulateCmd) Help() string {
	return `Judges recorded steps by the policy, on the facts that were recorded with them, and
compares with what was required of them: steps that would have needed less, with
their value; steps that nobody could have approved; approvals more or fewer by
role and day. The same steps give the same report, byte for byte.`
}

// Run prints the report.
func (c *policySimulateCmd) Run(ctx context.Context) error {
	growHeap()
	p, err := readPolicy(c.File)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	if c.From.IsZero() {
		c.From = now.AddDate(0, 0, -30).Truncate(24 * time.Hour)
	}
	if c.To.IsZero() {
		c.To = now
	}
	if c.To.Before(c.From) {
		return errors.New("--to is before --from")
	}
	db, closeAll, err := c.openToRead(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	result, err := simulatePolicy(ctx, db, p, c.From, c.To.Truncate(24*time.Hour).AddDate(0, 0, 1))
	if err != nil {
		return err
	}
	if !c.JSON {
		printSimulation(os.Stdout, result)
		return nil
	}
	report, err := reportJSON(result)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(report, '\n'))
	return err
}

// simulatePolicy judges side by side, on all processors.
func simulatePolicy(ctx context.Context, db *store.DB, p *guardrails.Policy, from, to time.Time) (*guardrails.Simulation, error) {
	progress := newProgress(os.Stderr, "steps")
	var counting sync.Mutex
	simulators := make([]*guardrails.Simulator, runtime.GOMAXPROCS(0))
	visits := make([]func(*guardrails.PastStep) error, len(simulators))
	for i := range simulators {
		simulators[i] = guardrails.NewSimulator(p)
		visits[i] = func(step *guardrails.PastStep) error {
			simulators[i].Add(step)
			counting.Lock()
			defer counting.Unlock()
			progress.add(1)
			return nil
		}
	}
	err := db.PastSteps(ctx, from, to, visits...)
	progress.done()
	for _, other := range simulators[1:] {
		simulators[0].Merge(other)
	}
	result := simulators[0].Result()
	return &result, err
}

// jsonSimulation is the report that approvers of a policy see.
type jsonSimulation struct {
	Policy    string           `json:"policy"`
	Steps     int              `json:"steps"`
	Same      int              `json:"same"`
	Stricter  int              `json:"stricter"`
	Looser    int              `json:"looser"`
	Minor     map[string]int64 `json:"looser_minor"`
	Loosened  []jsonShift      `json:"loosened"`
	Blocked   []jsonShift      `json:"blocked"`
	Approvals []jsonRoleDay    `json:"approvals"`
}

type jsonShift struct {
	Step     string `json:"step"`
	Action   string `json:"action"`
	Site     string `json:"site"`
	Minor    int64  `json:"value_minor"`
	Currency string `json:"currency"`
	From     string `json:"from"`
	To       string `json:"to"`
}

type jsonRoleDay struct {
	Day   string `json:"day"`
	Role  string `json:"role"`
	Extra int    `json:"extra"`
}

// maxReported is how many steps a report lists by name; it counts all.
const maxReported = 1000

func reportJSON(r *guardrails.Simulation) ([]byte, error) {
	out := jsonSimulation{
		Policy: r.Policy, Steps: r.Steps, Same: r.Shifts[guardrails.Same], Stricter: r.Shifts[guardrails.Stricter], Looser: r.Shifts[guardrails.Looser],
		Minor: map[string]int64{}, Loosened: []jsonShift{}, Blocked: []jsonShift{}, Approvals: []jsonRoleDay{},
	}
	for currency, minor := range r.LoosenedMinor {
		out.Minor[string(currency)] = minor
	}
	shifts := func(list []guardrails.ShiftedStep) []jsonShift {
		all := []jsonShift{}
		for _, s := range list[:min(len(list), maxReported)] {
			all = append(all, jsonShift{string(s.Step), string(s.Kind), string(s.Site), s.Value.Minor, string(s.Value.Currency), s.From.String(), s.To.String()})
		}
		return all
	}
	out.Loosened, out.Blocked = shifts(r.Loosened), shifts(r.Blocked)
	for _, d := range r.Approvals {
		out.Approvals = append(out.Approvals, jsonRoleDay{d.Day, string(d.Role), d.Extra})
	}
	return json.Marshal(out)
}

func printSimulation(w io.Writer, r *guardrails.Simulation) {
	if r.Steps == 0 {
		fmt.Fprintln(w, "No step was recorded in this time.")
		return
	}
	fmt.Fprintf(w, "%s: %d the same, %d stricter, %d looser, %d that nobody could have approved\n", plural(r.Steps, "step"),
		r.Shifts[guardrails.Same], r.Shifts[guardrails.Stricter], r.Shifts[guardrails.Looser], len(r.Blocked))
	for _, currency := range slices.Sorted(maps.Keys(r.LoosenedMinor)) {
		fmt.Fprintf(w, "looser ones are worth %s %s\n", amount(r.LoosenedMinor[currency]), currency)
	}
	printShifts(w, "looser", r.Loosened)
	printShifts(w, "blocked", r.Blocked)
	if len(r.Approvals) > 0 {
		fmt.Fprintln(w, "\napprovals more (+) or fewer (-)")
	}
	for _, d := range r.Approvals {
		fmt.Fprintf(w, "  %s  %+6d  %s\n", d.Day, d.Extra, d.Role)
	}
}

const shownShifts = 20

func printShifts(w io.Writer, title string, list []guardrails.ShiftedStep) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, s := range list[:min(len(list), shownShifts)] {
		fmt.Fprintf(w, "  %s  %s at %s, %s %s\n    from %s\n    to   %s\n", s.Step, s.Kind, s.Site, amount(s.Value.Minor), s.Value.Currency, s.From, s.To)
	}
	if more := len(list) - shownShifts; more > 0 {
		fmt.Fprintf(w, "  and %d more; --json lists them\n", more)
	}
}

func amount(minor int64) string {
	if minor == guardrails.UnknownAmount {
		return "an unknown amount of"
	}
	return fmt.Sprintf("%d minor units of", minor)
}

func printPolicies(list []store.PolicyVersion) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "VERSION\tNAME\tSTATE\tIN FORCE FROM\tAUTHOR")
	for _, p := range list {
		from, author := "-", p.Author
		if p.Effective != nil {
			from = p.Effective.UTC().Format(time.RFC3339)
		}
		if author == "" {
			author = "comes with the program"
		}
		fmt.Fprintf(t, "%.8s\t%s\t%s\t%s\t%s\n", p.Version, p.Name, p.State, from, author)
	}
	return t.Flush()
}
