package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
)

// trial judges approvals of many steps by one person, without giving them.
type trial struct {
	context   guardrails.Context
	decisions map[guardrails.StepID][]guardrails.Decision
}

// newTrial reads what the approvals are judged by. Others are whom the person
// may try it for.
func newTrial(ctx context.Context, q querier, by By, steps []Step, others ...guardrails.PersonID) (*trial, error) {
	now, err := clock(ctx, q)
	if err != nil {
		return nil, err
	}
	ids, persons := make([]guardrails.StepID, len(steps)), append(others, by.Person)
	for i := range steps {
		ids[i] = steps[i].ID
	}
	t := &trial{context: guardrails.Context{Now: now, ModelInForce: true}}
	if t.decisions, err = decisionsOfAll(ctx, q, ids); err != nil {
		return nil, err
	}
	for _, list := range t.decisions {
		for _, d := range list {
			persons = append(persons, d.Person, d.OnBehalfOf)
		}
	}
	if t.context.People, err = people(ctx, q, persons); err != nil {
		return nil, err
	}
	t.context.Actor = guardrails.Actor{Person: t.context.People[by.Person], Session: by.Session, AuthenticatedAt: by.AuthenticatedAt}
	return t, nil
}

// approve tries to approve each step; a nil says that it would be approved.
func (t *trial) approve(ctx context.Context, q querier, steps []Step) (refusals []*guardrails.Refusal, err error) {
	who := t.context.Actor.Person.ID
	if p := t.context.Actor.Principal; p != nil {
		who = p.ID
	}
	if t.context.Spent, err = spent(ctx, q, who); err != nil {
		return nil, err
	}
	refusals = make([]*guardrails.Refusal, len(steps))
	for i := range steps {
		t.context.Decisions = t.decisions[steps[i].ID]
		_, err := guardrails.Decide(steps[i].Step, t.context, guardrails.Approve{Binding: steps[i].Binding})
		if err != nil && !errors.As(err, &refusals[i]) {
			return nil, err
		}
	}
	return refusals, nil
}

// TryDelegated says which of the steps a person could approve now for somebody
// who delegated that to them, and for whom. It changes nothing.
func (db *DB) TryDelegated(ctx context.Context, by By, steps []Step) (map[guardrails.StepID]Decider, error) {
	could := map[guardrails.StepID]Decider{}
	err := db.readOnly(ctx, func(tx pgx.Tx) error {
		delegations, err := delegationsOf(ctx, tx, by.Person)
		if err != nil || len(steps) == 0 {
			return err
		}
		var others []guardrails.PersonID
		for _, d := range delegations {
			others = append(others, d.From)
		}
		t, err := newTrial(ctx, tx, by, steps, others...)
		if err != nil {
			return err
		}
		for _, d := range delegations {
			if d.To != by.Person {
				continue
			}
			principal := t.context.People[d.From]
			t.context.Actor.Principal, t.context.Actor.Delegation = &principal, &d.Delegation
			refusals, err := t.approve(ctx, tx, steps)
			if err != nil {
				return err
			}
			for i := range refusals {
				if refusals[i] == nil {
					could[steps[i].ID] = Decider{d.From, d.FromName}
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("try approvals for others: %w", err)
	}
	return could, nil
}

func decisionsOfAll(ctx context.Context, q querier, ids []guardrails.StepID) (map[guardrails.StepID][]guardrails.Decision, error) {
	rows, _ := q.Query(ctx, `select distinct step_id from decision where step_id = any ($1)`, ids)
	decided, err := pgx.CollectRows(rows, pgx.RowTo[guardrails.StepID])
	if err != nil {
		return nil, err
	}
	all := map[guardrails.StepID][]guardrails.Decision{}
	for _, id := range decided {
		if all[id], err = decisionsOf(ctx, q, id); err != nil {
			return nil, err
		}
	}
	return all, nil
}
