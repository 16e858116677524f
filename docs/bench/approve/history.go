package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
	"tallyman/guardrails"
)

const (
	templates = 100 // steps that were really proposed
	changes   = 10  // of each step, with an audit entry each
)

// stepID is the id of the n-th step of the history.
func stepID(n int) guardrails.StepID { return guardrails.StepID(fmt.Sprintf("st_%026d", n)) }

// history fills a database with steps and their audit log. The steps are copies of
// some that were proposed, made past the triggers; entries, links, places in the
// tree and checkpoints are as the program makes them.
func history(ctx context.Context, w *world, steps int, signer *audit.Signer) error {
	for i := range templates {
		if _, err := w.propose(ctx, site(i), 1, int64(i)*20_000); err != nil { // into each of the bands
			return err
		}
	}
	if _, err := w.owner.Exec(ctx, `set session_replication_role = replica`); err != nil {
		return err
	}
	if err := copySteps(ctx, w.owner, steps); err != nil {
		return fmt.Errorf("copy steps: %w", err)
	}
	if err := writeEntries(ctx, w.owner, steps); err != nil {
		return fmt.Errorf("write audit entries: %w", err)
	}
	begin := time.Now()
	for {
		placed, err := w.db.SequenceAudit(ctx, signer)
		if err != nil {
			return err
		}
		if placed == 0 {
			break
		}
	}
	r := &result{Part: "commands", Program: "the sequencer", Count: steps * changes, Seconds: time.Since(begin).Seconds()}
	if err := report(r); err != nil {
		return err
	}
	time.Sleep(1100 * time.Millisecond) // until a checkpoint of all may be signed
	if _, err := w.db.SequenceAudit(ctx, signer); err != nil {
		return err
	}
	for _, sql := range []string{`vacuum analyze`, `checkpoint`} { // as a server does by itself in time
		if _, err := w.owner.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func copySteps(ctx context.Context, conn *pgx.Conn, steps int) error {
	for _, x := range []struct {
		sql  string
		args []any
	}{
		{sql: `create temp table template on commit preserve rows as
		select row_number() over (order by s.id) - 1 as k, s.*, r.payload, r.evidence, r.facts, r.parties
		from step s
		join recommendation r on r.id = s.recommendation_id`},
		{`insert into recommendation (id, action, site, subject, payload, evidence, facts, parties)
		select 'rec_' || lpad(n::text, 26, '0'), action, site, subject, payload, evidence, facts, parties
		from template
		join generate_series(0, $1::int - 1) n on n % (select count(*) from template) = k`, []any{steps}},
		{`insert into step (id, recommendation_id, action, site, subject, state, version, audited, payload_hash, evidence_hash, plan_hash, policy,
			requirement, matched, binding, lane, stake_minor, value_minor, currency, expires_at, approved_at, created_at, waits_since)
		select 'st_' || lpad(n::text, 26, '0'), 'rec_' || lpad(n::text, 26, '0'), action, site, subject, 'succeeded', $2::int, $2, payload_hash,
			evidence_hash, plan_hash, policy, requirement, matched, binding, lane, stake_minor, value_minor, currency, expires_at, created_at,
			x.at, x.at
		from template
		join generate_series(0, $1::int - 1) n on n % (select count(*) from template) = k
		cross join lateral (select created_at - n * interval '30 days' / $1 as at) x`, []any{steps, changes}},
		{sql: `analyze`},
	} {
		if _, err := conn.Exec(ctx, x.sql, x.args...); err != nil {
			return err
		}
	}
	return nil
}

// writeEntries copies entries in, one change of every step after the other.
func writeEntries(ctx context.Context, conn *pgx.Conn, steps int) error {
	prev := make([]audit.Hash, steps)
	start := time.Now().Add(-time.Duration(steps*changes) * time.Second).UTC().Truncate(time.Second)
	i := 0
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"audit_entry"}, []string{"stream", "seq", "prev", "body", "at"},
		pgx.CopyFromFunc(func() ([]any, error) {
			if i == steps*changes {
				return nil, nil
			}
			n := i % steps
			e := audit.Entry{
				Stream: string(stepID(n)), Seq: i/steps + 1, Prev: prev[n], At: start.Add(time.Duration(i) * time.Second),
				Event: string(guardrails.ApprovalGiven), Actor: fmt.Sprintf("person:%d", n%200+1),
				Facts: []audit.Fact{
					{Name: "from", Value: "pending"},
					{Name: "to", Value: "approved"},
					{Name: "version", Value: fmt.Sprint(i/steps + 1)},
					{Name: "binding", Value: guardrails.Hash(prev[n]).String()},
					{Name: "reason", Value: "the pallet was found"},
					{Name: "slot", Value: "supervisor"},
					{Name: "strength", Value: "session"},
					{Name: "roles", Value: "[supervisor]"},
					{Name: "incident", Value: ""},
				},
			}
			body, err := e.Body()
			if err != nil {
				return nil, err
			}
			row := []any{e.Stream, e.Seq, append([]byte{}, prev[n][:]...), body, e.At}
			prev[n] = audit.Leaf(body)
			i++
			return row, nil
		}))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `insert into audit_unsequenced (stream, seq) select stream, seq from audit_entry where stream like 'st\_0%' order by at`)
	return err
}
