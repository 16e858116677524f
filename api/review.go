package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"tallyman/guardrails"
)

type reviewRequest struct {
	ID   string `path:"id" maxLength:"64" example:"st_0123456789abcdefghijklmnop"`
	Body struct {
		Justified bool   `json:"justified" doc:"Breaking the glass was right"`
		Note      string `json:"note" minLength:"1" maxLength:"2000" doc:"What you found"`
	}
}

func (s *server) registerReviews(a huma.API) {
	op := personOperation("reviewStep", http.MethodPost, "/v1/steps/{id}/reviews", "Say whether breaking the glass for a step was right")
	op.Description = "Two others than who broke it do so within a day; until then the glass cannot be broken again at the site. Everybody reviews once: a repetition is a 409."
	op.Errors = append(op.Errors, http.StatusConflict, http.StatusUnprocessableEntity)
	op.DefaultStatus = http.StatusNoContent
	register(a, op, handler(s, s.review))
}

func (s *server) review(ctx context.Context, in *reviewRequest) (*struct{}, error) {
	if badText(in.Body.Note) {
		return nil, invalid("note", "is not valid text")
	}
	view, err := s.visibleStep(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	err = s.db.ReviewGlass(ctx, view.ID, humanOf(ctx).By(), in.Body.Justified, in.Body.Note)
	if refusal, ok := errors.AsType[*guardrails.Refusal](err); ok {
		return nil, s.refused(ctx, in.ID, refusal)
	}
	return nil, err
}
