package main

import (
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"tallyman/jobs"
	"tallyman/llm"
	"tallyman/store"
)

// languageModel says which language model may be asked about tickets that the
// embedded model is unsure of.
type languageModel struct {
	LLMBaseURL string `name:"llm-base-url" env:"TALLYMAN_LLM_BASE_URL" placeholder:"URL" help:"OpenAI-compatible server to ask about unclear tickets, such as http://localhost:11434/v1; none when not given."`
	LLMAPIKey  string `name:"llm-api-key" env:"TALLYMAN_LLM_API_KEY" placeholder:"KEY" help:"Its key; better given by the environment."`
	LLMModel   string `name:"llm-model" env:"TALLYMAN_LLM_MODEL" placeholder:"NAME" help:"Model to ask; on Azure the name of the deployment."`
	LLMBudget  string `name:"llm-budget" env:"TALLYMAN_LLM_BUDGET" default:"2000000" placeholder:"TOKENS[:MONEY:PRICES]" help:"For each site and day (UTC): tokens and, with prices of a million tokens in, cached and out, money: 2000000:5.00:0.10/0.01/0.50 (${default})."`
}

// budgeted returns who is asked about unclear tickets, nil when no server is
// given.
func (l *languageModel) budgeted(db *store.DB, log *slog.Logger) (*llm.Client, error) {
	if l.LLMBaseURL == "" {
		return nil, nil
	}
	budget, price, err := parseBudget(l.LLMBudget)
	if err != nil {
		return nil, err
	}
	return l.client(price, jobs.Budget(db, budget, log))
}

func (l *languageModel) client(price llm.Price, reserve llm.Reserve) (*llm.Client, error) {
	var seed [32]byte
	_, _ = cryptorand.Read(seed[:]) // never fails
	return llm.New(llm.Config{
		BaseURL: l.LLMBaseURL, APIKey: l.LLMAPIKey, Model: l.LLMModel, Price: price, Reserve: reserve,
		Now: time.Now, Rand: rand.NewChaCha8(seed),
	})
}

// parseBudget reads TOKENS or TOKENS:MONEY:IN/CACHED/OUT, money and prices in one
// currency, prices of a million tokens.
func parseBudget(text string) (store.Spend, llm.Price, error) {
	refuse := func(why string) (store.Spend, llm.Price, error) {
		return store.Spend{}, llm.Price{}, fmt.Errorf("--llm-budget %q: %s; want TOKENS or TOKENS:MONEY:IN/CACHED/OUT, such as 2000000:5.00:0.10/0.01/0.50", text, why)
	}
	parts := strings.Split(text, ":")
	tokens, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || tokens <= 0 {
		return refuse("the tokens are no number above zero")
	}
	if len(parts) == 1 {
		return store.Spend{Tokens: tokens}, llm.Price{}, nil
	}
	if len(parts) != 3 {
		return refuse("money needs prices")
	}
	money, err := amountOf(parts[1], 1e9)
	if err != nil {
		return refuse("the money is " + err.Error())
	}
	prices := strings.Split(parts[2], "/")
	if len(prices) != 3 {
		return refuse("there must be three prices")
	}
	var nanos [3]int64
	for i, p := range prices {
		if nanos[i], err = amountOf(p, 1e3); err != nil { // a million tokens, in billionths
			return refuse("a price is " + err.Error())
		}
	}
	return store.Spend{Tokens: tokens, Nanos: money}, llm.Price{Input: nanos[0], CachedInput: nanos[1], Output: nanos[2]}, nil
}

func amountOf(text string, scale float64) (int64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0 && x <= 1e6) {
		return 0, errors.New("no amount from 0 to 1000000")
	}
	return int64(math.Round(x * scale)), nil
}
