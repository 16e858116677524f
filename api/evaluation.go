package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"tallyman/features"
	"tallyman/guardrails"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/warehouse"
)

const (
	maxRiskBody = 256 << 10
	// validFor is how long an answer stands for: longer than a truck is unloaded,
	// shorter than the stock it speaks of takes to change.
	validFor   = time.Hour
	topReasons = 3
)

// evaluationAnswer is the answer to POST /v1/risk-evaluations.
type evaluationAnswer struct {
	ID         store.EvaluationID `json:"id" example:"rev_0123456789abcdefghijklmnop"`
	Object     string             `json:"object" enum:"risk_evaluation"`
	Kind       scoring.Kind       `json:"kind" enum:"inbound_load,stock_position"`
	Site       warehouse.Site     `json:"site"`
	EventID    string             `json:"event_id,omitempty"`
	Load       warehouse.Load     `json:"load,omitempty"`
	CreatedAt  time.Time          `json:"created_at"`
	AsOf       time.Time          `json:"as_of" doc:"Nothing known later was used"`
	ExpiresAt  time.Time          `json:"expires_at" doc:"Ask again after this"`
	Signals    map[string]signal  `json:"signals" doc:"By outcome: that at least one line has it"`
	Reasons    []reason           `json:"reasons"`
	Lines      []lineAnswer       `json:"lines" doc:"In the order of the request"`
	Action     scoring.Advice     `json:"recommended_action" enum:"proceed,verify,review" doc:"Advice until a human has decided"`
	Workflow   *workflow          `json:"workflow,omitempty" doc:"The step that waits for a human"`
	Versions   versions           `json:"versions"`
	Degraded   bool               `json:"degraded" doc:"No model was in force, or the facts lag behind: rates instead"`
	Missing    []string           `json:"missing_features"`
	OccurredAt time.Time          `json:"occurred_at"`
}

type lineAnswer struct {
	Line     warehouse.Line     `json:"line,omitempty"`
	SKU      warehouse.SKU      `json:"sku"`
	Location warehouse.Location `json:"location,omitempty"`
	Signals  map[string]signal  `json:"signals"`
	Reasons  []reason           `json:"reasons"`
	Missing  []string           `json:"missing_features"`
}

type signal struct {
	Score        *float64      `json:"score" minimum:"0" maximum:"1" doc:"Calibrated probability; null when nothing is known"`
	Level        scoring.Level `json:"level" enum:"low,elevated,high"`
	ExpectedLoss *money        `json:"expected_loss,omitempty" doc:"Left out when no cost is known"`
}

type money struct {
	Amount   string             `json:"amount" example:"328.00"`
	Currency warehouse.Currency `json:"currency" example:"USD"`
}

type reason struct {
	Code         string   `json:"code" example:"SUPPLIER_SHORT_RATE_90D"`
	Direction    string   `json:"direction" enum:"up,down" doc:"Whether it raises or lowers the risk"`
	Contribution float64  `json:"contribution" doc:"To the log odds"`
	Value        *float64 `json:"value,omitempty" doc:"Of the fact that says most; left out when unknown"`
	Text         string   `json:"text" doc:"One sentence for a supervisor"`
}

type workflow struct {
	StepID guardrails.StepID `json:"step_id" example:"st_0123456789abcdefghijklmnop"`
	Type   string            `json:"type" enum:"verify_load"`
}

type versions struct {
	Models   map[string]int64 `json:"model" doc:"Its number, by outcome; left out where no model is in force"`
	Features string           `json:"features" doc:"Schema of the facts"`
}

type evaluateRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" doc:"Yours, one for each request: the same key and body get the same bytes, however often they are sent"`
	RawBody        []byte `contentType:"application/json"`
}

type evaluationPath struct {
	ID string `path:"id" maxLength:"64" example:"rev_0123456789abcdefghijklmnop"`
}

func (s *server) registerEvaluations(a huma.API) {
	ask := operation("evaluateRisk", http.MethodPost, "/v1/risk-evaluations", "Ask for the risk of a load or of positions", store.RiskWrite)
	ask.Description = "The call at receipt. The answer is advice: it never stops a scan. Names that are not known (SKUs, suppliers, sites) get an answer with missing_features. " +
		"422 means that the Idempotency-Key was used for another request."
	ask.MaxBodyBytes, ask.SkipValidateBody = maxRiskBody, true
	ask.Errors = append(ask.Errors, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
	answer := map[string]*huma.Response{"200": {
		Description: "The evaluation", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[evaluationAnswer](a)}},
	}}
	ask.Responses = answer
	register(a, ask, handler(s, s.evaluate))
	a.OpenAPI().Paths["/v1/risk-evaluations"].Post.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[evaluationRequest](a)}},
	}

	read := operation("getRiskEvaluation", http.MethodGet, "/v1/risk-evaluations/{id}", "Read a risk evaluation as it was answered", store.RiskRead)
	read.Errors = append(read.Errors, http.StatusNotFound)
	read.Responses = map[string]*huma.Response{"200": answer["200"]}
	register(a, read, handler(s, s.readEvaluation))
}

func (s *server) readEvaluation(ctx context.Context, in *evaluationPath) (*raw, error) {
	e, err := s.db.Evaluation(ctx, store.EvaluationID(in.ID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	key := caller(ctx)
	if err != nil || !key.Allows(store.RiskRead, e.Site) {
		return nil, notFound("this evaluation")
	}
	return &raw{"application/json", e.Answer}, nil
}

func (s *server) evaluate(ctx context.Context, in *evaluateRequest) (*raw, error) {
	request, err := decode[evaluationRequest](in.RawBody, "facts of your own go into a line's attributes")
	if err != nil {
		return nil, err
	}
	now := s.clock().UTC().Truncate(time.Microsecond)
	q, err := request.request(now)
	if err != nil {
		return nil, err
	}
	key := caller(ctx)
	if !key.Allows(store.RiskWrite, q.Site) {
		return nil, siteForbidden(q.Site)
	}
	by := store.Asker{APIKey: key.ID, IdempotencyKey: in.IdempotencyKey, Fingerprint: fingerprint("/v1/risk-evaluations", in.RawBody)}
	evaluation, watermark := s.engine.Evaluate(q, now)
	answer := s.answer(request, &q, &evaluation, now)
	saved := record(&q, &evaluation, store.Seq(watermark))
	saved.ID = answer.ID
	bytes, err := s.save(ctx, answer, saved, by)
	if err != nil {
		return nil, err
	}
	return &raw{"application/json", bytes}, nil
}

// fingerprint is of the request that an idempotency key stands for.
func fingerprint(path string, body []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte("POST "+path+"\n"), body...))
}

// save keeps the evaluation and returns the bytes to send. A verification that
// people have taken up already is named instead of a new one.
func (s *server) save(ctx context.Context, answer *evaluationAnswer, e *store.Evaluation, by store.Asker) ([]byte, error) {
	var verify *guardrails.StepID
	if answer.Action == scoring.Verify && e.Load != "" {
		id := store.NewStepID()
		verify, answer.Workflow = &id, &workflow{id, "verify_load"}
	}
	for {
		var err error
		if e.Answer, err = json.Marshal(answer, json.Deterministic(true)); err != nil {
			return nil, err
		}
		bytes, err := s.db.SaveEvaluation(ctx, e, by, verify)
		if !errors.Is(err, store.ErrStepLive) {
			return bytes, err
		}
		live, err := s.db.VerifyStep(ctx, e.Site, e.Load)
		if err == nil {
			verify, answer.Workflow = nil, &workflow{live.ID, "verify_load"}
		} else if !errors.Is(err, store.ErrNotFound) { // it ended in between: propose again
			return nil, err
		}
	}
}

func (s *server) answer(request *evaluationRequest, q *scoring.Request, e *scoring.Evaluation, now time.Time) *evaluationAnswer {
	most := topReasons
	if n := request.Options.TopReasons; n != nil {
		most = *n
	}
	if explain := request.Options.Explain; explain != nil && !*explain {
		most = 0
	}
	a := &evaluationAnswer{
		ID: store.NewEvaluationID(), Object: "risk_evaluation", Kind: q.Kind, Site: q.Site, EventID: request.EventID, Load: loadOf(q),
		CreatedAt: now, OccurredAt: q.OccurredAt, AsOf: e.AsOf, ExpiresAt: now.Add(validFor),
		Signals: signals(e.Signals), Reasons: reasons(e.Reasons, most), Action: e.Advice, Degraded: e.Degraded, Missing: texts(e.Missing),
		Versions: versionsOf(e),
	}
	for i := range e.Lines {
		l := &e.Lines[i]
		a.Lines = append(a.Lines, lineAnswer{l.Line, l.SKU, l.Location, signals(l.Signals), reasons(l.Reasons, most), texts(l.Missing)})
	}
	s.metrics.evaluations.WithLabelValues(string(e.Advice), map[bool]string{true: "yes", false: "no"}[e.Degraded]).Inc()
	return a
}

func versionsOf(e *scoring.Evaluation) versions {
	v := versions{Models: map[string]int64{}, Features: e.Schema}
	for _, m := range e.Models {
		if m.Model != 0 {
			v.Models[string(m.Outcome)] = m.Model
		}
	}
	return v
}

func loadOf(q *scoring.Request) warehouse.Load {
	if q.Kind == scoring.InboundLoad {
		return q.Load
	}
	return ""
}

func signals(from []scoring.Signal) map[string]signal {
	to := make(map[string]signal, len(from))
	for _, f := range from {
		t := signal{Score: number(f.Probability), Level: f.Level}
		if f.ExpectedLoss.Currency != "" {
			t.ExpectedLoss = &money{f.ExpectedLoss.String(), f.ExpectedLoss.Currency}
		}
		to[string(f.Outcome)] = t
	}
	return to
}

func reasons(from []scoring.Reason, most int) []reason {
	to := []reason{}
	for _, f := range from[:min(most, len(from))] {
		direction := "up"
		if f.Contribution < 0 {
			direction = "down"
		}
		to = append(to, reason{f.Code, direction, f.Contribution, number(f.Value), f.Text})
	}
	return to
}

// number is nil for what JSON cannot say.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// record is the evaluation as it is kept.
func record(q *scoring.Request, e *scoring.Evaluation, watermark store.Seq) *store.Evaluation {
	r := &store.Evaluation{
		Site: q.Site, Subject: subjectOf(q.Kind), Load: loadOf(q), AsOf: e.AsOf, Watermark: watermark,
		SchemaHash: e.Schema, Degraded: e.Degraded, Missing: e.Missing,
	}
	for _, v := range e.Models {
		if v.Model != 0 {
			r.Models = append(r.Models, store.ModelID(v.Model))
		}
	}
	for _, g := range e.Lines[0].Signals {
		r.Outcomes = append(r.Outcomes, string(g.Outcome))
	}
	for i := range e.Lines {
		l := &e.Lines[i]
		kept := store.EvaluatedLine{Line: l.Line, Location: l.Location, SKU: l.SKU, Vector: l.Vector}
		for _, g := range l.Signals {
			kept.Probabilities = append(kept.Probabilities, g.Probability)
		}
		r.Lines = append(r.Lines, kept)
	}
	return r
}

func subjectOf(kind scoring.Kind) features.Subject {
	if kind == scoring.InboundLoad {
		return features.LoadSubject
	}
	return features.PositionSubject
}
