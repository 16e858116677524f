package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tallyman/audit"
	"tallyman/docs/bench/cpu"
)

// overhead runs the benchmark of package store on the durable server.
func overhead(ctx context.Context, dsn string, rounds int) error {
	cmd := exec.CommandContext(ctx, "go", "test", "tallyman/store", "-run", "^$", "-bench", "AuditOverhead",
		"-benchtime", strconv.Itoa(20*rounds)+"x", "-timeout", "30m")
	cmd.Env = append(os.Environ(), "DATABASE_URL="+dsn)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	line := regexp.MustCompile(`clients=(\d+)\S*\s+(\d+)\s.*?(\S+) median-overhead-%\s+(\S+) ms-plain\s+(\S+) overhead-%`)
	for _, m := range line.FindAllStringSubmatch(string(out), -1) {
		r := &result{Part: "audit", Program: "tallyman"}
		if _, err := fmt.Sscan(strings.Join(m[1:], " "), &r.Clients, &r.Count, &r.Adds50, &r.P50, &r.Adds); err != nil {
			return err
		}
		r.Count *= 32
		if err := report(r); err != nil {
			return err
		}
	}
	return nil
}

// commands times the program's commands on a large database, each as a process.
func commands(ctx context.Context, dsn string, s *settings) error {
	dir, err := os.MkdirTemp("", "tallyman-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	secret, public, err := audit.NewKey(rand.Reader, "bench")
	if err != nil {
		return err
	}
	signer, err := audit.NewSigner(secret)
	if err != nil {
		return err
	}
	policy, bundle := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "bundle.jsonl")
	if err := os.WriteFile(policy, fiftyRules(), 0o600); err != nil {
		return err
	}
	if dsn, err = newDatabase(ctx, dsn, "history", true); err != nil {
		return err
	}
	w, err := newWorld(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = w.close(ctx) }()
	if err := history(ctx, w, s.steps, signer); err != nil {
		return err
	}
	for range s.rounds {
		for _, c := range [][]string{
			{"audit", "verify", "--key", public},
			{"audit", "export", "--out", bundle},
			{"audit", "verify", "--bundle", bundle, "--key", public},
			{"policy", "simulate", policy, "--from", time.Now().AddDate(0, 0, -40).Format(time.DateOnly)},
		} {
			if err := command(ctx, s, dsn, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func command(ctx context.Context, s *settings, dsn string, args []string) error {
	cmd := exec.CommandContext(ctx, s.tallyman, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+dsn)
	var said bytes.Buffer
	cmd.Stderr, cmd.Stdout = &said, &said
	used, begin := cpu.Now(), time.Now()
	err := cmd.Run()
	r := &result{Part: "commands", Program: strings.Join(args[:2], " "), Count: s.steps * changes, Seconds: time.Since(begin).Seconds()}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", r.Program, err, said.Bytes())
	}
	if args[0] == "policy" {
		r.Count = s.steps
	}
	if len(args) > 2 && args[2] == "--bundle" {
		r.Program += " --bundle"
	}
	spent := cpu.Now().Sub(used)
	r.ClientSeconds, r.ServerSeconds = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), spent.Server.Seconds()
	return report(r)
}

// fiftyRules is a policy of which every rule but the last is asked of each step.
func fiftyRules() []byte {
	b := []byte("apiVersion: tallyman/v1\nkind: ApprovalPolicy\nmetadata: {name: fifty}\nroles: [supervisor, finance, policy_owner]\n" +
		"defaults: {deny: no rule is about this}\nrules:\n  - {id: all, actions: [any], require: {supervisor: 1}, expires_in: 8h}\n")
	for i := range 48 {
		b = fmt.Appendf(b, "  - id: r%d\n    actions: [any]\n    when: \"rec.value_minor > %d && rec.variance_ppm > %d || 'x%d' in rec.flags\"\n"+
			"    require: {finance: 1}\n    expires_in: 1h\n", i, i*20_000, i*1000, i)
	}
	b = append(b, "  - {id: policy, actions: [change_policy], require: {policy_owner: 2}, auth: fresh, expires_in: 72h}\ntests:\n"+
		"  - {name: all, rec: {action: count_position}, expect: {require: {supervisor: 1}}}\n"...)
	for i := range 48 {
		b = fmt.Appendf(b, "  - {name: t%d, rec: {action: count_position, flags: [x%d]}, expect: {require: {supervisor: 1, finance: 1}}}\n", i, i)
	}
	return append(b, "  - {name: policy, rec: {action: change_policy}, expect: {require: {supervisor: 1, policy_owner: 2}}}\n"...)
}
