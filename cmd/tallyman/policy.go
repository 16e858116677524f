package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tallyman/guardrails"
)

type policyCmd struct {
	Check    policyCheckCmd    `cmd:"" help:"Find everything that is wrong with a policy file."`
	Test     policyTestCmd     `cmd:"" help:"Run the tests in a policy file."`
	Diff     policyDiffCmd     `cmd:"" help:"What gets looser and what stricter from one file to another."`
	Simulate policySimulateCmd `cmd:"" help:"What a policy would have required of recorded steps."`
	Apply    policyApplyCmd    `cmd:"" help:"Propose that a policy be put in force; two owners of policy decide."`
	Rejudge  policyRejudgeCmd  `cmd:"" help:"Judge a blocked step anew, once what blocked it was put right."`
	Show     policyShowCmd     `cmd:"" help:"Print the policy in force, or the one that comes with the program."`
}

// maxPolicyFile is more than any policy may have.
const maxPolicyFile = 1 << 20

// readPolicy reads and compiles a file. Faults name the file.
func readPolicy(name string) (*guardrails.Policy, error) {
	source, err := readPolicyFile(name)
	if err != nil {
		return nil, err
	}
	p, err := guardrails.ParsePolicy(source)
	if wrong, ok := errors.AsType[*guardrails.PolicyError](err); ok {
		for _, f := range wrong.Faults {
			fmt.Fprintf(os.Stderr, "%s:%s\n", name, f)
		}
		return nil, fmt.Errorf("%s has %s and was not used", name, plural(len(wrong.Faults), "fault"))
	}
	return p, err
}

func readPolicyFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(os.Stdin, maxPolicyFile))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, maxPolicyFile))
}

type policyCheckCmd struct {
	File string `arg:"" help:"The policy, or - for the standard input."`
}

// Run prints every fault, and what is probably not meant.
func (c *policyCheckCmd) Run() error {
	p, err := readPolicy(c.File)
	if err != nil {
		return err
	}
	for _, w := range p.Warnings() {
		fmt.Fprintf(os.Stderr, "%s:%d:%d: warning: %s\n", c.File, w.Line, w.Column, w.Detail)
	}
	fmt.Fprintf(os.Stdout, "%s: policy %s is good: %s, %s, version %.8s\n", c.File, p.Name,
		plural(len(p.Rules()), "rule"), plural(len(p.Tests()), "test"), p.Version())
	return nil
}

type policyTestCmd struct {
	File string `arg:"" help:"The policy, or - for the standard input."`
}

// Run runs the tests of the file.
func (c *policyTestCmd) Run() error {
	p, err := readPolicy(c.File)
	if err != nil {
		return err
	}
	for _, name := range p.Tests() {
		fmt.Fprintln(os.Stdout, "ok", name)
	}
	fmt.Fprintf(os.Stdout, "%s passed; they match every rule\n", plural(len(p.Tests()), "test"))
	return nil
}

type policyDiffCmd struct {
	Old string `arg:"" help:"The policy before."`
	New string `arg:"" help:"The policy after."`
}

// Help explains the command at length.
func (*policyDiffCmd) Help() string {
	return `Both policies judge the same inputs: the neighbours of every number that a
condition of either names, zero, what is unknown, and each flag there or not.
One line for each way in which the answers differ, the looser ones first.`
}

// Run prints the differences.
func (c *policyDiffCmd) Run() error {
	before, err := readPolicy(c.Old)
	if err != nil {
		return err
	}
	after, err := readPolicy(c.New)
	if err != nil {
		return err
	}
	changes := guardrails.DiffPolicies(before, after)
	for _, d := range changes {
		fmt.Fprintf(os.Stdout, "%-8s  %s\n  from %s\n  to   %s\n  as in %s (and %d more)\n", d.Shift, d.Kind, d.From, d.To, d.Example, d.Inputs-1)
	}
	for _, role := range guardrails.GainedRoles(before, after) {
		fmt.Fprintf(os.Stdout, "gains     %s decides what it did not; who holds it cannot approve this policy\n", role)
	}
	if len(changes) == 0 {
		fmt.Fprintln(os.Stdout, "They require the same at every boundary.")
	}
	return nil
}

type policyApplyCmd struct {
	database
	File   string    `arg:"" help:"The policy."`
	Author string    `required:"" placeholder:"EMAIL" help:"Who wrote it; they cannot approve it."`
	At     time.Time `format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME" help:"When it comes into force, such as 2026-12-01T06:00:00+01:00; in two hours when not given."`
	Since  time.Time `format:"2006-01-02" placeholder:"DATE" help:"The report tries it on steps since this day; 30 days when not given."`
}

// Help explains the command at length.
func (*policyApplyCmd) Help() string {
	return `Nothing changes yet: a step is made that two owners of policy must approve, with
the report of "policy simulate" as evidence. Neither the author can, nor who
holds a role to which the policy gives a say that it did not have. A file with
faults makes no step.`
}

// Run makes the step.
func (c *policyApplyCmd) Run(ctx context.Context) error {
	p, err := readPolicy(c.File)
	if err != nil {
		return err
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	now := time.Now()
	if c.At.IsZero() {
		c.At = now.Add(2 * time.Hour).Truncate(time.Second)
	}
	if c.Since.IsZero() {
		c.Since = now.AddDate(0, 0, -30)
	}
	result, err := simulatePolicy(ctx, db, p, c.Since, now)
	if err != nil {
		return err
	}
	report, err := reportJSON(result)
	if err != nil {
		return err
	}
	step, err := db.ProposePolicy(ctx, p.Source, c.Author, c.At, report)
	if err != nil {
		return err
	}
	printSimulation(os.Stdout, result)
	fmt.Fprintf(os.Stdout, "\nStep %s waits until %s for %s.\nWhen they approve, policy %s (%.8s) is in force from %s on.\n", step.ID,
		step.ExpiresAt.UTC().Format(time.RFC3339), step.Requirement, p.Name, p.Version(), c.At.UTC().Format(time.RFC3339))
	if step.State == guardrails.Blocked {
		fmt.Fprintln(os.Stdout, "It is blocked:", step.Reason)
	}
	return nil
}

type policyShowCmd struct {
	database
	Default bool `help:"The one that comes with the program; needs no database."`
	List    bool `help:"Every version instead, with its state."`
}

// Run prints it.
func (c *policyShowCmd) Run(ctx context.Context) error {
	if c.Default {
		_, err := os.Stdout.Write(guardrails.DefaultPolicy().Source)
		return err
	}
	db, closeAll, err := c.openBeside(ctx, quiet())
	if err != nil {
		return err
	}
	defer closeAll()
	if !c.List {
		p, err := db.PolicyInForce(ctx)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(p.Source)
		return err
	}
	list, err := db.Policies(ctx)
	if err != nil {
		return err
	}
	return printPolicies(list)
}
