package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"tallyman/guardrails"
)

// ensurePolicy puts the shipped policy in force where none is.
func ensurePolicy(ctx context.Context, pool *pgxpool.Pool) error {
	p := guardrails.DefaultPolicy()
	_, err := pool.Exec(ctx, `
		insert into policy (version, name, source, state, effective_from)
		select $1, $2, $3, 'active', clock_timestamp()
		where not exists (select from policy where state = 'active')
		on conflict do nothing`, p.Version(), p.Name, p.Source)
	if err != nil {
		return fmt.Errorf("put the shipped policy in force: %w", err)
	}
	return nil
}

// policyInForce returns the compiled policy that a transaction works under.
// Compiled policies are kept: a version never changes.
func (db *DB) policyInForce(ctx context.Context, q querier) (*guardrails.Policy, error) {
	var version string
	if err := q.QueryRow(ctx, `select version from policy where state = 'active'`).Scan(&version); err != nil {
		return nil, fmt.Errorf("policy in force: %w", notFound(err))
	}
	if p, ok := db.policies.Load(version); ok {
		return p.(*guardrails.Policy), nil //nolint:forcetypeassert // only policies are kept
	}
	var source []byte
	if err := q.QueryRow(ctx, `select source from policy where version = $1`, version).Scan(&source); err != nil {
		return nil, fmt.Errorf("policy %.8s: %w", version, notFound(err))
	}
	p, err := guardrails.ParsePolicy(source)
	if err != nil {
		return nil, fmt.Errorf("policy %.8s: %w", version, err)
	}
	db.policies.Store(version, p)
	return p, nil
}
