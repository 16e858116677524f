package jobs

import (
	"context"
	"errors"
	"slices"
	"time"

	"tallyman/llm"
	"tallyman/store"
	"tallyman/triage"
)

// Asking settings.
const (
	askFor     = 10 * time.Minute // from the ticket's receipt: after that people have it in hand
	askAgain   = 20 * time.Second // between two tries while a server is away
	compared   = 64               // tickets that examples are taken from
	alike      = 0.15             // similarity that an example has at least
	perPerson  = 2                // examples of one reporter
	perNobody  = 4                // and of reporters that nobody named
	calibrated = 2000             // newest answers that people judged
)

// Reasons of ours for which a model is not asked.
const (
	notConfigured = "not_configured"
	overtaken     = "overtaken"    // a person, or a merge, was faster
	noShortlist   = "no_shortlist" // the embedded model has nothing to choose from
	notReserved   = "not_reserved" // the budget could not be asked
)

// Ask asks a language model about a ticket that waits for it, and settles what
// came of it. It returns whether to try again later. The ticket stays in the
// unclear queue unless the answer is sure enough; client may be nil.
func Ask(ctx context.Context, db *store.DB, desk *triage.Desk, client *llm.Client, id store.TicketID, now time.Time) (again bool, err error) {
	t, err := db.Ticket(ctx, id)
	if err != nil || t.Asking != store.ToBeAsked {
		return false, err
	}
	stop := func(reason string) (bool, error) {
		return false, db.SettleAsk(ctx, desk.Taxonomy, id, &store.TicketAsk{Reason: reason}, nil, true)
	}
	switch {
	case client == nil:
		return stop(notConfigured)
	case t.Status != store.TicketOpen || t.Current.Path != store.ByEmbedded:
		return stop(overtaken)
	}
	q, err := pose(ctx, db, desk, &t)
	if err != nil {
		return false, err
	}
	if len(q.Shortlist) == 0 {
		return stop(noShortlist)
	}
	if err := db.BeginAsk(ctx, id, &q.ask); err != nil {
		return false, err
	}
	answer, err := client.Choose(ctx, q.Prompt)
	if err != nil {
		return giveUp(ctx, db, desk, &t, &q.ask, err, now)
	}
	label, err := q.settle(ctx, db, &t, &answer)
	if err != nil {
		return false, err
	}
	return false, db.SettleAsk(ctx, desk.Taxonomy, id, &q.ask, label, true)
}

// question is what is asked of a ticket, and what is known beside the answer.
type question struct {
	triage.Question
	ask      store.TicketAsk
	redacted triage.Redacted
	shown    []store.SimilarTicket
}

// pose makes the question: redacted text, likeliest labels, and tickets like it
// that people labelled, redacted too.
func pose(ctx context.Context, db *store.DB, desk *triage.Desk, t *store.Ticket) (*question, error) {
	names, err := db.Names(ctx, t.Site)
	if err != nil {
		return nil, err
	}
	redactor := triage.NewRedactor(names)
	q := &question{redacted: redactor.Redact(t.Text)}
	if q.shown, err = examples(ctx, db, desk, t); err != nil {
		return nil, err
	}
	ids := make([]store.TicketID, len(q.shown))
	for i := range q.shown {
		ids[i] = q.shown[i].ID
	}
	texts, err := db.TicketTexts(ctx, ids)
	if err != nil {
		return nil, err
	}
	var shown []triage.Shown
	for i := range q.shown {
		shown = append(shown, triage.Shown{Text: redactor.Redact(texts[q.shown[i].ID]).Text, Label: q.shown[i].Label})
		q.ask.Examples = append(q.ask.Examples, string(q.shown[i].ID))
	}
	guesses := append([]triage.Choice{{Label: t.Current.Label}}, t.Current.Alternatives...)
	q.Question = desk.Taxonomy.Ask(string(t.Site), q.redacted.Text, guesses, shown)
	q.ask.Sent, q.ask.Shortlist, q.ask.Replaced = q.Prompt.Text, q.Shortlist, len(q.redacted.Originals)
	return q, nil
}

// examples are tickets of the site that people labelled, the likest first: few
// of one reporter, so that nobody alone teaches the model, and none restricted.
func examples(ctx context.Context, db *store.DB, desk *triage.Desk, t *store.Ticket) ([]store.SimilarTicket, error) {
	near, err := db.Remember(ctx, desk.Memory(t.Site), t.Site, t.Text, compared, alike)
	if err != nil {
		return nil, err
	}
	labels := []string{}
	for _, a := range t.Current.Alternatives {
		labels = append(labels, a.Label)
	}
	by := map[string]int{}
	var kept []store.SimilarTicket
	for _, n := range near {
		most := perPerson
		if n.Reporter == "" {
			most = perNobody
		}
		if !n.Human || n.Restricted || n.ID == t.ID || by[n.Reporter] == most || !slices.Contains(labels, n.Label) || len(kept) == triage.MaxShown {
			continue
		}
		by[n.Reporter]++
		kept = append(kept, n)
	}
	return kept, nil
}

// settle turns an answer into a label, nil when it is not sure enough.
func (q *question) settle(ctx context.Context, db *store.DB, t *store.Ticket, a *llm.Answer) (*store.TicketLabel, error) {
	label := q.LabelOf(a.Code)
	q.ask.Reason, q.ask.Model, q.ask.Fingerprint, q.ask.PromptHash = store.Answered, a.Model, a.Fingerprint, a.PromptHash
	q.ask.Path, q.ask.Evidence = string(a.Path), q.redacted.Restore(a.Evidence)
	q.ask.Tokens, q.ask.Nanos = a.Usage.Tokens(), a.Usage.Nanos
	hints := q.hints(t, a, label)
	if hints.CodeP > 0 {
		q.ask.CodeP = &hints.CodeP
	}
	score := hints.Score()
	q.ask.Score = &score
	if !slices.Contains(q.Shortlist, label) {
		return nil, nil // none of the shortlist
	}
	q.ask.Label = label
	judged, err := db.AskOutcomes(ctx, calibrated)
	if err != nil {
		return nil, err
	}
	calibration, err := triage.Calibrate(judged)
	if err != nil {
		return nil, err
	}
	p := calibration.Probability(score)
	if p < triage.AcceptLLM {
		return nil, nil
	}
	l := &store.TicketLabel{Label: label, Path: store.ByLLM, Confidence: &p, Stray: t.Current.Stray, Why: "the embedded model was not sure, and the language model is"}
	for _, other := range t.Current.Alternatives {
		if other.Label != label {
			l.Alternatives = append(l.Alternatives, other)
		}
	}
	return l, nil
}

func (q *question) hints(t *store.Ticket, a *llm.Answer, label string) triage.Hints {
	h := triage.Hints{CodeP: a.CodeProbs[a.Code], Offered: len(q.Shortlist), Shown: len(q.shown) > 0}
	for _, c := range t.Current.Alternatives {
		if c.Label == label {
			h.Embedded = c.P
		}
	}
	all := 0.0
	for i := range q.shown {
		all += q.shown[i].Similarity
		if q.shown[i].Label == label {
			h.Votes += q.shown[i].Similarity
		}
	}
	if all > 0 {
		h.Votes /= all
	}
	return h
}

// giveUp writes down why there is no answer. What may pass is tried again while
// the ticket is new; after that it is left to people.
func giveUp(ctx context.Context, db *store.DB, desk *triage.Desk, t *store.Ticket, a *store.TicketAsk, failed error, now time.Time) (again bool, err error) {
	var e *llm.Error
	if !errors.As(failed, &e) {
		return false, failed
	}
	a.Reason = string(e.Reason)
	if e.Reason == llm.ReasonBudget && !errors.Is(failed, store.ErrBudget) { // the database did not say, which is no verdict
		a.Reason = notReserved
		return false, errors.Join(failed, db.SettleAsk(context.WithoutCancel(ctx), desk.Taxonomy, t.ID, a, nil, false))
	}
	again = mayPass(e.Reason) && now.Sub(t.ReceivedAt) < askFor
	return again, db.SettleAsk(context.WithoutCancel(ctx), desk.Taxonomy, t.ID, a, nil, !again)
}

// mayPass says whether what went wrong is a matter of time.
func mayPass(r llm.Reason) bool {
	switch r {
	case llm.ReasonBreakerOpen, llm.ReasonCanceled, llm.ReasonTimeout, llm.ReasonNetwork, llm.ReasonRateLimited, llm.ReasonServer,
		llm.ReasonNotACompletion, llm.ReasonErrorInOK, llm.ReasonModelChanged, llm.ReasonTooLarge:
		return true
	case llm.ReasonPrompt, llm.ReasonBudget, llm.ReasonAuth, llm.ReasonNotFound, llm.ReasonRejected, llm.ReasonRedirect,
		llm.ReasonNoChoices, llm.ReasonTruncated, llm.ReasonFiltered, llm.ReasonUnfinished, llm.ReasonRefused,
		llm.ReasonMalformedAnswer, llm.ReasonCodeNotOffered, llm.ReasonEvidence:
		return false
	}
	return false
}
