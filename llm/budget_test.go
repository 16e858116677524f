package llm_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tallyman/llm"
	"tallyman/llm/llmtest"
)

func TestBudgetHoldsToOneRequestUnderConcurrency(t *testing.T) {
	for _, reply := range []llmtest.Misbehaviour{
		{Name: "answers", Reply: llmtest.Model{}.Reply},
		{Name: "answers that are always repaired", Reply: llmtest.Answer("prose")},
	} {
		t.Run(reply.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := llmtest.InMemory(t, reply.Reply)
				ledger := &llm.Ledger{Tokens: 10_000, Nanos: 1 << 60, Now: time.Now}
				cfg := config(s)
				cfg.Reserve, cfg.Price, cfg.Concurrency = ledger.Reserve, llm.Price{Input: 100, CachedInput: 10, Output: 500}, 16
				c := client(t, cfg)
				var wait sync.WaitGroup
				refused := make(chan error, 200)
				for n := range 200 {
					wait.Go(func() {
						if _, err := c.Choose(t.Context(), numbered(n)); reasonOf(t, err) == llm.ReasonBudget {
							refused <- err
						}
					})
				}
				wait.Wait()
				const each, most = 220, 2500 // tokens a request: as replied, and at most as reserved
				spent := ledger.Spent("north")
				if spent.Tokens() != int64(len(s.Requests())*each) || spent.Nanos != spent.Requests*(100*100+100*10+20*500) {
					t.Errorf("the ledger has %+v after %d requests of %d tokens", spent, len(s.Requests()), each)
				}
				if spent.Tokens() > ledger.Tokens || len(refused) == 0 {
					t.Errorf("spent %d of %d tokens, refused %d", spent.Tokens(), ledger.Tokens, len(refused))
				}
				for n := 200; n < 400; n++ { // one at a time, until not even one fits
					if _, err := c.Choose(t.Context(), numbered(n)); reasonOf(t, err) == llm.ReasonBudget {
						break
					}
				}
				if left := ledger.Tokens - ledger.Spent("north").Tokens(); left < 0 || left > most {
					t.Errorf("%d tokens are left, want less than one request", left)
				}
				other := numbered(1)
				other.Site = "south"
				if _, err := c.Choose(t.Context(), other); reasonOf(t, err) == llm.ReasonBudget {
					t.Error("another site pays for this one")
				}
				time.Sleep(24 * time.Hour)
				if _, err := c.Choose(t.Context(), numbered(999)); reasonOf(t, err) == llm.ReasonBudget {
					t.Error("the next day has no budget of its own")
				}
			})
		})
	}
}

func TestAMoneyBudgetHolds(t *testing.T) {
	ledger := &llm.Ledger{Tokens: 1 << 40, Nanos: 1000, Now: time.Now}
	if _, err := ledger.Reserve(t.Context(), "north", llm.Usage{Nanos: 1001}); err == nil {
		t.Error("1001 of 1000 were reserved")
	}
	if _, err := ledger.Reserve(t.Context(), "north", llm.Usage{Nanos: 1000}); err != nil {
		t.Error(err)
	}
}

func TestWhatWasRefusedIsFreeAndWhatBrokeIsNot(t *testing.T) {
	for name, test := range map[string]struct {
		reply llmtest.Reply
		free  bool
	}{
		"400":     {llmtest.Status(400, ""), true},
		"500":     {llmtest.Status(500, ""), true},
		"hanging": {llmtest.Hang, false},
		"reset":   {llmtest.Reset, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := llmtest.InMemory(t, test.reply)
			ledger := &llm.Ledger{Tokens: 1 << 40, Now: time.Now}
			cfg := config(s)
			cfg.Reserve = ledger.Reserve
			_, err := client(t, cfg).Choose(t.Context(), prompt())
			if spent := ledger.Spent("north"); (spent == llm.Usage{}) != test.free {
				t.Errorf("%s: spent %+v after %v", name, spent, err)
			}
		})
	}
	s := llmtest.New(t, llmtest.Hang)
	errDown := errors.New("the database is down")
	cfg := config(s)
	cfg.Transport = nil
	cfg.BaseURL = "http://127.0.0.1:1/v1"
	ledger := &llm.Ledger{Tokens: 1 << 40, Now: time.Now}
	cfg.Reserve = ledger.Reserve
	cfg.Sleep = noSleep
	if _, err := client(t, cfg).Choose(t.Context(), prompt()); reasonOf(t, err) != llm.ReasonNetwork || ledger.Spent("north") != (llm.Usage{}) {
		t.Errorf("nobody listens, and %+v was spent: %v", ledger.Spent("north"), err)
	}
	cfg.Reserve = failing(errDown)
	if _, err := client(t, cfg).Choose(t.Context(), prompt()); reasonOf(t, err) != llm.ReasonBudget || !errors.Is(err, errDown) {
		t.Errorf("a budget that cannot be read: %v", err)
	}
}
