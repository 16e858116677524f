package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/guardrails"
	"tallyman/store"
)

type executionAnswer struct {
	Operation    int                       `json:"operation" doc:"Of the plan, from 0"`
	Compensation bool                      `json:"compensation,omitempty" doc:"It takes the operation back"`
	Target       string                    `json:"target" doc:"\"manual\" when people carry it out"`
	State        guardrails.ExecutionState `json:"state" example:"applied"`
	Attempts     int                       `json:"attempts"`
	Detail       string                    `json:"detail,omitempty"`
	Waits        bool                      `json:"waits_for_report" doc:"People must say what became of it: POST reports"`
}

func executionsOf(view *store.StepView) []executionAnswer {
	out := []executionAnswer{}
	waits := view.Waits()
	for i := range view.Executions {
		e := &view.Executions[i]
		answer := executionAnswer{Operation: e.Operation, Compensation: e.Compensation, Target: e.Target, State: e.State, Attempts: e.Attempt, Waits: e == waits}
		if e.Error != nil {
			answer.Detail = *e.Error
		}
		out = append(out, answer)
	}
	return out
}

type reportRequest struct {
	StepCommand
	Body struct {
		Done   bool   `json:"done" doc:"People carried it out, or the target applied it"`
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"May be left out only when people carried it out"`
	}
}

func (s *server) registerReports(a huma.API) {
	report := stepCommand(a, personOperation("reportStep", http.MethodPost, "/v1/steps/{id}/reports", "Say what became of a step"),
		"For an operation with waits_for_report: one that no target takes, so that people carry it out, or one whose target did not say whether it applied it. "+
			"What people did not do ends the step; what a target did not apply is sent again. "+
			"Whoever has a role at the site may say that people did it, anything else needs a role of the step's requirement.")
	register(a, report, handler(s, func(ctx context.Context, in *reportRequest) (*raw, error) {
		word := store.Word{Done: in.Body.Done, Reason: strings.TrimSpace(in.Body.Reason)}
		if badText(word.Reason) {
			return nil, invalid("reason", "is not valid text")
		}
		return s.once(ctx, &in.StepCommand, "reports", func(by store.By, r store.Request) ([]byte, error) {
			return s.db.ReportOnce(ctx, guardrails.StepID(in.ID), by, word, r)
		})
	}))
}
