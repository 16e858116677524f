package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tallyman/api"
	"tallyman/features"
	"tallyman/jobs"
	"tallyman/llm"
	"tallyman/llm/llmtest"
	"tallyman/scoring"
	"tallyman/store"
	"tallyman/store/storetest"
	"tallyman/triage"
)

// office is a service that takes tickets.
type office struct {
	t    *testing.T
	db   *store.DB
	desk *triage.Desk
	api  http.Handler
	key  string
	next atomic.Int64
}

func openOffice(t *testing.T) *office {
	t.Helper()
	return openOfficeOf(t, storetest.DB(t), triage.NewDesk(triage.DefaultTaxonomy(), true))
}

func openOfficeOf(t *testing.T, db *store.DB, desk *triage.Desk) *office {
	t.Helper()
	o := &office{t: t, db: db, desk: desk}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	o.api = api.New(o.db, scoring.NewEngine(features.NewState()), o.desk, time.Now, log)
	var err error
	if o.key, _, err = o.db.CreateKey(t.Context(), store.APIKey{Name: "test", Env: "test", Scopes: store.Scopes}, time.Hour); err != nil {
		t.Fatal(err)
	}
	return o
}

// post sends a ticket and returns its id.
func (o *office) post(t *testing.T, text string) store.TicketID {
	t.Helper()
	body, err := json.Marshal(map[string]string{"site": "DC-1", "text": text})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/tickets", strings.NewReader(string(body)))
	r.Header.Set("Authorization", "Bearer "+o.key)
	r.Header.Set("Idempotency-Key", fmt.Sprint("k", o.next.Add(1)))
	w := httptest.NewRecorder()
	o.api.ServeHTTP(w, r)
	var made struct{ ID store.TicketID }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusOK {
		t.Fatalf("answer %d %s", w.Code, w.Body)
	}
	return made.ID
}

func (o *office) ticket(t *testing.T, id store.TicketID) store.TicketView {
	t.Helper()
	v, err := o.db.TicketView(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func clientOf(t *testing.T, s *llmtest.Server, reserve llm.Reserve) *llm.Client {
	t.Helper()
	c, err := llm.New(llm.Config{
		BaseURL: s.URL, Model: "model-1", RequestsPerMinute: 60_000, Concurrency: 8, Reserve: reserve, Price: llm.Price{Input: 100, CachedInput: 10, Output: 500},
		Now: time.Now, Rand: rand.NewPCG(1, 2), Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// saysShort answers with the code that stands for what was received short.
func saysShort(w http.ResponseWriter, r *http.Request, req llmtest.Request) {
	llmtest.Model{Pick: func(_ string, codes []string) string {
		for _, m := range req.Messages {
			for line := range strings.Lines(m.Content) {
				var offered struct {
					Codes []struct{ Code, Means string }
				}
				if json.Unmarshal([]byte(line), &offered) != nil {
					continue
				}
				for _, c := range offered.Codes {
					if strings.HasPrefix(c.Means, "Received short") {
						return c.Code
					}
				}
			}
		}
		return codes[len(codes)-1]
	}}.Reply(w, r, req)
}

// unsure is a ticket that the embedded model leaves to others.
const unsure = "ASN says 18 cartons, only 16 on the pallet, driver signed"

func (o *office) see(name string, s *llmtest.Server, id store.TicketID) {
	t, client, now := o.t, clientOf(o.t, s, nil), time.Now()
	for tries := 1; ; tries++ {
		again, err := jobs.Ask(t.Context(), o.db, o.desk, client, id, now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if !again {
			break
		}
		if tries == 3 {
			t.Errorf("%s: still tried again after %d times", name, tries)
			return
		}
		now = now.Add(time.Duration(tries) * 6 * time.Minute) // 12 minutes end it
	}
	v := o.ticket(t, id)
	switch {
	case v.Status != store.TicketOpen, v.Asking != store.AskAnswer && v.Asking != store.AskedNoUse:
		t.Errorf("%s: the ticket is %s, asking %s", name, v.Status, v.Asking)
	case v.Current.Path != store.ByLLM && v.Current.Label != "unclear":
		t.Errorf("%s: label %s by %s", name, v.Current.Label, v.Current.Path)
	case v.Asking == store.AskedNoUse && (len(v.Events) != 1 || v.Events[0].Detail == ""):
		t.Errorf("%s: the history does not say why: %+v", name, v.Events)
	}
	for _, a := range v.Asks {
		if a.Reason == "" || a.SettledAt == nil {
			t.Errorf("%s: an ask is not settled: %+v", name, a)
		}
	}
}

func (o *office) supervisor(login, name string) store.By {
	o.t.Helper()
	id := storetest.Person(o.t, o.db, login, name)
	storetest.Grant(o.t, o.db, id, "DC-1", "supervisor")
	return store.By{Person: id, Session: "test"}
}
