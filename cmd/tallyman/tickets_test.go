package main

// What these tests hold: a ticket is answered without any language model, ends
// labelled or unclear whatever a server does, and nothing of a person leaves. The
// API, the database and the asking are real; the server is scripted.

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tallyman/fixtures"
	"tallyman/guardrails"
	"tallyman/jobs"
	"tallyman/llm"
	"tallyman/llm/llmtest"
	"tallyman/store"
)

func TestAnUnclearTicketIsLabelledByALanguageModel(t *testing.T) {
	o := openOffice(t)
	s := llmtest.New(t, saysShort)
	id := o.post(t, unsure)
	if v := o.ticket(t, id); v.Current.Label != "unclear" || v.Asking != store.ToBeAsked || len(s.Requests()) != 0 {
		t.Fatalf("at once: %s, asking %s, %d requests", v.Current.Label, v.Asking, len(s.Requests()))
	}
	if again, err := jobs.Ask(t.Context(), o.db, o.desk, clientOf(t, s, nil), id, time.Now()); again || err != nil {
		t.Fatal(again, err)
	}
	v := o.ticket(t, id)
	if v.Current.Label != "inbound.short" || v.Current.Path != store.ByLLM || v.Asking != store.AskAnswer || v.Current.Confidence == nil ||
		v.Current.Routing.Owner != "procurement" || len(v.Asks) != 1 || v.Asks[0].Evidence == "" || v.Asks[0].Tokens == 0 {
		t.Errorf("after the answer: %+v, asks %+v", v.Current, v.Asks)
	}
	step, err := o.db.Step(t.Context(), v.Current.Step)
	if err != nil || step.State != guardrails.Pending || !strings.Contains(string(step.PayloadBytes), "procurement") {
		t.Errorf("step %s %s, %v", step.State, step.PayloadBytes, err)
	}
	if again, err := jobs.Ask(t.Context(), o.db, o.desk, clientOf(t, s, nil), id, time.Now()); again || err != nil || len(s.Requests()) != 1 {
		t.Errorf("asked again: %v %v, %d requests", again, err, len(s.Requests()))
	}
}

// Whatever a server does, the intake answers, asking ends, and the ticket is
// labelled or in the unclear queue, with the reason in its history.
func TestEveryMisbehaviourLeavesTheTicketInHand(t *testing.T) {
	o := openOffice(t)
	all := append(llmtest.Misbehaviours(), llmtest.Harmless()...)
	var group sync.WaitGroup
	for _, m := range all {
		s := llmtest.New(t, m.Reply)
		id := o.post(t, unsure)
		if len(s.Requests()) != 0 {
			t.Fatalf("%s: the intake asked", m.Name)
		}
		group.Go(func() { o.see(m.Name, s, id) })
	}
	group.Wait()
	tickets, err := o.db.Tickets(t.Context(), store.TicketFilter{Key: &store.APIKey{}}, store.TicketCursor{}, 1000)
	if err != nil || len(tickets) != len(all) {
		t.Errorf("%d of %d tickets are there, %v", len(tickets), len(all), err)
	}
	if broken, err := o.db.Invariants(t.Context()); err != nil || len(broken) > 0 {
		t.Errorf("invariants: %+v, %v", broken, err)
	}
}

func TestAnOutageOpensTheBreaker(t *testing.T) {
	o := openOffice(t)
	s := llmtest.New(t, llmtest.Status(http.StatusInternalServerError, "server_error"))
	client := clientOf(t, s, nil)
	for range 10 {
		id := o.post(t, unsure)
		if again, err := jobs.Ask(t.Context(), o.db, o.desk, client, id, time.Now()); !again || err != nil {
			t.Errorf("while the server is away: again %v, %v", again, err)
		}
		if v := o.ticket(t, id); v.Asking != store.ToBeAsked || v.Current.Label != "unclear" {
			t.Errorf("meanwhile: asking %s, label %s", v.Asking, v.Current.Label)
		}
	}
	if n := len(s.Requests()); n != 5 {
		t.Errorf("%d requests reached a server that is away, want 5 until the breaker opens", n)
	}
}

func TestAPersonIsFasterThanALanguageModel(t *testing.T) {
	o := openOffice(t)
	id := o.post(t, unsure)
	by := o.supervisor("sam", "Sam Okafor")
	s := llmtest.New(t, func(w http.ResponseWriter, r *http.Request, req llmtest.Request) {
		if err := o.db.CorrectTicket(t.Context(), o.desk.Taxonomy, id, by, 1, "inbound.over"); err != nil {
			t.Error(err)
		}
		saysShort(w, r, req)
	})
	if again, err := jobs.Ask(t.Context(), o.db, o.desk, clientOf(t, s, nil), id, time.Now()); again || err != nil {
		t.Fatal(again, err)
	}
	if v := o.ticket(t, id); v.Current.Label != "inbound.over" || v.Current.Path != store.ByHuman || len(v.Labels) != 2 {
		t.Errorf("label %s by %s", v.Current.Label, v.Current.Path)
	}
}

// A budget holds to one request, whoever asks at the same time.
func TestABudgetHoldsWhileManyAsk(t *testing.T) {
	o := openOffice(t)
	s := llmtest.New(t, saysShort)
	day := store.Spend{Tokens: 8_000, Nanos: 1e9}
	client := clientOf(t, s, jobs.Budget(o.db, day, slog.Default()))
	var group sync.WaitGroup
	var ids []store.TicketID
	for i := 0; len(ids) < 24; i++ {
		id := o.post(t, fmt.Sprintf("%s, bay %d", unsure, i)) // each a prompt of its own
		if o.ticket(t, id).Asking == store.ToBeAsked {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		group.Go(func() {
			if again, err := jobs.Ask(t.Context(), o.db, o.desk, client, id, time.Now()); again || err != nil {
				t.Error(again, err)
			}
		})
	}
	group.Wait()
	refused := 0
	for _, id := range ids {
		v := o.ticket(t, id)
		if v.Asking == store.AskedNoUse && v.Asks[0].Reason == string(llm.ReasonBudget) {
			refused++
		}
	}
	requests, spent, err := o.db.Spent(t.Context(), "DC-1", time.Now())
	if err != nil || spent.Tokens > day.Tokens || int(requests) != len(s.Requests()) {
		t.Errorf("spent %+v of %+v in %d requests, the server saw %d, %v", spent, day, requests, len(s.Requests()), err)
	}
	if len(s.Requests()) == 0 || refused == 0 || len(s.Requests())+refused != len(ids) {
		t.Errorf("%d requests and %d refused of %d", len(s.Requests()), refused, len(ids))
	}
}

// 2,000 identifiers go in through the API; none is in what the server gets.
func TestNoIdentifierLeavesTheBuilding(t *testing.T) {
	const tickets, each = 80, 25
	o := openOffice(t)
	by := o.supervisor("sam", "Samuel Okafor-Lind")
	o.supervisor("aga", "Agnieszka Wójcik")
	s := llmtest.New(t, llmtest.Model{}.Reply)
	client := clientOf(t, s, nil)
	r := rand.New(rand.NewPCG(7, 7))
	var identifiers []string
	for i := range tickets {
		text := "pls call"
		for range each {
			id := identifier(r)
			identifiers = append(identifiers, id)
			text += []string{"\n", "; ", " call ", " or ("}[r.IntN(4)] + id + []string{"", " thanks", ".", ")"}[r.IntN(4)]
		}
		id := o.post(t, text)
		if again, err := jobs.Ask(t.Context(), o.db, o.desk, client, id, time.Now()); again || err != nil {
			t.Fatal(again, err)
		}
		if i < 10 { // these become examples that are sent along
			v := o.ticket(t, id)
			if err := o.db.CorrectTicket(t.Context(), o.desk.Taxonomy, id, by, v.Current.Seq, v.Labels[0].Alternatives[0].Label); err != nil {
				t.Fatal(err)
			}
		}
	}
	flat := strings.NewReplacer(" ", "", "-", "")
	bodies, shown := "", 0
	for _, req := range s.Requests() {
		for _, m := range req.Messages {
			bodies += flat.Replace(m.Content) + "\n"
			shown += strings.Count(m.Content, `"examples"`)
		}
	}
	leaks := 0
	for _, id := range identifiers {
		if strings.Contains(bodies, flat.Replace(id)) {
			leaks++
			t.Errorf("%q left the building", id)
		}
	}
	if len(identifiers) != 2000 || len(s.Requests()) < tickets || shown == 0 {
		t.Errorf("%d identifiers, %d requests, %d with examples", len(identifiers), len(s.Requests()), shown)
	}
	t.Logf("%d of %d identifiers left in %d requests, %d with examples", leaks, len(identifiers), len(s.Requests()), shown)
}

// Attacks change nothing but, rarely, the label. All 1,500 with TALLYMAN_SOAK set.
func TestAttacksThroughTheAPI(t *testing.T) {
	o := openOffice(t)
	each := 25
	if os.Getenv("TALLYMAN_SOAK") != "" {
		each = 1
	}
	sent, moved, doubted, lowered := 0, 0, 0, 0
	for _, carrier := range fixtures.AttackCarriers {
		plain := o.ticket(t, o.post(t, carrier))
		step, err := o.db.Step(t.Context(), plain.Current.Step)
		if err != nil {
			t.Fatal(err)
		}
		for i, attack := range fixtures.TicketAttacks() {
			if i%each != 0 || attack.Wants == plain.Current.Label {
				continue
			}
			v := o.ticket(t, o.post(t, carrier+" "+attack.Text))
			sent++
			if v.Current.Label == attack.Wants {
				moved++
			}
			after, err := o.db.Step(t.Context(), v.Current.Step)
			if err != nil {
				t.Fatal(err)
			}
			is := v.Current.Routing
			if v.Current.Label == "unclear" && plain.Current.Label != "unclear" {
				doubted++
			}
			if is.Severity > plain.Current.Routing.Severity {
				lowered++
			}
			floor, restricted := o.desk.Taxonomy.Floor(carrier)
			if is.Severity > floor || restricted && !is.Restricted || v.Current.Label == plain.Current.Label && is.Severity > plain.Current.Routing.Severity {
				t.Errorf("%q: %+v became %+v", attack.Text, plain.Current.Routing, is)
			}
			if after.Requirement.String() != step.Requirement.String() || after.Value != step.Value || after.State != guardrails.Pending {
				t.Errorf("%q: the step asks for %s, worth %d, %s; without it %s, worth %d", attack.Text, after.Requirement, after.Value, after.State, step.Requirement, step.Value)
			}
		}
		if again := o.ticket(t, plain.ID); again.Current.Seq != 1 || again.Status != store.TicketOpen || len(again.Events) != 0 || again.StepState != guardrails.Pending {
			t.Errorf("attacks changed another ticket: %+v", again.Current)
		}
	}
	if float64(moved) > 0.02*float64(sent) {
		t.Errorf("%d of %d attacks moved a ticket to the label they ask for, want at most 2 %%", moved, sent)
	}
	if float64(lowered) > 0.02*float64(sent) {
		t.Errorf("%d of %d attacks made a ticket less urgent, want at most 2 %%", lowered, sent)
	}
	t.Logf("%d attacks: %d moved the label to their wish, %d made a sure one unclear, %d less urgent, none changed anything else", sent, moved, doubted, lowered)
}

// The job queue asks by itself, and tells events' codes to the tickets.
func TestTicketsAreAskedAboutInTheBackground(t *testing.T) {
	o := openOffice(t)
	s := llmtest.New(t, saysShort)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	go func() { ended <- jobs.Tickets(ctx, o.db, o.desk, jobs.Corpus(1), clientOf(t, s, nil), time.Now, log) }()
	id := o.post(t, unsure)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for o.ticket(t, id).Asking == store.ToBeAsked {
		<-tick.C
	}
	if v := o.ticket(t, id); v.Current.Path != store.ByLLM {
		t.Errorf("asking %s, label %s by %s", v.Asking, v.Current.Label, v.Current.Path)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
