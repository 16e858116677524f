package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/guardrails"
	"tallyman/store"
)

type decisionBody struct {
	Verdict    guardrails.Verdict `json:"verdict" enum:"approve,reject,request_changes"`
	Binding    string             `json:"binding" minLength:"64" maxLength:"64" doc:"As the step showed it: what the person saw"`
	Slot       guardrails.Role    `json:"slot,omitempty" maxLength:"40" doc:"To fill; the first open one that they can, when left out"`
	Reason     string             `json:"reason,omitempty" maxLength:"2000" doc:"Must be there to reject or to request changes"`
	OnBehalfOf int64              `json:"on_behalf_of,omitempty" minimum:"1" doc:"Person who delegated it"`
	Incident   string             `json:"incident,omitempty" maxLength:"100" doc:"Breaks the glass: one human approves alone, with a reason, and two others review it"`
}

// StepCommand is what every command on a step has; huma reads exported parts only.
type StepCommand struct {
	ID             string `path:"id" maxLength:"64" example:"st_0123456789abcdefghijklmnop"`
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" doc:"Yours, one for each request: the same key and body are carried out once and get the same bytes"`
	RawBody        []byte
}

type decisionRequest struct {
	StepCommand
	Body decisionBody
}

type reassignRequest struct {
	StepCommand
	Body struct {
		To int64 `json:"to" minimum:"1" doc:"Person who could approve it"`
	}
}

type withdrawRequest struct {
	StepCommand
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"2000"`
	}
}

// stepCommand describes a command on a step.
func stepCommand(a huma.API, op huma.Operation, text string) huma.Operation {
	op.Description = text + " 409 means that the step is not what it was; superseded_by then leads on. 422 means that the Idempotency-Key was used for another request, or that a reason is missing. " +
		"A refusal changes nothing and is not kept under the key."
	op.MaxBodyBytes = 16 << 10
	op.Errors = append(op.Errors, http.StatusConflict, http.StatusUnprocessableEntity)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The step as it is now", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[stepSummary](a)}},
	}}
	return op
}

func (s *server) registerDecisions(a huma.API) {
	decide := stepCommand(a, personOperation("decideStep", http.MethodPost, "/v1/steps/{id}/decisions", "Approve or reject a step, or request changes"),
		"Only for people who are signed in: an API key gets 403 machine-principal.")
	register(a, decide, handler(s, func(ctx context.Context, in *decisionRequest) (*raw, error) {
		cmd, err := in.Body.command()
		if err != nil {
			return nil, err
		}
		return s.carryOut(ctx, &in.StepCommand, "decisions", in.Body.OnBehalfOf, cmd)
	}))
	reassign := stepCommand(a, personOperation("reassignStep", http.MethodPost, "/v1/steps/{id}/assignments", "Give a step to a person"), "Whoever else may approve it still can.")
	register(a, reassign, handler(s, func(ctx context.Context, in *reassignRequest) (*raw, error) {
		return s.carryOut(ctx, &in.StepCommand, "assignments", 0, guardrails.Reassign{To: guardrails.PersonID(in.Body.To)})
	}))
	withdraw := stepCommand(a, personOperation("withdrawStep", http.MethodPost, "/v1/steps/{id}/withdrawals", "Take a step back"), "Also after approval, as long as nothing was sent.")
	register(a, withdraw, handler(s, func(ctx context.Context, in *withdrawRequest) (*raw, error) {
		return s.carryOut(ctx, &in.StepCommand, "withdrawals", 0, guardrails.Withdraw{Reason: in.Body.Reason})
	}))
}

func (b *decisionBody) command() (guardrails.Command, error) {
	binding, err := guardrails.ParseHash(b.Binding)
	if err != nil {
		return nil, invalid("binding", "%v", err)
	}
	if badText(b.Reason) || badText(b.Incident) {
		return nil, invalid("reason", "is not valid text")
	}
	if b.Incident != "" && b.Verdict != guardrails.Approval {
		return nil, invalid("incident", "goes with an approval only")
	}
	switch b.Verdict {
	case guardrails.Approval:
		return guardrails.Approve{Binding: binding, Slot: b.Slot, Reason: b.Reason, Incident: b.Incident}, nil
	case guardrails.Rejection:
		return guardrails.Reject{Binding: binding, Reason: b.Reason}, nil
	case guardrails.RequestChanges:
		return guardrails.AskChanges{Binding: binding, Reason: b.Reason}, nil
	}
	return nil, invalid("verdict", "%q is none of approve, reject and request_changes", clip(string(b.Verdict)))
}

// carryOut does what a person asks for, once.
func (s *server) carryOut(ctx context.Context, in *StepCommand, what string, behalf int64, cmd guardrails.Command) (*raw, error) {
	return s.once(ctx, in, what, func(by store.By, r store.Request) ([]byte, error) {
		by.OnBehalfOf = guardrails.PersonID(behalf)
		return s.db.DecideOnce(ctx, guardrails.StepID(in.ID), by, cmd, r)
	})
}

// once has a person do something about a step that they see, and answers with the
// step.
func (s *server) once(ctx context.Context, in *StepCommand, what string, do func(store.By, store.Request) ([]byte, error)) (*raw, error) {
	if _, err := s.visibleStep(ctx, in.ID); err != nil {
		return nil, err
	}
	me := humanOf(ctx)
	answer, err := do(me.By(), store.Request{
		Actor: fmt.Sprintf("person:%d", me.Person), Key: in.IdempotencyKey, Status: http.StatusOK,
		Fingerprint: sha256.Sum256(fmt.Appendf(nil, "POST /v1/steps/%s/%s\n%s", in.ID, what, in.RawBody)),
		Answer: func(after store.Step) ([]byte, error) {
			return json.Marshal(summaryOf(&after, youOf(refusalAfter(&after), store.Decider{})))
		},
	})
	if refusal, ok := errors.AsType[*guardrails.Refusal](err); ok {
		return nil, s.refused(ctx, in.ID, refusal)
	}
	if err != nil {
		return nil, err
	}
	return &raw{"application/json", answer}, nil
}

// refusalAfter says that who has just decided cannot approve once more.
func refusalAfter(step *store.Step) *guardrails.Refusal {
	if step.State == guardrails.Pending {
		return &guardrails.Refusal{Code: guardrails.CodeAlreadyDecided, Detail: "you have acted on this; read it again to see what you can do"}
	}
	return &guardrails.Refusal{Code: guardrails.CodeNotPending, Detail: "the step is " + string(step.State)}
}

// refused is a refusal as a problem: 403 for who asks, 409 for what the step has
// become, 422 for what is missing.
func (s *server) refused(ctx context.Context, id string, r *guardrails.Refusal) error {
	p := &Problem{Status: http.StatusForbidden, Code: string(r.Code), Detail: r.Detail}
	switch r.Code {
	case guardrails.CodeNotPending, guardrails.CodeSuperseded, guardrails.CodeExpired, guardrails.CodeNotExpired, guardrails.CodeBlocked, guardrails.CodeDenied,
		guardrails.CodeNoHuman, guardrails.CodeBinding, guardrails.CodeSlotFilled, guardrails.CodeAlreadyDecided, guardrails.CodeMoved, guardrails.CodeModel,
		guardrails.CodeApprovalAge, guardrails.CodeQuorumLost, guardrails.CodeKillSwitch, guardrails.CodeFrozen, guardrails.CodeWeaker:
		p.Status = http.StatusConflict
	case guardrails.CodeReasonMissing:
		p.Status, p.Field = http.StatusUnprocessableEntity, "reason"
	case guardrails.CodeMachine, guardrails.CodeInactive, guardrails.CodeSelfApproval, guardrails.CodePart, guardrails.CodeUnprovenPart, guardrails.CodeDelegation,
		guardrails.CodeRoleMissing, guardrails.CodeTooEarly, guardrails.CodeValueLimit, guardrails.CodeDailyLimit, guardrails.CodeStepUp, guardrails.CodeNotAllowed, guardrails.CodeBreakGlass,
		guardrails.CodeBreakGlassLimit, guardrails.CodeBreakGlassReview, guardrails.CodeSameHuman, guardrails.CodeBulk:
	}
	view, err := s.db.StepView(ctx, viewerOf(ctx), guardrails.StepID(id))
	if err != nil {
		return err
	}
	p.State, p.Binding, p.SupersededBy = string(view.State), view.Binding.String(), string(view.Successor)
	return p
}
