package llm

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"time"

	openai "github.com/sashabaranov/go-openai"
	"github.com/sony/gobreaker/v2"
)

const (
	maxRetries     = 2
	firstBackoff   = 500 * time.Millisecond
	failuresToTrip = 5
	breakerOpen    = 10 * time.Second
)

// call is what one Choose, or one question of a probe, carries through its requests.
type call struct {
	site  string
	until time.Time
	used  Usage
}

// breakerSettings: five failures in a row open the breaker, and so does one
// attempt without any reply, because five of those would take half a minute. It
// lets one request through ten seconds later.
func breakerSettings() gobreaker.Settings {
	stalled := false
	return gobreaker.Settings{
		Timeout: breakerOpen,
		IsSuccessful: func(err error) bool { // called, like ReadyToTrip after it, under the breaker's lock
			var e *Error
			stalled = errors.As(err, &e) && e.stalled
			return err == nil
		},
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return stalled || counts.ConsecutiveFailures >= failuresToTrip
		},
		IsExcluded: func(err error) bool {
			var e *Error
			return errors.As(err, &e) && !e.outage()
		},
	}
}

// send sends a request, and again up to twice where that can help and there is
// time. Repeating is safe: a completion changes nothing but the bill.
func (c *Client) send(ctx context.Context, call *call, req openai.ChatCompletionRequest) (openai.ChatCompletionResponse, error) {
	var last *Error
	for retry := 0; ; retry++ {
		resp, e := c.attempt(ctx, call, req)
		if e == nil {
			return resp, nil
		}
		if e.Reason == ReasonBreakerOpen && last != nil {
			e = last // what opened it says more
		}
		last = e
		if !e.again || retry == maxRetries {
			return resp, e
		}
		pause := e.RetryAfter + c.jitter(firstBackoff<<retry)
		if c.now().Add(pause).After(call.until) {
			return resp, e
		}
		if err := c.sleep(ctx, pause); err != nil {
			return resp, ended(ctx, err)
		}
	}
}

func (c *Client) jitter(most time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.rand.Int64N(int64(most)))
}

// attempt waits for its turn and sends the request once.
func (c *Client) attempt(ctx context.Context, call *call, req openai.ChatCompletionRequest) (openai.ChatCompletionResponse, *Error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return openai.ChatCompletionResponse{}, ended(ctx, nil)
	}
	if e := c.turn(ctx, call); e != nil {
		return openai.ChatCompletionResponse{}, e
	}
	resp, err := c.breaker.Execute(func() (openai.ChatCompletionResponse, error) {
		resp, e := c.pay(ctx, call, req)
		if e == nil {
			return resp, nil
		}
		return resp, e
	})
	var e *Error
	switch {
	case err == nil:
		return resp, nil
	case errors.As(err, &e):
		return resp, e
	default: // gobreaker's own
		return resp, &Error{Reason: ReasonBreakerOpen, Detail: "the server failed lately; it is asked again within 10 s"}
	}
}

// turn waits for the rate limit and for the pause a server asked for, or says at
// once that there is no time for that.
func (c *Client) turn(ctx context.Context, call *call) *Error {
	now := c.now()
	turn := c.limiter.ReserveN(now, 1)
	c.mu.Lock()
	pause := max(turn.DelayFrom(now), c.quiet.Sub(now))
	c.mu.Unlock()
	if pause <= 0 {
		return nil
	}
	if now.Add(pause).After(call.until) {
		turn.CancelAt(now)
		return &Error{Reason: ReasonRateLimited, Detail: "there is no turn before the time is up", RetryAfter: pause}
	}
	if err := c.sleep(ctx, pause); err != nil {
		turn.CancelAt(c.now())
		return ended(ctx, err)
	}
	return nil
}

// pay sends within the budget: what the request may cost is reserved before and
// settled after. Only a refused request is free; one that broke may be billed.
func (c *Client) pay(ctx context.Context, call *call, req openai.ChatCompletionRequest) (openai.ChatCompletionResponse, *Error) {
	most := c.most(req)
	spent := most
	if c.reserve != nil {
		settle, err := c.reserve(ctx, call.site, most)
		if err != nil {
			return openai.ChatCompletionResponse{}, &Error{Reason: ReasonBudget, Detail: "the site's budget does not cover another request", cause: err}
		}
		defer func() { settle(context.WithoutCancel(ctx), spent) }()
	}
	resp, e := c.once(ctx, req)
	switch {
	case e == nil:
		spent = c.used(resp.Usage, most)
	case e.Status >= 300 || e.unsent:
		spent = Usage{}
	}
	if e != nil && e.Reason == ReasonRateLimited && e.RetryAfter > 0 {
		c.mu.Lock()
		c.quiet = c.now().Add(e.RetryAfter)
		c.mu.Unlock()
	}
	call.used = call.used.Add(spent)
	return resp, e
}

var errStalled = errors.New("no reply within the time of one attempt")

// once sends one HTTP request. Every error is named here or in [doer].
func (c *Client) once(ctx context.Context, req openai.ChatCompletionRequest) (openai.ChatCompletionResponse, *Error) {
	ctx, stop := context.WithTimeoutCause(ctx, attemptTimeout, errStalled)
	defer stop()
	resp, err := c.api.CreateChatCompletion(ctx, req)
	var e *Error
	switch {
	case err == nil:
		return resp, nil
	case ctx.Err() != nil:
		return resp, ended(ctx, nil)
	case errors.As(err, &e):
		return resp, e
	case errors.Is(err, io.ErrUnexpectedEOF): // HTTP ended well, JSON did not
		return resp, &Error{Reason: ReasonNotACompletion, Detail: "the reply ends in the middle", again: true}
	case locallyRefused(req) != nil:
		return resp, &Error{Reason: ReasonPrompt, Detail: "the client library refuses this request for model " + c.model, unsent: true}
	default:
		return resp, &Error{Reason: ReasonNotACompletion, Detail: "the reply is not the JSON of a chat completion"}
	}
}

// ended says whose clock ended the context: ours is a timeout, the caller's is not.
func ended(ctx context.Context, err error) *Error {
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return canceled(err)
	case errors.Is(cause, errStalled):
		return &Error{Reason: ReasonTimeout, Detail: "no reply within " + attemptTimeout.String(), stalled: true}
	case errors.Is(cause, errOutOfTime):
		return &Error{Reason: ReasonTimeout, Detail: "no usable answer within " + totalTimeout.String()}
	default:
		return canceled(cause)
	}
}

func canceled(cause error) *Error {
	return &Error{Reason: ReasonCanceled, Detail: "the caller ended the call", cause: cause}
}

// request builds a completion request on the path the capabilities allow.
func (c *Client) request(caps Capabilities, messages []openai.ChatCompletionMessage, schema json.RawMessage) openai.ChatCompletionRequest {
	const answerTokens, reasoningTokens = 300, 4000
	req := openai.ChatCompletionRequest{Model: c.model, Messages: messages, MaxCompletionTokens: answerTokens}
	switch caps.Path {
	case PathSchema:
		req.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: "answer", Schema: schema, Strict: true},
		}
	case PathJSON:
		req.ResponseFormat = &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
	case PathText:
	}
	if c.model == openai.GPT6Sol || c.model == openai.GPT6Luna {
		req.ReasoningEffort = openai.ReasoningEffortNone // or sampling and log probabilities are refused
	}
	sampled := req
	seed := 1
	sampled.Seed = &seed
	sampled.Temperature = math.SmallestNonzeroFloat32 // 0 would be left out, and the server's default used
	sampled.LogProbs, sampled.TopLogProbs = true, 5
	if locallyRefused(sampled) != nil { // a model that always reasons, on the tokens it may answer with
		req.ReasoningEffort = openai.ReasoningEffortLow
		req.MaxCompletionTokens = reasoningTokens
		sampled = req
	}
	if caps.Sampling {
		req = sampled
		if !caps.LogProbs {
			req.LogProbs, req.TopLogProbs = false, 0
		}
	}
	return limit(req, caps.LegacyMaxTokens, req.MaxCompletionTokens)
}

// limit sets how many tokens the answer may have, by the name the server heeds.
func limit(req openai.ChatCompletionRequest, legacy bool, tokens int) openai.ChatCompletionRequest {
	req.MaxTokens, req.MaxCompletionTokens = 0, tokens //nolint:staticcheck // deprecated, and all that some servers know
	if legacy {
		req.MaxTokens, req.MaxCompletionTokens = tokens, 0 //nolint:staticcheck // as above
	}
	return req
}

// locallyRefused is go-openai's guard, which goes by the model's name.
func locallyRefused(req openai.ChatCompletionRequest) error {
	return openai.NewReasoningValidator().Validate(req)
}
