package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/triage"
)

// Errors of people's changes to tickets.
var (
	ErrTicketMoved  = errors.New("the ticket changed meanwhile")
	ErrTicketClosed = errors.New("the ticket is not open")
	ErrUnknownLabel = errors.New("the taxonomy has no such label")
	ErrMerge        = errors.New("these tickets cannot be merged this way")
)

// change locks a ticket, checks that a person may change it, and does it.
func (db *DB) change(ctx context.Context, id TicketID, by By, do func(tx pgx.Tx, t *Ticket, now time.Time) error) error {
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		t, err := readTicket(ctx, tx, id, `for update of t`)
		if err != nil {
			return err
		}
		found, err := people(ctx, tx, []guardrails.PersonID{by.Person})
		if err != nil {
			return err
		}
		if p := found[by.Person]; by.Machine != "" || !t.ChangeableBy(&p) {
			return &guardrails.Refusal{
				Code:   guardrails.CodeRoleMissing,
				Detail: fmt.Sprintf("changing this ticket needs the role %s, supervisor or triage at %s", t.Current.Routing.Owner, t.Site),
			}
		}
		now, err := clock(ctx, tx)
		if err != nil {
			return err
		}
		return do(tx, &t, now)
	})
	if err != nil {
		return fmt.Errorf("ticket %s: %w", id, err)
	}
	return nil
}

// CorrectTicket gives a ticket the label that a person says it has; the label
// that it has already is confirmed by it. seen is the number of the label that
// the person looked at: another one meanwhile is an [ErrTicketMoved].
func (db *DB) CorrectTicket(ctx context.Context, t *triage.Taxonomy, id TicketID, by By, seen int, label string) error {
	taxonomy, err := db.keepTaxonomy(ctx, t)
	if err != nil {
		return err
	}
	if _, known := t.Label(label); !known {
		return fmt.Errorf("label %q: %w", label, ErrUnknownLabel)
	}
	return db.change(ctx, id, by, func(tx pgx.Tx, old *Ticket, now time.Time) error {
		switch {
		case old.Status != TicketOpen:
			return ErrTicketClosed
		case old.Current.Seq != seen:
			return ErrTicketMoved
		}
		why := "a person says so"
		if old.Current.Label == label {
			why = "a person confirmed it"
		}
		l := &TicketLabel{Label: label, Path: ByHuman, Why: why, Person: by.Person, Alternatives: old.Current.Alternatives, Stray: old.Current.Stray}
		return db.relabel(ctx, tx, t, taxonomy, old, l, now)
	})
}

// relabel routes an open, locked ticket by another label, and proposes that. A
// signal that the embedded model raised is lowered by people alone.
func (db *DB) relabel(ctx context.Context, tx pgx.Tx, t *triage.Taxonomy, taxonomy []byte, old *Ticket, l *TicketLabel, now time.Time) error {
	facts, err := factsOf(ctx, tx, old.Site, old.Refs.Supplier, l.Label, old.Facts, old.ReceivedAt, old.ID)
	if err != nil {
		return err
	}
	l.Seq, l.CreatedAt = old.Current.Seq+1, now
	var raised []string
	if l.Person == 0 {
		raised = old.Current.Routing.Signals
	}
	l.Facts, l.Routing = facts.Holding, t.Route(l.Label, old.Text, facts, raised...)
	if err := db.proposeRoute(ctx, tx, &routed{old.ID, old.Site, old.Reporter, facts}, l); err != nil {
		return err
	}
	if err := insertTicketLabel(ctx, tx, old.ID, taxonomy, l); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update ticket set label_seq = $2 where id = $1`, old.ID, l.Seq)
	return err
}

// ResolveTicket closes a ticket and says what was done: later tickets like it
// show that.
func (db *DB) ResolveTicket(ctx context.Context, id TicketID, by By, resolution string) error {
	return db.change(ctx, id, by, func(tx pgx.Tx, t *Ticket, now time.Time) error {
		if t.Status != TicketOpen {
			return ErrTicketClosed
		}
		_, err := tx.Exec(ctx, `
			update ticket
			set status = 'resolved', resolution = $2, resolved_at = $3
			where id = $1`, id, resolution, now)
		if err != nil {
			return err
		}
		return noteTicket(ctx, tx, id, "resolved", by.Person, resolution, "")
	})
}

// ReopenTicket opens a ticket that was resolved or merged.
func (db *DB) ReopenTicket(ctx context.Context, id TicketID, by By) error {
	return db.change(ctx, id, by, func(tx pgx.Tx, t *Ticket, _ time.Time) error {
		if t.Status == TicketOpen {
			return ErrTicketMoved
		}
		_, err := tx.Exec(ctx, `
			update ticket
			set status = 'open', resolution = null, resolved_at = null, merged_into = null
			where id = $1`, id)
		if err != nil {
			return err
		}
		return noteTicket(ctx, tx, id, "reopened", by.Person, "", "")
	})
}

// MergeTicket says that a ticket is about the same event as another one of its
// site, which stays open for both. It is an [ErrMerge] when the other is less
// urgent, has more readers, or is merged itself. The merged one's step is
// superseded by the other's unless somebody approved it already.
func (db *DB) MergeTicket(ctx context.Context, id, into TicketID, by By) error {
	if id == into {
		return fmt.Errorf("ticket %s into itself: %w", id, ErrMerge)
	}
	return db.change(ctx, id, by, func(tx pgx.Tx, t *Ticket, now time.Time) error {
		if t.Status != TicketOpen {
			return ErrTicketClosed
		}
		other, err := readTicket(ctx, tx, into, `for share of t`)
		if err != nil {
			return err
		}
		found, err := people(ctx, tx, []guardrails.PersonID{by.Person})
		if err != nil {
			return err
		}
		if p := found[by.Person]; other.Site != t.Site || !other.ReadableBy(&p) {
			return ErrNotFound
		}
		_, err = tx.Exec(ctx, `update ticket set status = 'merged', merged_into = $2 where id = $1`, id, into)
		if violates(err, "ticket_merge") {
			return ErrMerge
		}
		if err != nil {
			return err
		}
		if err := noteTicket(ctx, tx, id, "merged", by.Person, "", into); err != nil {
			return err
		}
		if err := noteTicket(ctx, tx, into, "took_in", by.Person, "", id); err != nil {
			return err
		}
		return db.supersedeRoute(ctx, tx, t, &other, now)
	})
}

func (db *DB) supersedeRoute(ctx context.Context, tx pgx.Tx, t, other *Ticket, now time.Time) error {
	switch t.StepState {
	case guardrails.Blocked, guardrails.Pending, guardrails.ChangesRequested:
	case guardrails.Approved, guardrails.Executing, guardrails.Unknown, guardrails.Failed, guardrails.Compensating, guardrails.CompensationFailed,
		guardrails.Succeeded, guardrails.Compensated, guardrails.Rejected, guardrails.Withdrawn, guardrails.Expired, guardrails.Superseded, guardrails.Invalidated:
		return nil
	}
	err := db.supersede(ctx, tx, &Step{Step: guardrails.Step{ID: t.Current.Step}}, other.Current.Step, now)
	if errors.Is(err, ErrStepLive) {
		return nil // somebody approved it this very moment; it is sent, and does no harm
	}
	return err
}

func noteTicket(ctx context.Context, tx pgx.Tx, id TicketID, kind string, who guardrails.PersonID, detail string, other TicketID) error {
	_, err := tx.Exec(ctx, `
		insert into ticket_event (ticket_id, kind, person_id, detail, other_id)
		values ($1, $2, nullif($3::bigint, 0), $4, nullif($5, ''))`, id, kind, who, detail, other)
	return err
}
