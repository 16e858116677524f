package store

import (
	"context"

	"tallyman/triage"
)

// Tickets that a ticket is compared with.
const (
	neighbours = 12
	alikeFrom  = 0.3 // similarity of a resolved ticket that is worth a look
	maxAlike   = 3
)

// Examine looks at a ticket that comes in: what the model in force says of it,
// what it names, and which tickets of its site it is like. It asks no language
// model.
func (db *DB) Examine(ctx context.Context, desk *triage.Desk, in *Intake) error {
	return examine(ctx, db.pool, desk, desk.Memory(in.Site), in)
}

func examine(ctx context.Context, q querier, desk *triage.Desk, m *triage.Memory, in *Intake) error {
	in.Opinion, in.Asks = desk.Judge(in.Text), desk.Asks
	var err error
	if in.Entities, err = entitiesOf(ctx, q, in.Site, in.Text); err != nil {
		return err
	}
	near, err := remember(ctx, q, m, in.Site, in.Text, neighbours, alikeFrom)
	if err != nil {
		return err
	}
	resolved, open := 0, 0
	for _, x := range near {
		switch {
		case x.Status == TicketResolved && resolved < maxAlike:
			resolved++
			in.Similar = append(in.Similar, x)
		case x.Status == TicketOpen && x.Similarity >= triage.NearDuplicate && open < maxAlike:
			open++
			in.Similar = append(in.Similar, x)
		}
	}
	return nil
}
