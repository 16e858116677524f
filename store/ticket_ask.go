package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"tallyman/triage"
	"tallyman/warehouse"
)

// AskArgs asks for a language model to be asked about a ticket. It is a wake-up:
// the ticket says whether it still waits.
type AskArgs struct {
	Ticket string `json:"ticket" river:"unique"`
}

// Kind names the job.
func (AskArgs) Kind() string { return "ask" }

// QueueTickets is the queue of what is done to tickets later.
const QueueTickets = "tickets"

// InsertOpts names the queue.
func (AskArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: QueueTickets} }

// askLater wakes whoever asks, when the transaction commits.
func (db *DB) askLater(ctx context.Context, tx pgx.Tx, in *Intake) error {
	if !in.Asks || !in.Opinion.Settled.Ask {
		return nil
	}
	if _, err := db.jobs.InsertTx(ctx, tx, AskArgs{Ticket: string(in.ID)}, nil); err != nil {
		return fmt.Errorf("enqueue asking: %w", err)
	}
	return nil
}

// TicketAsk is what was asked of a language model about a ticket. Sent is
// exactly what left the building of it.
type TicketAsk struct {
	ID          int64
	Sent        string
	Shortlist   []string
	Examples    []string // ids of tickets sent along
	Replaced    int      // personal data that became placeholders
	AskedAt     time.Time
	SettledAt   *time.Time
	Reason      string // "answered", or what went wrong; "" while it is under way
	Model       string
	Fingerprint string
	PromptHash  string
	Path        string
	Evidence    string
	CodeP       *float64
	Score       *float64
	Label       string // "" for none of the shortlist
	Tokens      int64
	Nanos       int64
}

// Answered is the reason of an ask that was answered.
const Answered = "answered"

func ticketAsks(ctx context.Context, q querier, id TicketID) ([]TicketAsk, error) {
	rows, _ := q.Query(ctx, `
		select id, sent, shortlist, examples, replaced, asked_at, settled_at, coalesce(reason, ''), coalesce(model, ''),
			coalesce(fingerprint, ''), coalesce(prompt_hash, ''), coalesce(path, ''), coalesce(evidence, ''), code_p, score,
			coalesce(label, ''), coalesce(tokens, 0), coalesce(nanos, 0)
		from ticket_ask
		where ticket_id = $1
		order by id`, id)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[TicketAsk])
}

// BeginAsk writes down what is about to be sent, before it is.
func (db *DB) BeginAsk(ctx context.Context, id TicketID, a *TicketAsk) error {
	err := db.pool.QueryRow(ctx, `
		insert into ticket_ask (ticket_id, sent, shortlist, examples, replaced)
		values ($1, $2, $3, $4, $5)
		returning id`, id, a.Sent, list(a.Shortlist), list(a.Examples), a.Replaced).Scan(&a.ID)
	if err != nil {
		return fmt.Errorf("ask about ticket %s: %w", id, err)
	}
	return nil
}

// SettleAsk writes down what came of an ask. A label, which may be nil, is given
// to the ticket unless a person, or somebody else, was faster; done says that
// asking about the ticket is over.
func (db *DB) SettleAsk(ctx context.Context, t *triage.Taxonomy, id TicketID, a *TicketAsk, l *TicketLabel, done bool) error {
	taxonomy, err := db.keepTaxonomy(ctx, t)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		old, err := readTicket(ctx, tx, id, `for update of t`)
		if err != nil {
			return err
		}
		now, err := clock(ctx, tx)
		if err != nil {
			return err
		}
		if err := settleAskRow(ctx, tx, a, now); err != nil {
			return err
		}
		if !done || old.Asking != ToBeAsked {
			return nil
		}
		if l != nil && old.Status == TicketOpen && old.Current.Path == ByEmbedded {
			l.Ask = a.ID
			if err := db.relabel(ctx, tx, t, taxonomy, &old, l, now); err != nil {
				return err
			}
		}
		return endAsking(ctx, tx, id, a.Reason)
	})
	if err != nil {
		return fmt.Errorf("settle the ask about ticket %s: %w", id, err)
	}
	return nil
}

func settleAskRow(ctx context.Context, tx pgx.Tx, a *TicketAsk, now time.Time) error {
	if a.ID == 0 {
		return nil // nothing was sent
	}
	_, err := tx.Exec(ctx, `
		update ticket_ask
		set settled_at = $2, reason = $3, model = nullif($4, ''), fingerprint = nullif($5, ''), prompt_hash = nullif($6, ''),
			path = nullif($7, ''), evidence = nullif($8, ''), code_p = $9, score = $10, label = nullif($11, ''), tokens = $12, nanos = $13
		where id = $1`,
		a.ID, now, a.Reason, a.Model, a.Fingerprint, a.PromptHash, a.Path, a.Evidence, a.CodeP, a.Score, a.Label, a.Tokens, a.Nanos)
	return err
}

func endAsking(ctx context.Context, tx pgx.Tx, id TicketID, reason string) error {
	asking := AskAnswer
	if reason != Answered {
		asking = AskedNoUse
		if err := noteTicket(ctx, tx, id, "llm_gave_up", 0, reason, ""); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `update ticket set asking = $2 where id = $1`, id, asking)
	return err
}

// Names are those of the people who have a role at a site: they are taken out of
// what leaves the building.
func (db *DB) Names(ctx context.Context, site warehouse.Site) ([]string, error) {
	rows, _ := db.pool.Query(ctx, `
		select p.name
		from person p
		where exists (select from role_grant g where g.person_id = p.id and g.site in ($1, '*'))
		order by p.name`, site)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("names of %s: %w", site, err)
	}
	return names, nil
}

// TicketTexts returns the texts of tickets.
func (db *DB) TicketTexts(ctx context.Context, ids []TicketID) (map[TicketID]string, error) {
	rows, _ := db.pool.Query(ctx, `select id, body from ticket where id = any ($1)`, ids)
	texts := map[TicketID]string{}
	var id TicketID
	var body string
	_, err := pgx.ForEachRow(rows, []any{&id, &body}, func() error {
		texts[id] = body
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("texts of tickets: %w", err)
	}
	return texts, nil
}

// AskOutcomes are the scores that language models' labels had and whether people
// who looked at the tickets later gave the same label, the newest first.
func (db *DB) AskOutcomes(ctx context.Context, limit int) ([]triage.Judgement, error) {
	rows, _ := db.pool.Query(ctx, `
		select a.score, a.label = l.label
		from ticket t
		join ticket_label l on l.ticket_id = t.id and l.seq = t.label_seq
		join ticket_ask a on a.ticket_id = t.id and a.reason = 'answered'
		where l.path = 'human' and a.label is not null
		order by a.id desc
		limit $1`, limit)
	judged, err := pgx.CollectRows(rows, pgx.RowToStructByPos[triage.Judgement])
	if err != nil {
		return nil, fmt.Errorf("outcomes of asking: %w", err)
	}
	return judged, nil
}

// WakeAsks makes anew the jobs of tickets that wait to be asked about and have
// none: wake-ups may get lost, tickets may not.
func (db *DB) WakeAsks(ctx context.Context) (int, error) {
	n := 0
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select t.id
			from ticket t
			where t.asking = 'waiting' and t.received_at < clock_timestamp() - interval '1 minute' and not exists (
				select from river_job j
				where j.kind = 'ask' and j.args @> jsonb_build_object('ticket', t.id)
					and j.state in ('available', 'pending', 'scheduled', 'retryable', 'running'))
			order by t.n
			limit $1`, batchOf)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(ids) == 0 {
			return err
		}
		n = len(ids)
		jobs := make([]river.InsertManyParams, n)
		for i, id := range ids {
			jobs[i].Args = AskArgs{Ticket: id}
		}
		_, err = db.jobs.InsertManyTx(ctx, tx, jobs)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("wake asks: %w", err)
	}
	return n, nil
}

// ErrBudget says that a site's budget of the day does not cover one more request.
var ErrBudget = errors.New("the budget of the day does not cover another request")
