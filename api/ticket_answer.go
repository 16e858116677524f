package api

import (
	"encoding/hex"
	"time"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/triage"
	"tallyman/warehouse"
)

// ticketAnswer is a ticket as a program sees it.
type ticketAnswer struct {
	ID         store.TicketID     `json:"id" example:"tkt_0123456789abcdefghijklmnop"`
	Object     string             `json:"object" enum:"ticket"`
	Site       warehouse.Site     `json:"site"`
	Status     store.TicketStatus `json:"status" enum:"open,resolved,merged"`
	ReceivedAt time.Time          `json:"received_at"`
	Reporter   string             `json:"reporter,omitempty"`
	References *ticketReferences  `json:"references,omitempty"`
	Text       string             `json:"text,omitempty" doc:"Only when one ticket is read"`
	Label      ticketLabel        `json:"label"`
	Severity   string             `json:"severity" enum:"S1,S2,S3,S4" doc:"Set by rules, never by a model: S1 now, S2 in this shift, S3 within a business day, S4 when there is time"`
	Owner      string             `json:"owner" doc:"Team that it is proposed to go to"`
	Copies     []string           `json:"copies"`
	Secondary  []string           `json:"secondary" doc:"Labels that words of the text add"`
	Signals    []string           `json:"signals" doc:"Rules that words of the text met"`
	Facts      []triage.Fact      `json:"facts" doc:"Structured facts that counted"`
	Restricted bool               `json:"restricted" doc:"Only the owner and the copies may read it"`
	Immediate  bool               `json:"immediate" doc:"A human is to be called at once"`
	Entities   []entityAnswer     `json:"entities" doc:"What the text names, in its order"`
	Similar    []similarAnswer    `json:"similar" doc:"Resolved tickets like it, and what was done; restricted ones are left out"`
	Duplicates []similarAnswer    `json:"duplicates" doc:"Open tickets that may be about the same event; restricted ones are left out"`
	MergedInto store.TicketID     `json:"merged_into,omitempty"`
	Resolution string             `json:"resolution,omitempty"`
	Asking     store.Asking       `json:"language_model" enum:"no,waiting,answered,gave_up" doc:"Whether a language model is asked; its answer may change the label later"`
	Workflow   ticketWorkflow     `json:"workflow"`
	Versions   ticketVersions     `json:"versions"`
	History    []ticketLabel      `json:"history,omitempty" doc:"Every label it had, the first one first; only when one ticket is read"`
}

type ticketLabel struct {
	ID           string           `json:"id" example:"inbound.short"`
	Name         string           `json:"name" example:"Received short"`
	Path         store.TicketPath `json:"path" enum:"embedded,llm,human" doc:"Who gave it"`
	Why          string           `json:"why"`
	Confidence   *float64         `json:"confidence" nullable:"true" minimum:"0" maximum:"1" doc:"Calibrated; null when a person gave it or nothing is sure"`
	Alternatives []labelGuess     `json:"alternatives" doc:"What else it may be, the likeliest first"`
	At           time.Time        `json:"at"`
}

type labelGuess struct {
	ID         string  `json:"id"`
	Confidence float64 `json:"confidence"`
}

type entityAnswer struct {
	Kind     triage.EntityKind `json:"kind" enum:"po,asn,sku,gtin,sscc,lpn,lot,quantity"`
	Value    string            `json:"value"`
	Unit     string            `json:"unit,omitempty" example:"ea"`
	Verified bool              `json:"verified" doc:"It has a right check digit, or the recorded events know it"`
}

type similarAnswer struct {
	ID         store.TicketID `json:"id"`
	Label      string         `json:"label"`
	Similarity float64        `json:"similarity" minimum:"0" maximum:"1"`
	ReceivedAt time.Time      `json:"received_at"`
	Resolution string         `json:"resolution,omitempty"`
}

type ticketWorkflow struct {
	StepID guardrails.StepID `json:"step_id" example:"st_0123456789abcdefghijklmnop"`
	State  guardrails.State  `json:"state,omitempty" doc:"Left out in the answer to its making: read the ticket again"`
	Type   string            `json:"type" enum:"route_ticket"`
}

type ticketVersions struct {
	Taxonomy int    `json:"taxonomy"`
	Model    int64  `json:"model" doc:"Its number; 0 for the one that comes with the program"`
	File     string `json:"model_sha256"`
}

const maxGuesses = 5

func (s *server) labelAnswer(l *store.TicketLabel) ticketLabel {
	label, _ := s.desk.Taxonomy.Label(l.Label)
	a := ticketLabel{
		ID: l.Label, Name: label.Name, Path: l.Path, Why: l.Why, Confidence: l.Confidence, Alternatives: []labelGuess{}, At: l.CreatedAt.UTC(),
	}
	for _, g := range l.Alternatives[:min(maxGuesses, len(l.Alternatives))] {
		a.Alternatives = append(a.Alternatives, labelGuess{g.Label, g.P})
	}
	return a
}

// routedAnswer is what follows from a label.
func (s *server) routedAnswer(l *store.TicketLabel) ticketAnswer {
	r := &l.Routing
	return ticketAnswer{
		Object: "ticket", Status: store.TicketOpen, Label: s.labelAnswer(l), Severity: r.Severity.String(), Owner: r.Owner,
		Copies: texts(r.Copies), Secondary: texts(r.Secondary), Signals: texts(r.Signals), Facts: append([]triage.Fact{}, l.Facts...),
		Restricted: r.Restricted, Immediate: r.Immediate, Entities: []entityAnswer{}, Similar: []similarAnswer{}, Duplicates: []similarAnswer{},
		Asking: store.NotAsked, Workflow: ticketWorkflow{StepID: l.Step, Type: "route_ticket"},
		Versions: ticketVersions{s.desk.Taxonomy.Version, int64(l.Model), hex.EncodeToString(l.ModelHash)},
	}
}

func (a *ticketAnswer) addEntities(entities []triage.Entity) {
	for _, e := range entities {
		a.Entities = append(a.Entities, entityAnswer{e.Kind, e.Value, e.Unit, e.Verified})
	}
}

// addSimilar leaves restricted tickets out: who reads this one may not read them.
func (a *ticketAnswer) addSimilar(similar []store.SimilarTicket, duplicate func(*store.SimilarTicket) bool) {
	for i := range similar {
		x := &similar[i]
		if x.Restricted {
			continue
		}
		out := similarAnswer{x.ID, x.Label, x.Similarity, x.ReceivedAt.UTC(), x.Resolution}
		if duplicate(x) {
			a.Duplicates = append(a.Duplicates, out)
		} else {
			a.Similar = append(a.Similar, out)
		}
	}
}

func (s *server) storedAnswer(t *store.Ticket) ticketAnswer {
	a := s.routedAnswer(&t.Current)
	a.ID, a.Site, a.Status, a.ReceivedAt, a.Reporter = t.ID, t.Site, t.Status, t.ReceivedAt.UTC(), t.Reporter
	a.MergedInto, a.Resolution, a.Asking, a.Workflow.State = t.MergedInto, t.Resolution, t.Asking, t.StepState
	if refs := ticketReferences(t.Refs); refs != (ticketReferences{}) {
		a.References = &refs
	}
	return a
}
