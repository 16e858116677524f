package llm

import (
	"context"
	"fmt"
	"sync"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// Usage is what requests cost.
type Usage struct {
	Requests    int64
	Input       int64 // tokens, cached ones included
	CachedInput int64 // tokens
	Output      int64 // tokens
	Nanos       int64 // money: billionths of the currency unit of [Price]
}

// Tokens is input and output together.
func (u Usage) Tokens() int64 { return u.Input + u.Output }

// Add returns both together.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Requests: u.Requests + v.Requests, Input: u.Input + v.Input, CachedInput: u.CachedInput + v.CachedInput,
		Output: u.Output + v.Output, Nanos: u.Nanos + v.Nanos,
	}
}

// Price is what one token costs, in billionths of a currency unit: a list price
// of 0.10 per million tokens is 100. The zero value is a server of one's own.
type Price struct{ Input, CachedInput, Output int64 }

func (p Price) of(u Usage) int64 {
	return (u.Input-u.CachedInput)*p.Input + u.CachedInput*p.CachedInput + u.Output*p.Output
}

// Reserve sets aside the most that one request of a site may cost, or returns an
// error, which ends the call with [ReasonBudget]. It is called before every
// request, repairs and repeats included, and settle once after it with what the
// request did cost. A settle that is lost leaves the reservation standing, so
// that a crash spends too little, never too much.
type Reserve func(ctx context.Context, site string, most Usage) (settle func(context.Context, Usage), err error)

// Ledger is a daily budget for each site, kept in memory, for programs without a
// database. Days are UTC. Its Reserve is a [Reserve].
type Ledger struct {
	Tokens int64 // a day and site
	Nanos  int64 // a day and site; 0 only where nothing has a price
	Now    func() time.Time

	mu    sync.Mutex
	day   string
	spent map[string]Usage // by site, reservations included
}

// Reserve refuses a request that could exceed what is left of the day.
func (l *Ledger) Reserve(_ context.Context, site string, most Usage) (func(context.Context, Usage), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if day := l.Now().UTC().Format(time.DateOnly); day != l.day {
		l.day, l.spent = day, map[string]Usage{}
	}
	after := l.spent[site].Add(most)
	if after.Tokens() > l.Tokens || after.Nanos > l.Nanos {
		return nil, fmt.Errorf("the budget of site %q for %s does not cover another request", site, l.day)
	}
	l.spent[site] = after
	day := l.day
	return func(_ context.Context, used Usage) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.day == day {
			l.spent[site] = l.spent[site].Add(used).minus(most)
		}
	}, nil
}

// Spent is what a site has used or reserved on the current day.
func (l *Ledger) Spent(site string) Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spent[site]
}

func (u Usage) minus(v Usage) Usage {
	return Usage{
		Requests: u.Requests - v.Requests, Input: u.Input - v.Input, CachedInput: u.CachedInput - v.CachedInput,
		Output: u.Output - v.Output, Nanos: u.Nanos - v.Nanos,
	}
}

// most bounds what a request can cost. A token is at least one byte in every
// tokenizer in use, and two in any that knows the language; templates add a few
// tokens a message.
func (c *Client) most(req openai.ChatCompletionRequest) Usage {
	output := req.MaxCompletionTokens + req.MaxTokens //nolint:staticcheck // one of them is zero

	// A server may count the schema as input.
	const schema = 128
	u := Usage{Requests: 1, Input: schema, Output: int64(output)}
	for _, message := range req.Messages {
		u.Input += int64(len(message.Content))/2 + 16
	}
	u.Nanos = c.price.of(u)
	return u
}

// used is what a completion says it cost, or most if it does not say.
func (c *Client) used(reported openai.Usage, most Usage) Usage {
	if reported.PromptTokens <= 0 || reported.CompletionTokens < 0 {
		return most
	}
	u := Usage{Requests: 1, Input: int64(reported.PromptTokens), Output: int64(reported.CompletionTokens)}
	if details := reported.PromptTokensDetails; details != nil {
		u.CachedInput = min(max(int64(details.CachedTokens), 0), u.Input)
	}
	u.Nanos = c.price.of(u)
	return u
}
