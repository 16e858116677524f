package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/features"
	"tallyman/guardrails"
	"tallyman/triage"
	"tallyman/warehouse"
)

// TicketSubject is what models of tickets are registered as.
const TicketSubject features.Subject = "ticket"

// TicketOutcome is what models of a taxonomy's labels are registered as: one is
// in force for each name, so that trying another taxonomy loses nothing.
func TicketOutcome(t *triage.Taxonomy) string {
	if t.Name == triage.DefaultName {
		return "label"
	}
	return "label/" + t.Name
}

// TicketChampion returns the model of a taxonomy's tickets in force, or an
// [ErrNotFound]: then the first one is.
func (db *DB) TicketChampion(ctx context.Context, t *triage.Taxonomy) (Model, error) {
	rows, _ := db.pool.Query(ctx, `
		select `+modelColumns+`
		from model
		where subject = 'ticket' and outcome = $1 and state = 'champion'`, TicketOutcome(t))
	m, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Model])
	if err != nil {
		return Model{}, fmt.Errorf("model of tickets: %w", notFound(err))
	}
	return m, nil
}

// Taught is a ticket that people labelled.
type Taught struct {
	Ticket   TicketID
	Site     warehouse.Site
	Text     string
	Label    string
	Reporter string
	Person   guardrails.PersonID // whose label it is
	At       time.Time
}

// Taught returns the tickets whose label in force is a person's and one of a
// taxonomy, the oldest first.
func (db *DB) Taught(ctx context.Context, taxonomy *triage.Taxonomy, since time.Time) ([]Taught, error) {
	labels := make([]string, len(taxonomy.Labels))
	for i, l := range taxonomy.Labels {
		labels[i] = l.ID
	}
	rows, _ := db.pool.Query(ctx, `
		select t.id, t.site, t.body, l.label, t.reporter, l.person_id, l.created_at
		from ticket t
		join ticket_label l on l.ticket_id = t.id and l.seq = t.label_seq
		where l.path = 'human' and l.label = any ($2) and l.created_at >= $1 and t.status <> 'merged'
		order by l.created_at, t.n`, since, labels)
	taught, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Taught])
	if err != nil {
		return nil, fmt.Errorf("labels of people: %w", err)
	}
	return taught, nil
}

// Refitted is a model of tickets that was fitted, and how it compares.
type Refitted struct {
	Artifact []byte
	From     time.Time
	Until    time.Time
	Settings triage.Settings
	Report   json.RawMessage // JSON object
}

// ProposeTicketModel registers a model of tickets and makes the step that puts it
// in force, as [DB.ProposeModel] does; its report is shown as evidence.
func (db *DB) ProposeTicketModel(ctx context.Context, t *triage.Taxonomy, r *Refitted, now time.Time) (Step, error) {
	params, err := json.Marshal(map[string]any{"cost": r.Settings.Cost, "seed": r.Settings.Seed, "precision": r.Settings.Precision})
	if err != nil {
		return Step{}, err
	}
	m := Model{
		Subject: TicketSubject, Outcome: TicketOutcome(t), SchemaHash: "text", DataFrom: r.From, DataUntil: r.Until,
		Params: params, Metrics: r.Report,
	}
	champion, err := db.TicketChampion(ctx, t)
	switch {
	case err == nil:
		m.ParentID = champion.ID
	case !errors.Is(err, ErrNotFound):
		return Step{}, err
	}
	return db.ProposeModel(ctx, m, r.Artifact, r.Report, now)
}
