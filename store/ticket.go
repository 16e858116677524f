package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tallyman/guardrails"
	"tallyman/triage"
	"tallyman/warehouse"
)

// TicketID names a ticket.
type TicketID string

// NewTicketID returns a random one.
func NewTicketID() TicketID { return TicketID("tkt_" + randomID()) }

// TicketPath says who gave a label.
type TicketPath string

// The paths.
const (
	ByEmbedded TicketPath = "embedded" // the model of this program
	ByLLM      TicketPath = "llm"      // a language model that was asked later
	ByHuman    TicketPath = "human"    // a person who corrected or confirmed
)

// TicketStatus is where a ticket stands.
type TicketStatus string

// The statuses.
const (
	TicketOpen     TicketStatus = "open"
	TicketResolved TicketStatus = "resolved"
	TicketMerged   TicketStatus = "merged" // it is about the same event as another
)

// Asking says whether a language model is asked of a ticket.
type Asking string

// Where asking stands.
const (
	NotAsked   Asking = "no"
	ToBeAsked  Asking = "waiting"
	AskAnswer  Asking = "answered"
	AskedNoUse Asking = "gave_up" // the reason is in the history
)

// TicketRefs are what the sender says a ticket is about. All may be empty.
type TicketRefs struct{ Load, Order, SKU, Location, Lot, Supplier string }

// Intake is a ticket as it comes, with what the embedded model says of it.
type Intake struct {
	ID         TicketID
	Site       warehouse.Site
	Text       string
	Reporter   string // user name in another system, or ""
	Refs       TicketRefs
	Facts      triage.Facts // of structured data only
	ReceivedAt time.Time
	Opinion    triage.Opinion
	Entities   []triage.Entity
	Similar    []SimilarTicket // resolved ones, and open ones that may be the same event
	Asks       bool            // a language model may be asked later
	By         Asker
}

// SimilarTicket is one that a text is like.
type SimilarTicket struct {
	ID         TicketID
	N          int64
	Status     TicketStatus
	Label      string
	Resolution string
	ReceivedAt time.Time
	Reporter   string
	Restricted bool
	Human      bool // its label is a person's
	Similarity float64
}

// Duplicate reports whether it is probably about the same event.
func (s *SimilarTicket) Duplicate() bool { return s.Status == TicketOpen }

// TicketLabel is a label as it was given, with where the ticket went for it.
type TicketLabel struct {
	Seq          int
	Label        string
	Path         TicketPath
	Confidence   *float64 // calibrated; nil when nothing is sure
	Alternatives []triage.Choice
	Stray        *float64
	Why          string
	Routing      triage.Routing
	Facts        []triage.Fact
	Model        ModelID // 0 for the one of the program
	ModelHash    []byte
	Ask          int64
	Person       guardrails.PersonID
	Step         guardrails.StepID
	CreatedAt    time.Time
}

// TakeTicket keeps a ticket with its first label and the step that routes it, in
// one transaction, and returns the answer to give: what answer makes of the
// label or, when the key already stands for this request, the stored one. A key
// that stands for another request is an [ErrIdempotencyMismatch].
func (db *DB) TakeTicket(ctx context.Context, t *triage.Taxonomy, in *Intake, answer func(*TicketLabel) ([]byte, error)) ([]byte, error) {
	taxonomy, err := db.keepTaxonomy(ctx, t)
	if err != nil {
		return nil, err
	}
	var bytes []byte
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		bytes, err = db.takeTicket(ctx, tx, t, taxonomy, in, answer)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ticket at %s: %w", in.Site, err)
	}
	return bytes, nil
}

func (db *DB) takeTicket(ctx context.Context, tx pgx.Tx, t *triage.Taxonomy, taxonomy []byte, in *Intake, answer func(*TicketLabel) ([]byte, error)) ([]byte, error) {
	bytes, err := answeredTicket(ctx, tx, in.By)
	if err != nil || bytes != nil {
		return bytes, err
	}
	_, err = tx.Exec(ctx, `insert into site (code, name) values ($1, $1) on conflict do nothing`, in.Site)
	if err != nil {
		return nil, err
	}
	l, err := db.firstLabel(ctx, tx, t, in)
	if err != nil {
		return nil, err
	}
	if bytes, err = answer(l); err != nil {
		return nil, err
	}
	if err := insertTicket(ctx, tx, t, in, bytes); err != nil {
		return nil, err
	}
	if err := insertTicketLabel(ctx, tx, in.ID, taxonomy, l); err != nil {
		return nil, err
	}
	return bytes, db.askLater(ctx, tx, in)
}

// answeredTicket returns what a request was answered with, nil for a new one.
// Requests with one key take turns.
func answeredTicket(ctx context.Context, tx pgx.Tx, by Asker) (answer []byte, err error) {
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext($1), hashtext($2))`, "ticket/"+by.APIKey, by.IdempotencyKey); err != nil {
		return nil, err
	}
	var fingerprint []byte
	err = tx.QueryRow(ctx, `
		select fingerprint, answer
		from ticket
		where api_key = $1 and idempotency_key = $2`, by.APIKey, by.IdempotencyKey).Scan(&fingerprint, &answer)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case string(fingerprint) != string(by.Fingerprint[:]):
		return nil, ErrIdempotencyMismatch
	}
	return answer, nil
}

// firstLabel routes a ticket by what the embedded model says, and proposes it.
func (db *DB) firstLabel(ctx context.Context, tx pgx.Tx, t *triage.Taxonomy, in *Intake) (*TicketLabel, error) {
	o := &in.Opinion
	l := &TicketLabel{
		Seq: 1, Label: o.Settled.Label, Path: ByEmbedded, Why: o.Settled.Why, Alternatives: o.Guesses(), Stray: &o.Stray,
		Model: ModelID(o.Model), ModelHash: o.Hash[:], CreatedAt: in.ReceivedAt,
	}
	if o.Settled.Label == o.Label {
		l.Confidence = &o.P
	}
	facts, err := factsOf(ctx, tx, in.Site, in.Refs.Supplier, l.Label, in.Facts, in.ReceivedAt, in.ID)
	if err != nil {
		return nil, err
	}
	l.Facts, l.Routing = facts.Holding, t.RouteVerdict(o.Verdict, in.Text, facts)
	return l, db.proposeRoute(ctx, tx, &routed{in.ID, in.Site, in.Reporter, facts}, l)
}

// repeatsIn is how long tickets of one supplier and label count as repeats.
const repeatsIn = 30 * 24 * time.Hour

// factsOf adds to the facts that the sender gave what the tickets themselves say:
// that it is the third of its supplier and label.
func factsOf(ctx context.Context, q querier, site warehouse.Site, supplier, label string, f triage.Facts, at time.Time, self TicketID) (triage.Facts, error) {
	f.Holding = slices.Clone(f.Holding)
	if supplier == "" || slices.Contains(f.Holding, triage.ThirdRepeat) {
		return f, nil
	}
	var before int
	err := q.QueryRow(ctx, `
		select count(*)
		from ticket t
		join ticket_label l on l.ticket_id = t.id and l.seq = t.label_seq
		where t.site = $1 and t.supplier = $2 and l.label = $3 and t.status <> 'merged' and t.id <> $6
			and t.received_at > $4 and t.received_at <= $5`, site, supplier, label, at.Add(-repeatsIn), at, self).Scan(&before)
	if before >= 2 {
		f.Holding = append(f.Holding, triage.ThirdRepeat)
	}
	return f, err
}

// routed is what the proposal of a route needs to know of a ticket.
type routed struct {
	id       TicketID
	site     warehouse.Site
	reporter string
	facts    triage.Facts
}

// proposeRoute makes the step that gives a ticket to the owner of its label, and
// notes it in the label. A step that people have approved already stays.
func (db *DB) proposeRoute(ctx context.Context, tx pgx.Tx, t *routed, l *TicketLabel) error {
	proposer := guardrails.Party{Part: guardrails.Proposer, Person: l.Person}
	if l.Person == 0 {
		proposer.Ref = "triage:" + string(l.Path)
	}
	r := guardrails.Recommendation{
		Site: t.site, Action: &guardrails.RouteTicket{Ticket: string(t.id), Team: l.Routing.Owner},
		Parties: []guardrails.Party{proposer},
	}
	if t.reporter != "" {
		r.Parties = append(r.Parties, guardrails.Party{Part: guardrails.Requester, Ref: t.reporter})
	}
	if v := t.facts.Value; v.Minor > 0 && v.Currency != "" {
		r.Facts.ValueMinor, r.Facts.Currency = v.Minor, v.Currency
	}
	if slices.Contains(t.facts.Holding, triage.Regulated) {
		r.Facts.Flags = []string{"regulated"}
	}
	if l.Confidence != nil {
		r.Facts.ScorePPM = int64(*l.Confidence * 1e6)
	}
	var err error
	if r.Evidence.Body, err = routeEvidence(t.id, l); err != nil {
		return err
	}
	step, err := db.propose(ctx, tx, NewStepID(), r, Source{})
	if errors.Is(err, ErrStepLive) {
		step, err = liveStep(ctx, tx, t.site, r.Action)
	}
	l.Step = step.ID
	return err
}

// routeEvidence is what the approver of a route sees. It never has the text, and
// of a restricted ticket no more than that it is one: steps have more readers.
func routeEvidence(id TicketID, l *TicketLabel) ([]byte, error) {
	type why struct {
		Text string `json:"text"`
	}
	e := struct {
		Ticket   TicketID `json:"ticket"`
		Severity string   `json:"severity"`
		Path     string   `json:"path,omitempty"`
		Label    string   `json:"label,omitempty"`
		ScorePPM *int64   `json:"score_ppm,omitempty"`
		Reasons  []why    `json:"reasons"`
	}{Ticket: id, Severity: l.Routing.Severity.String()}
	if l.Routing.Restricted {
		e.Reasons = []why{{"This ticket is restricted: who may read it finds the reasons there."}}
		return json.Marshal(e)
	}
	e.Path, e.Label = string(l.Path), l.Label
	e.Reasons = []why{{"Labelled " + l.Label + " (" + string(l.Path) + "): " + l.Why + "."}}
	if l.Confidence != nil {
		score := int64(*l.Confidence * 1e6)
		e.ScorePPM = &score
	}
	return json.Marshal(e)
}

func insertTicket(ctx context.Context, tx pgx.Tx, t *triage.Taxonomy, in *Intake, answer []byte) error {
	floor, restricted := t.Floor(in.Text)
	asking := NotAsked
	if in.Asks && in.Opinion.Settled.Ask {
		asking = ToBeAsked
	}
	q := &pgx.Batch{}
	q.Queue(`
		insert into ticket (id, site, body, reporter, load, order_ref, sku, location, lot, supplier, facts, value_minor, currency, share,
			floor, floor_restricted, asking, api_key, idempotency_key, fingerprint, answer, received_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, nullif($13, ''), $14, $15, $16, $17, $18, $19, $20, $21, $22)`,
		in.ID, in.Site, in.Text, in.Reporter, in.Refs.Load, in.Refs.Order, in.Refs.SKU, in.Refs.Location, in.Refs.Lot, in.Refs.Supplier,
		list(in.Facts.Holding), in.Facts.Value.Minor, in.Facts.Value.Currency, in.Facts.Share, floor, restricted, asking,
		in.By.APIKey, in.By.IdempotencyKey, in.By.Fingerprint[:], answer, in.ReceivedAt)
	for i, e := range in.Entities {
		q.Queue(`
			insert into ticket_entity (ticket_id, n, kind, value, unit, verified)
			values ($1, $2, $3, $4, $5, $6)`, in.ID, i, e.Kind, e.Value, e.Unit, e.Verified)
	}
	for i := range in.Similar {
		s := &in.Similar[i]
		kind := "similar"
		if s.Duplicate() {
			kind = "duplicate"
		}
		q.Queue(`
			insert into ticket_link (site, ticket_id, other_id, kind, similarity)
			values ($1, $2, $3, $4, $5)`, in.Site, in.ID, s.ID, kind, s.Similarity)
	}
	return tx.SendBatch(ctx, q).Close()
}

func insertTicketLabel(ctx context.Context, tx pgx.Tx, id TicketID, taxonomy []byte, l *TicketLabel) error {
	type choice struct {
		Label string  `json:"label"`
		P     float64 `json:"p"`
	}
	alternatives := []choice{}
	for _, a := range l.Alternatives {
		alternatives = append(alternatives, choice(a))
	}
	r := &l.Routing
	_, err := tx.Exec(ctx, `
		insert into ticket_label (ticket_id, seq, taxonomy, label, path, confidence, alternatives, stray, why, secondary, owner, copies,
			severity, restricted, immediate, signals, facts, model_id, model_hash, ask_id, person_id, step_id, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
			nullif($18::bigint, 0), $19, nullif($20::bigint, 0), nullif($21::bigint, 0), $22, $23)`,
		id, l.Seq, taxonomy, l.Label, l.Path, l.Confidence, alternatives, l.Stray, l.Why, list(r.Secondary), r.Owner, list(r.Copies),
		r.Severity, r.Restricted, r.Immediate, list(r.Signals), list(l.Facts), l.Model, l.ModelHash, l.Ask, l.Person, l.Step, l.CreatedAt)
	return err
}

// list is a text array that is never null.
func list[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
