package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/warehouse"
)

type stepsRequest struct {
	Site    string `query:"site" maxLength:"256"`
	Action  string `query:"action" maxLength:"40"`
	State   string `query:"state" maxLength:"40"`
	Waiting bool   `query:"waiting" doc:"Only what waits for you"`
	Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor  string `query:"cursor" maxLength:"256" doc:"next_cursor of the page before"`
}

type stepsResponse struct{ Body stepsAnswer }

type stepsAnswer struct {
	Data       []stepSummary `json:"data" doc:"At sites where you have a role, or that your key is for, the soonest to expire first"`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Left out on the last page"`
}

type stepSummary struct {
	ID           guardrails.StepID `json:"id" example:"st_0123456789abcdefghijklmnop"`
	Version      int               `json:"version" doc:"Grows with every change"`
	State        guardrails.State  `json:"state" example:"pending"`
	Action       guardrails.Kind   `json:"action" example:"inventory_adjustment"`
	Site         warehouse.Site    `json:"site"`
	Subject      []string          `json:"subject"`
	Payload      any               `json:"payload" doc:"What is asked for; exactly this is sent"`
	Requirement  requirement       `json:"requirement"`
	Binding      string            `json:"binding" doc:"Hash of all that an approval says yes to; a decision echoes it"`
	Value        *money            `json:"value,omitempty" doc:"That decides who must approve; left out when unknown, which is beyond every limit"`
	CreatedAt    time.Time         `json:"created_at"`
	ExpiresAt    time.Time         `json:"expires_at"`
	Assignee     int64             `json:"assignee,omitempty" doc:"Person it is given to"`
	SupersededBy guardrails.StepID `json:"superseded_by,omitempty"`
	Reason       string            `json:"reason,omitempty" doc:"Why it is in its state"`
	You          you               `json:"you"`
}

type requirement struct {
	Slots    []slot   `json:"slots"`
	Fresh    bool     `json:"fresh" doc:"Needs an authentication of the last 15 minutes"`
	Excludes []string `json:"excludes" doc:"Parts whose players cannot approve"`
	Deny     []string `json:"deny" doc:"Why nobody can approve it"`
}

type slot struct {
	Role     guardrails.Role `json:"role"`
	Count    int             `json:"count"`
	StandIns []standIn       `json:"stand_ins" doc:"Who may approve in place of the role, the soonest first"`
}

type standIn struct {
	Role guardrails.Role `json:"role"`
	From time.Time       `json:"from" doc:"From when on"`
	Due  bool            `json:"due" doc:"That has come"`
}

type you struct {
	CanApprove bool   `json:"can_approve" doc:"For yourself, or for somebody who delegated it to you"`
	OnBehalfOf int64  `json:"on_behalf_of,omitempty" doc:"Person for whom you can, when you cannot for yourself; the decision names them"`
	Code       string `json:"code,omitempty" doc:"Why not"`
	Detail     string `json:"detail,omitempty"`
}

type stepPath struct {
	ID string `path:"id" maxLength:"64" example:"st_0123456789abcdefghijklmnop"`
}

type stepResponse struct{ Body stepAnswer }

type stepAnswer struct {
	stepSummary
	Plan       []operationAnswer `json:"plan" doc:"What would be sent, in order"`
	Evidence   any               `json:"evidence" doc:"Null for none"`
	Policy     string            `json:"policy" doc:"Version in force when it was proposed"`
	Matched    []string          `json:"matched" doc:"Rules of it"`
	Decisions  []decisionAnswer  `json:"decisions"`
	Executions []executionAnswer `json:"executions" doc:"How far it got, once it is approved"`
}

type operationAnswer struct {
	Target     string `json:"target"`
	Body       any    `json:"body"`
	Compensate any    `json:"compensate" doc:"What takes it back when a later operation fails for good; null when nothing does"`
	Final      string `json:"final,omitempty" doc:"Why nothing takes it back"`
}

type decisionAnswer struct {
	Person     int64              `json:"person"`
	Name       string             `json:"name"`
	OnBehalfOf int64              `json:"on_behalf_of,omitempty"`
	Verdict    guardrails.Verdict `json:"verdict"`
	Slot       guardrails.Role    `json:"slot,omitempty"`
	StoodInAs  guardrails.Role    `json:"stood_in_as,omitempty" doc:"The role in which they stood in for the slot's; left out for that itself"`
	Reason     string             `json:"reason,omitempty"`
	At         time.Time          `json:"at"`
	Counts     bool               `json:"counts" doc:"An approval that counts now: for this binding, by somebody who could still give it"`
}

func (s *server) registerSteps(a huma.API) {
	list := personOperation("listSteps", http.MethodGet, "/v1/steps", "List the steps that people decide")
	list.Description = "Counts that a ranking proposes and nobody has touched are in the count queue instead, unless action=count_position asks for them."
	register(a, forPeopleAndKeys(list, store.StepsRead), handler(s, s.steps))
	one := personOperation("getStep", http.MethodGet, "/v1/steps/{id}", "Read a step with everything an approval says yes to")
	register(a, forPeopleAndKeys(one, store.StepsRead), handler(s, s.readStep))
	s.registerDecisions(a)
	s.registerReports(a)
	s.registerReviews(a)
}

func (s *server) steps(ctx context.Context, in *stepsRequest) (*stepsResponse, error) {
	f := store.StepFilter{Site: warehouse.Site(in.Site), Kind: guardrails.Kind(in.Action), State: guardrails.State(in.State)}
	f.Queue = f.Kind == guardrails.KindCountPosition
	if in.Waiting {
		if f.Waiting = viewerOf(ctx).Person; f.Waiting == 0 {
			return nil, invalid("waiting", "asks what waits for a person, and an API key is none")
		}
	}
	after, err := readStepCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	steps, err := s.db.InboxSteps(ctx, viewerOf(ctx), f, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	answer := stepsAnswer{Data: []stepSummary{}}
	if len(steps) > in.Limit {
		steps = steps[:in.Limit]
		last := &steps[in.Limit-1]
		answer.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(last.ExpiresAt.UTC().Format(time.RFC3339Nano) + " " + string(last.ID)))
	}
	refusals, err := s.db.TryApprovals(ctx, actorOf(ctx), steps)
	if err != nil {
		return nil, err
	}
	others, err := s.db.TryDelegated(ctx, actorOf(ctx), steps)
	if err != nil {
		return nil, err
	}
	for i := range steps {
		answer.Data = append(answer.Data, summaryOf(&steps[i], youOf(refusals[i], others[steps[i].ID])))
	}
	return &stepsResponse{answer}, nil
}

// youOf says whether somebody can approve a step: for themselves if refusal is nil,
// else for the other, if there is one.
func youOf(refusal *guardrails.Refusal, other store.Decider) you {
	switch {
	case refusal == nil:
		return you{CanApprove: true}
	case other.ID != 0:
		return you{CanApprove: true, OnBehalfOf: int64(other.ID)}
	}
	return you{Code: string(refusal.Code), Detail: refusal.Detail}
}

func readStepCursor(cursor string) (store.StepCursor, error) {
	if cursor == "" {
		return store.StepCursor{}, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	at, id, ok := strings.Cut(string(text), " ")
	t, errTime := time.Parse(time.RFC3339Nano, at)
	if err != nil || errTime != nil || !ok || badText(id) {
		return store.StepCursor{}, invalid("cursor", "is not a next_cursor of this operation")
	}
	return store.StepCursor{ExpiresAt: t, ID: guardrails.StepID(id)}, nil
}

func summaryOf(step *store.Step, y you) stepSummary {
	r := &step.Requirement
	out := stepSummary{
		ID: step.ID, Version: step.Version, State: step.State, Action: step.Kind, Site: step.Site, Subject: step.Subject,
		Payload: json.RawMessage(step.PayloadBytes), Binding: step.Binding.String(), CreatedAt: step.CreatedAt, ExpiresAt: step.ExpiresAt,
		Assignee: int64(step.Assignee), SupersededBy: step.SupersededBy, Reason: step.Reason, You: y,
		Requirement: requirement{Slots: []slot{}, Fresh: r.Auth == guardrails.Fresh, Excludes: (r.Excludes | step.Kind.Excludes()).Names(), Deny: append([]string{}, r.Deny...)},
	}
	for _, needed := range r.Slots {
		out.Requirement.Slots = append(out.Requirement.Slots, slot{needed.Role, needed.Count, standInsOf(step, needed.Role)})
	}
	if step.Value != guardrails.UnknownAmount {
		out.Value = &money{warehouse.Money{Minor: step.Value, Currency: step.Currency}.String(), step.Currency}
	}
	return out
}

func standInsOf(step *store.Step, role guardrails.Role) []standIn {
	all := []standIn{}
	for _, x := range step.Ladder(role) {
		from := step.From(x)
		all = append(all, standIn{x.Role, from, !step.ReadAt.Before(from)})
	}
	return all
}

// visibleStep returns a step that the caller may see. At a site where a person has
// no role, or that a key is not for, there is none.
func (s *server) visibleStep(ctx context.Context, id string) (store.StepView, error) {
	view, err := s.db.StepView(ctx, viewerOf(ctx), guardrails.StepID(id))
	me := humanOf(ctx)
	if errors.Is(err, store.ErrNotFound) || err == nil && me != nil && !me.person.Sees(view.Site) {
		return view, &Problem{Status: http.StatusNotFound, Code: "not_found", Detail: "this step is not there, or you have nothing to do with its site"}
	}
	return view, err
}

func (s *server) readStep(ctx context.Context, in *stepPath) (*stepResponse, error) {
	view, err := s.visibleStep(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	tried, err := s.db.Try(ctx, view.ID, actorOf(ctx), guardrails.Approve{Binding: view.Binding})
	if err != nil {
		return nil, err
	}
	others, err := s.db.TryDelegated(ctx, actorOf(ctx), []store.Step{view.Step})
	if err != nil {
		return nil, err
	}
	if me := humanOf(ctx); me != nil {
		if err := s.db.NoteView(ctx, me.Person, &view.Step); err != nil {
			return nil, err
		}
	}
	a := stepAnswer{
		stepSummary: summaryOf(&view.Step, youOf(tried[0], others[view.ID])), Plan: []operationAnswer{}, Evidence: rawJSON(view.EvidenceBytes),
		Policy: view.Policy, Matched: append([]string{}, view.Matched...), Decisions: []decisionAnswer{}, Executions: executionsOf(&view),
	}
	if view.Successor != "" {
		a.SupersededBy = view.Successor
	}
	for _, o := range view.Plan {
		a.Plan = append(a.Plan, operationAnswer{o.Target, rawJSON(o.Body), rawJSON(o.Compensate), o.Final})
	}
	for _, d := range view.Decisions {
		out := decisionAnswer{Person: int64(d.Person), Name: view.Names[d.Person], OnBehalfOf: int64(d.OnBehalfOf), Verdict: d.Verdict, Slot: d.Slot, StoodInAs: d.As, Reason: d.Reason, At: d.At}
		for _, counted := range view.Standing {
			out.Counts = out.Counts || counted.Person == d.Person && counted.At.Equal(d.At)
		}
		a.Decisions = append(a.Decisions, out)
	}
	return &stepResponse{a}, nil
}

// rawJSON is null for nothing, and for bytes that are no JSON a string.
func rawJSON(b []byte) any {
	switch {
	case len(b) == 0:
		return nil
	case json.Valid(b):
		return json.RawMessage(b)
	}
	return string(b)
}
