package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tallyman/audit"
	"tallyman/guardrails"
)

// PolicyNotice is how long before it is in force a policy must be proposed.
const PolicyNotice = time.Hour

// PolicyVersion is a policy file as it is kept.
type PolicyVersion struct {
	Version   string
	Name      string
	Source    []byte
	State     string // draft, scheduled, active or retired
	Author    string // e-mail, "" for the one that comes with the program
	Effective *time.Time
	CreatedAt time.Time
}

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

// inForce orders policies by how lately they came into force. A scheduled one is
// in force from its instant on, whether or not anybody has said so yet.
const inForce = `
	from policy
	where state = 'active' or state = 'scheduled' and effective_from <= clock_timestamp()
	order by effective_from desc, version
	limit 1`

// policyInForce returns the compiled policy that a transaction works under.
func (db *DB) policyInForce(ctx context.Context, q querier) (*guardrails.Policy, error) {
	var version string
	if err := q.QueryRow(ctx, `select version`+inForce).Scan(&version); err != nil {
		return nil, fmt.Errorf("policy in force: %w", notFound(err))
	}
	return db.policy(ctx, q, version)
}

// policy returns a compiled policy. They are kept: a version never changes.
func (db *DB) policy(ctx context.Context, q querier, version string) (*guardrails.Policy, error) {
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

// PolicyInForce returns the policy that steps are judged by now.
func (db *DB) PolicyInForce(ctx context.Context) (*guardrails.Policy, error) {
	return db.policyInForce(ctx, db.pool)
}

// Policies lists every policy, the newest first.
func (db *DB) Policies(ctx context.Context) ([]PolicyVersion, error) {
	rows, _ := db.pool.Query(ctx, `
		select p.version, p.name, p.source, p.state, coalesce(a.email, '') as author, p.effective_from as effective, p.created_at
		from policy p
		left join person a on a.id = p.author_id
		order by p.effective_from desc nulls first, p.created_at desc, p.version`)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[PolicyVersion])
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	return list, nil
}

// ProposePolicy makes the step that puts a policy in force at an instant, when
// two owners of policy approve it: not its author, nor anybody who gains by it a
// role's say that the role did not have. report is the hash of the simulation
// that they are shown as evidence.
func (db *DB) ProposePolicy(ctx context.Context, source []byte, author string, effective time.Time, report []byte) (Step, error) {
	p, err := guardrails.ParsePolicy(source)
	if err != nil {
		return Step{}, fmt.Errorf("propose a policy: %w", err)
	}
	var step Step
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		parties, err := db.policyParties(ctx, tx, p, author)
		if err != nil {
			return err
		}
		now, err := clock(ctx, tx)
		if err != nil {
			return err
		}
		if notice := effective.Sub(now); notice < PolicyNotice {
			return fmt.Errorf("it would be in force in %s; at least %s must be left to look at it", notice.Round(time.Second), PolicyNotice)
		}
		_, err = tx.Exec(ctx, `
			insert into policy (version, name, source, author_id)
			values ($1, $2, $3, $4)
			on conflict (version) do nothing`, p.Version(), p.Name, p.Source, parties[0].Person)
		if err != nil {
			return err
		}
		var state string
		if err := tx.QueryRow(ctx, `select state from policy where version = $1`, p.Version()).Scan(&state); err != nil {
			return err
		}
		if state == "active" || state == "scheduled" {
			return fmt.Errorf("policy %.8s is %s already", p.Version(), state)
		}
		hash := sha256.Sum256(report)
		step, err = db.propose(ctx, tx, NewStepID(), guardrails.Recommendation{
			Site: guardrails.Everywhere, Parties: parties, Evidence: guardrails.Evidence{Body: report},
			Action: &guardrails.ChangePolicy{
				Policy: p.Name, Version: p.Version(), Effective: effective.UTC().Format(time.RFC3339), Report: hex.EncodeToString(hash[:]),
			},
		}, Source{})
		return err
	})
	if err != nil {
		return Step{}, fmt.Errorf("propose policy %s: %w", p.Name, err)
	}
	return step, nil
}

// policyParties are the author, first, and all who gain by the policy.
func (db *DB) policyParties(ctx context.Context, tx pgx.Tx, p *guardrails.Policy, author string) ([]guardrails.Party, error) {
	var id guardrails.PersonID
	err := tx.QueryRow(ctx, `select id from person where email = $1 and deactivated_at is null`, strings.ToLower(author)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("nobody active has the address %s: %w", author, ErrNotFound)
	} else if err != nil {
		return nil, err
	}
	parties := []guardrails.Party{{Part: guardrails.Proposer, Person: id}}
	before, err := db.policyInForce(ctx, tx)
	if err != nil {
		return nil, err
	}
	rows, _ := tx.Query(ctx, `
		select distinct person_id
		from role_grant
		where role = any ($1) and revoked_at is null
		order by person_id`, guardrails.GainedRoles(before, p))
	gaining, err := pgx.CollectRows(rows, pgx.RowTo[guardrails.PersonID])
	for _, person := range gaining {
		parties = append(parties, guardrails.Party{Part: guardrails.Beneficiary, Person: person})
	}
	return parties, err
}

// SchedulePolicy does what an approved change of policy asks for. It may be
// repeated. A [*guardrails.Refusal] says that it can never be done.
func (db *DB) SchedulePolicy(ctx context.Context, a *guardrails.ChangePolicy) error {
	effective, err := time.Parse(time.RFC3339, a.Effective)
	if err != nil {
		return &guardrails.Refusal{Code: guardrails.CodeNotAllowed, Detail: fmt.Sprintf("%q is no instant", a.Effective)}
	}
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := db.policy(ctx, tx, a.Version); err != nil {
			if wrong := (*guardrails.PolicyError)(nil); errors.As(err, &wrong) || errors.Is(err, ErrNotFound) {
				return &guardrails.Refusal{Code: guardrails.CodeNotAllowed, Detail: err.Error()}
			}
			return err
		}
		done, err := tx.Exec(ctx, `
			update policy
			set state = 'scheduled', effective_from = greatest($2, clock_timestamp())
			where version = $1 and state in ('draft', 'retired')`, a.Version, effective)
		if err != nil || done.RowsAffected() == 0 {
			return err // it is scheduled, or in force
		}
		return notePolicy(ctx, tx, "scheduled", a.Version, guardrails.TargetInternal)
	})
}

// notePolicy writes down what became of a policy.
func notePolicy(ctx context.Context, tx pgx.Tx, event, detail, actor string) error {
	return noteChange(ctx, tx, "policy", event, actor, []audit.Fact{{Name: "detail", Value: detail}})
}
