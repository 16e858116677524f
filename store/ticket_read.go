package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/triage"
	"tallyman/warehouse"
)

// Ticket is a ticket with the label in force and the step that routes it.
type Ticket struct {
	ID         TicketID
	N          int64
	Site       warehouse.Site
	Text       string
	Reporter   string
	Refs       TicketRefs
	Facts      triage.Facts
	Status     TicketStatus
	MergedInto TicketID
	Resolution string
	ResolvedAt *time.Time
	Asking     Asking
	APIKey     string
	ReceivedAt time.Time
	Current    TicketLabel
	StepState  guardrails.State // of the newest step, which Current.Step names here
}

const ticketLabelColumns = `l.seq, l.label, l.path, l.confidence, l.alternatives, l.stray, l.why, l.secondary, l.owner, l.copies, l.severity,
	l.restricted, l.immediate, l.signals, l.facts, coalesce(l.model_id, 0), l.model_hash, coalesce(l.ask_id, 0), coalesce(l.person_id, 0),
	l.step_id, l.created_at`

func (l *TicketLabel) fields(alternatives *[]byte) []any {
	r := &l.Routing
	return []any{
		&l.Seq, &l.Label, &l.Path, &l.Confidence, alternatives, &l.Stray, &l.Why, &r.Secondary, &r.Owner, &r.Copies, &r.Severity,
		&r.Restricted, &r.Immediate, &r.Signals, &l.Facts, &l.Model, &l.ModelHash, &l.Ask, &l.Person, &l.Step, &l.CreatedAt,
	}
}

func (l *TicketLabel) complete(alternatives []byte) error {
	l.Routing.Label = l.Label
	return json.Unmarshal(alternatives, &l.Alternatives)
}

const ticketColumns = `t.id, t.n, t.site, t.body, t.reporter, t.load, t.order_ref, t.sku, t.location, t.lot, t.supplier,
	t.facts, t.value_minor, coalesce(t.currency, ''), t.share, t.status, coalesce(t.merged_into, ''), coalesce(t.resolution, ''), t.resolved_at,
	t.asking, t.api_key, t.received_at, s.state, s.id, ` + ticketLabelColumns

// ticketTables has the newest step of a ticket: one that expired was proposed anew.
const ticketTables = `
	from ticket t
	join ticket_label l on l.ticket_id = t.id and l.seq = t.label_seq
	join lateral (
		select s.id, s.state
		from step s
		where s.lane = t.site || '/ticket/' || t.id and s.action = 'route_ticket'
		order by s.created_at desc, s.id
		limit 1) s on true`

func scanTicket(row pgx.CollectableRow) (Ticket, error) {
	var t Ticket
	var alternatives []byte
	var step guardrails.StepID
	err := row.Scan(append([]any{
		&t.ID, &t.N, &t.Site, &t.Text, &t.Reporter, &t.Refs.Load, &t.Refs.Order, &t.Refs.SKU, &t.Refs.Location, &t.Refs.Lot, &t.Refs.Supplier,
		&t.Facts.Holding, &t.Facts.Value.Minor, &t.Facts.Value.Currency, &t.Facts.Share, &t.Status, &t.MergedInto, &t.Resolution, &t.ResolvedAt,
		&t.Asking, &t.APIKey, &t.ReceivedAt, &t.StepState, &step,
	}, t.Current.fields(&alternatives)...)...)
	if err != nil {
		return t, err
	}
	t.Current.Step = step
	return t, t.Current.complete(alternatives)
}

// Ticket returns a ticket.
func (db *DB) Ticket(ctx context.Context, id TicketID) (Ticket, error) {
	return readTicket(ctx, db.pool, id, "")
}

func readTicket(ctx context.Context, q querier, id TicketID, lock string) (Ticket, error) {
	rows, _ := q.Query(ctx, `select `+ticketColumns+ticketTables+` where t.id = $1 `+lock, id)
	t, err := pgx.CollectExactlyOneRow(rows, scanTicket)
	if err != nil {
		return Ticket{}, fmt.Errorf("ticket %s: %w", id, notFound(err))
	}
	return t, nil
}

// TicketFilter narrows a list of tickets; an empty field does not. Sites and
// readers are those of a person, or of an API key.
type TicketFilter struct {
	Site   warehouse.Site
	Owner  string
	Label  string
	Status TicketStatus
	Viewer guardrails.PersonID // 0 for an API key
	Key    *APIKey
}

// TicketCursor is where a page ends: the zero value is the beginning.
type TicketCursor struct {
	Severity triage.Severity
	N        int64
}

// Tickets returns at most limit tickets that somebody may read, the most urgent
// first and of those the oldest. A person sees the sites where they have a role,
// and of restricted tickets those whose owner or copy they are; an API key sees
// its sites, and of restricted tickets its own.
func (db *DB) Tickets(ctx context.Context, f TicketFilter, after TicketCursor, limit int) ([]Ticket, error) {
	sites, key := []warehouse.Site{}, ""
	if f.Key != nil {
		sites, key = append(sites, f.Key.Sites...), f.Key.ID
	}
	rows, _ := db.pool.Query(ctx, `
		with page as materialized (
			select t.id
			from ticket t
			join ticket_label l on l.ticket_id = t.id and l.seq = t.label_seq
			where ($1 = '' or t.site = $1)
				and ($2 = '' or l.owner = $2)
				and ($3 = '' or t.status = $3)
				and ($4 = '' or l.label = $4)
				and case when $5::bigint = 0
					then (cardinality($6::text[]) = 0 or t.site = any ($6)) and (not l.restricted or t.api_key = $7)
					else exists (
						select from role_grant g
						where g.person_id = $5 and g.revoked_at is null and g.site in (t.site, '*')
							and (not l.restricted or g.role = l.owner or g.role = any (l.copies)))
					end
				and (l.severity, t.n) > ($8::bigint, $9)
			order by l.severity, t.n
			limit $10
		)
		select `+ticketColumns+ticketTables+`
		where t.id in (select id from page)
		order by l.severity, t.n`,
		f.Site, f.Owner, f.Status, f.Label, f.Viewer, sites, key, after.Severity, after.N, limit)
	tickets, err := pgx.CollectRows(rows, scanTicket)
	if err != nil {
		return nil, fmt.Errorf("tickets: %w", err)
	}
	return tickets, nil
}

// ReadableTickets returns those of the tickets that a person may read.
func (db *DB) ReadableTickets(ctx context.Context, p *guardrails.Person, ids []TicketID) (map[TicketID]Ticket, error) {
	rows, _ := db.pool.Query(ctx, `select `+ticketColumns+ticketTables+` where t.id = any ($1)`, ids)
	tickets, err := pgx.CollectRows(rows, scanTicket)
	if err != nil {
		return nil, fmt.Errorf("tickets: %w", err)
	}
	readable := map[TicketID]Ticket{}
	for i := range tickets {
		if t := &tickets[i]; t.ReadableBy(p) {
			readable[t.ID] = *t
		}
	}
	return readable, nil
}

// ReadableBy reports whether a person may read the ticket.
func (t *Ticket) ReadableBy(p *guardrails.Person) bool {
	return p.Active && slices.ContainsFunc(p.Grants, func(g guardrails.Grant) bool {
		return t.at(g) && (!t.Current.Routing.Restricted || t.named(g.Role))
	})
}

// triageRoles may correct every ticket that they can read.
var triageRoles = []guardrails.Role{"supervisor", "triage"}

// ChangeableBy reports whether a person may label, merge and resolve the ticket:
// its owner, and who looks after the queue of what is unclear.
func (t *Ticket) ChangeableBy(p *guardrails.Person) bool {
	return t.ReadableBy(p) && slices.ContainsFunc(p.Grants, func(g guardrails.Grant) bool {
		return t.at(g) && (string(g.Role) == t.Current.Routing.Owner || slices.Contains(triageRoles, g.Role)) &&
			(!t.Current.Routing.Restricted || t.named(g.Role))
	})
}

func (t *Ticket) at(g guardrails.Grant) bool {
	return g.Site == t.Site || g.Site == guardrails.Everywhere
}

func (t *Ticket) named(r guardrails.Role) bool {
	return string(r) == t.Current.Routing.Owner || slices.Contains(t.Current.Routing.Copies, string(r))
}

// TicketView is everything about one ticket.
type TicketView struct {
	Ticket
	Labels   []TicketLabel // oldest first; the last one is in force
	Events   []TicketEvent
	Entities []triage.Entity
	Similar  []SimilarTicket // when it came
	Merged   []TicketID      // into it
	Asks     []TicketAsk
	Names    map[guardrails.PersonID]string
}

// TicketEvent is what else happened to a ticket.
type TicketEvent struct {
	Kind   string
	Person guardrails.PersonID
	Detail string
	Other  TicketID
	At     time.Time
}

// TicketView returns a ticket with all that is known of it.
func (db *DB) TicketView(ctx context.Context, id TicketID) (TicketView, error) {
	v := TicketView{Names: map[guardrails.PersonID]string{}}
	err := db.readOnly(ctx, func(tx pgx.Tx) (err error) {
		if v.Ticket, err = readTicket(ctx, tx, id, ""); err != nil {
			return err
		}
		if v.Labels, err = ticketLabels(ctx, tx, id); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `
			select kind, coalesce(person_id, 0), detail, coalesce(other_id, ''), at
			from ticket_event
			where ticket_id = $1
			order by id`, id)
		if v.Events, err = pgx.CollectRows(rows, pgx.RowToStructByPos[TicketEvent]); err != nil {
			return err
		}
		if v.Entities, err = ticketEntities(ctx, tx, id); err != nil {
			return err
		}
		rows, _ = tx.Query(ctx, `select id from ticket where merged_into = $1 order by n`, id)
		if v.Merged, err = pgx.CollectRows(rows, pgx.RowTo[TicketID]); err != nil {
			return err
		}
		if v.Asks, err = ticketAsks(ctx, tx, id); err != nil {
			return err
		}
		if v.Similar, err = linkedTickets(ctx, tx, id); err != nil {
			return err
		}
		return namesOf(ctx, tx, &v)
	})
	return v, err
}

func ticketLabels(ctx context.Context, q querier, id TicketID) ([]TicketLabel, error) {
	rows, _ := q.Query(ctx, `
		select `+ticketLabelColumns+`
		from ticket_label l
		where l.ticket_id = $1
		order by l.seq`, id)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l TicketLabel, err error) {
		var alternatives []byte
		if err = row.Scan(l.fields(&alternatives)...); err != nil {
			return l, err
		}
		return l, l.complete(alternatives)
	})
}

func ticketEntities(ctx context.Context, q querier, id TicketID) ([]triage.Entity, error) {
	rows, _ := q.Query(ctx, `
		select kind, value, unit, verified
		from ticket_entity
		where ticket_id = $1
		order by n`, id)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e triage.Entity, err error) {
		err = row.Scan(&e.Kind, &e.Value, &e.Unit, &e.Verified)
		return e, err
	})
}

const similarColumns = `t.id, t.n, t.status, l.label, coalesce(t.resolution, ''), t.received_at, t.reporter, l.restricted, l.path = 'human'`

func scanSimilar(row pgx.CollectableRow) (s SimilarTicket, err error) {
	err = row.Scan(&s.ID, &s.N, &s.Status, &s.Label, &s.Resolution, &s.ReceivedAt, &s.Reporter, &s.Restricted, &s.Human, &s.Similarity)
	return s, err
}

func linkedTickets(ctx context.Context, q querier, id TicketID) ([]SimilarTicket, error) {
	rows, _ := q.Query(ctx, `
		select `+similarColumns+`, k.similarity
		from ticket_link k
		join ticket t on t.id = k.other_id
		join ticket_label l on l.ticket_id = t.id and l.seq = t.label_seq
		where k.ticket_id = $1
		order by k.similarity desc, t.n`, id)
	return pgx.CollectRows(rows, scanSimilar)
}

func namesOf(ctx context.Context, q querier, v *TicketView) error {
	var ids []guardrails.PersonID
	for _, l := range v.Labels {
		ids = append(ids, l.Person)
	}
	for _, e := range v.Events {
		ids = append(ids, e.Person)
	}
	rows, _ := q.Query(ctx, `select id, name from person where id = any ($1)`, ids)
	var id guardrails.PersonID
	var name string
	_, err := pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		v.Names[id] = name
		return nil
	})
	return err
}

// Remember adds to a memory what came to a site since, and returns the tickets
// that a text is like, the likest first.
func (db *DB) Remember(ctx context.Context, m *triage.Memory, site warehouse.Site, text string, k int, least float64) ([]SimilarTicket, error) {
	return remember(ctx, db.pool, m, site, text, k, least)
}

func remember(ctx context.Context, q querier, m *triage.Memory, site warehouse.Site, text string, k int, least float64) ([]SimilarTicket, error) {
	recent := m.Recent()
	first := int64(0)
	if len(recent) > 0 {
		first = recent[0]
	}
	rows, _ := q.Query(ctx, `
		select n, body
		from (
			select n, body
			from ticket
			where site = $1 and n >= $2 and n <> all (coalesce($3, '{}'::bigint[]))
			order by n desc
			limit 5000) newest
		order by n`, site, first, recent)
	var n int64
	var body string
	_, err := pgx.ForEachRow(rows, []any{&n, &body}, func() error {
		m.Add(n, body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tickets of %s: %w", site, err)
	}
	near := m.Nearest(text, k, least)
	if len(near) == 0 {
		return nil, nil
	}
	numbers, similarity := make([]int64, len(near)), make([]float64, len(near))
	for i, x := range near {
		numbers[i], similarity[i] = x.Key, x.Similarity
	}
	rows, _ = q.Query(ctx, `
		select `+similarColumns+`, near.similarity
		from unnest($2::bigint[], $3::float8[]) near (n, similarity)
		join ticket t on t.n = near.n and t.site = $1
		join ticket_label l on l.ticket_id = t.id and l.seq = t.label_seq
		order by near.similarity desc, t.n`, site, numbers, similarity)
	found, err := pgx.CollectRows(rows, scanSimilar)
	if err != nil {
		return nil, fmt.Errorf("similar tickets of %s: %w", site, err)
	}
	return found, nil
}

// TicketOwners counts the open tickets of a person's sites by owner.
func (db *DB) TicketOwners(ctx context.Context, viewer guardrails.PersonID) ([]Facet, error) {
	rows, _ := db.pool.Query(ctx, `
		select l.owner, count(*)
		from ticket t
		join ticket_label l on l.ticket_id = t.id and l.seq = t.label_seq
		where t.status = 'open' and exists (
			select from role_grant g
			where g.person_id = $1 and g.revoked_at is null and g.site in (t.site, '*')
				and (not l.restricted or g.role = l.owner or g.role = any (l.copies)))
		group by l.owner
		order by l.owner`, viewer)
	owners, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Facet])
	if err != nil {
		return nil, fmt.Errorf("owners of tickets: %w", err)
	}
	return owners, nil
}
