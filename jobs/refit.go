package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"tallyman/fixtures"
	"tallyman/guardrails"
	"tallyman/store"
	"tallyman/triage"
)

// Refit settings.
const (
	taughtFor    = 2 * 365 * 24 * time.Hour // labels of people that are learned from
	enoughTaught = 60                       // of them, after the caps
	heldShare    = 0.3                      // of them, the newest, that models are compared on
	refitTime    = 30 * time.Minute
)

// RefitReport says what a refit saw and decided.
type RefitReport struct {
	Taught  int               `json:"labels_of_people"`
	Kept    int               `json:"kept"` // after the caps
	Contest triage.Contest    `json:"contest"`
	Outcome string            `json:"outcome"` // in words
	Step    guardrails.StepID `json:"step,omitempty"`
}

// Basis is what every model of a taxonomy learns from before people say
// anything, and how.
type Basis struct {
	Examples []triage.Example
	Settings triage.Settings
}

// Corpus is the basis of the default taxonomy: synthetic tickets that come with
// the program.
func Corpus(threads int) Basis {
	b := Basis{Settings: triage.DefaultSettings()}
	for _, t := range fixtures.Tickets() {
		b.Examples = append(b.Examples, triage.Example(t))
	}
	b.Settings.Lexicon, b.Settings.Threads = triage.DefaultLexicon(), threads
	return b
}

// Lessons are the labels of people that may teach a model.
func Lessons(taught []store.Taught) []triage.Lesson {
	lessons := make([]triage.Lesson, len(taught))
	for i, t := range taught {
		lessons[i] = triage.Lesson{Text: t.Text, Label: t.Label, Reporter: t.Reporter, Teacher: int64(t.Person)}
	}
	return lessons
}

// Refit fits the model of a desk anew to a basis and to what people said, and
// compares it with the one in force on the newest of their labels. One that is
// better beyond chance becomes the proposal to put it in force, for people to
// decide. The comparison leans towards the model in force, which may have
// learned from some of those labels.
func Refit(ctx context.Context, db *store.DB, desk *triage.Desk, basis Basis, now time.Time) (RefitReport, error) {
	taught, err := db.Taught(ctx, desk.Taxonomy, now.Add(-taughtFor))
	if err != nil {
		return RefitReport{}, err
	}
	champion := desk.Model()
	lessons := Lessons(taught)
	var kept []triage.Example
	for _, i := range triage.Curate(champion, lessons) {
		kept = append(kept, triage.Example{Text: lessons[i].Text, Label: lessons[i].Label})
	}
	r := RefitReport{Taught: len(lessons), Kept: len(kept)}
	if len(kept) < enoughTaught {
		r.Outcome = "too few labels of people to learn from"
		return r, nil
	}
	cut := len(kept) - int(heldShare*float64(len(kept)))
	challenger, err := triage.Train(ctx, concat(basis.Examples, kept[:cut]), basis.Settings, nil)
	if err != nil {
		return r, err
	}
	held := unlike(challenger, kept[:cut], kept[cut:])
	if r.Contest = triage.Compare(champion, challenger, held); !r.Contest.Better() {
		r.Outcome = "the model in force stays: the new one is not better beyond chance"
		return r, nil
	}
	final, err := triage.Train(ctx, concat(basis.Examples, kept), basis.Settings, nil)
	if err != nil {
		return r, err
	}
	return r, propose(ctx, db, desk.Taxonomy, final, basis.Settings, &r, taught[0].At, now)
}

func concat(a, b []triage.Example) []triage.Example {
	return append(append(make([]triage.Example, 0, len(a)+len(b)), a...), b...)
}

// unlike keeps the texts that are no near-duplicates of those learned.
func unlike(m *triage.Model, learned, texts []triage.Example) []triage.Example {
	index := triage.NewIndex[int](m)
	for i, e := range learned {
		index.Add(i, e.Text)
	}
	var kept []triage.Example
	for _, e := range texts {
		if len(index.Nearest(e.Text, 1, triage.NearDuplicate)) == 0 {
			kept = append(kept, e)
		}
	}
	return kept
}

// propose registers a model and makes the step that puts it in force.
func propose(ctx context.Context, db *store.DB, t *triage.Taxonomy, m *triage.Model, s triage.Settings, r *RefitReport, from, now time.Time) error {
	var file bytes.Buffer
	if err := m.Write(&file); err != nil {
		return err
	}
	r.Outcome = "proposed: people decide whether it comes into force"
	report, err := json.Marshal(r)
	if err != nil {
		return err
	}
	refitted := store.Refitted{Artifact: file.Bytes(), From: from, Until: now, Settings: s, Report: report}
	step, err := db.ProposeTicketModel(ctx, t, &refitted, now)
	if errors.Is(err, store.ErrStepLive) {
		r.Outcome = "an earlier one is approved and about to come into force: the next night tries again"
		return nil
	}
	r.Step = step.ID
	return err
}

type refitWorker struct {
	river.WorkerDefaults[store.RefitArgs]
	db    *store.DB
	desk  *triage.Desk
	basis Basis
	clock func() time.Time
	log   *slog.Logger
}

// Timeout is longer than that of other jobs.
func (*refitWorker) Timeout(*river.Job[store.RefitArgs]) time.Duration { return refitTime }

// Work fits the model anew.
func (w *refitWorker) Work(ctx context.Context, _ *river.Job[store.RefitArgs]) error {
	r, err := Refit(ctx, w.db, w.desk, w.basis, w.clock())
	if err == nil {
		w.log.Info("refit of tickets", slog.Int("labels_of_people", r.Taught), slog.Int("kept", r.Kept), slog.String("outcome", r.Outcome))
	}
	return err
}
