package training

import (
	"context"
	"fmt"
	"time"

	"tallyman/features"
	"tallyman/models"
	"tallyman/scoring"
)

// Trained is a model fitted to a whole history, ready for the registry.
type Trained struct {
	Scorer   *scoring.Scorer
	Sample   Sample
	From     time.Time // of the examples
	Until    time.Time
	Settings []Choice // how each setting did on later slices; none for a size
}

// Train fits what answers the target on everything the facts tell: sorted
// facts of state's coder. For a position's variance the model of its size
// comes second. Too little to learn from is [ErrTooLittle].
func Train(ctx context.Context, state *features.State, facts []features.Fact, target Target, seed uint64, threads int) ([]Trained, error) {
	if err := target.Check(); err != nil {
		return nil, err
	}
	if len(facts) == 0 {
		return nil, fmt.Errorf("no events: %w", ErrTooLittle)
	}
	schema := state.WithAttrs(target.Subject, facts)
	examples, err := state.Empty().Replay(ctx, facts, &schema, threads)
	if err != nil {
		return nil, err
	}
	t := &table{schema: &schema}
	for i := range examples {
		if target.Outcome == scoring.Late && examples[i].Stage != features.AtNotice {
			continue
		}
		if l, ok := target.label(&examples[i]); ok {
			t.add(&examples[i], l)
		}
	}
	return fitAll(ctx, t, target, seed, threads)
}

// fitAll fits the target's model and, for a variance, that of its size.
func fitAll(ctx context.Context, t *table, target Target, seed uint64, threads int) ([]Trained, error) {
	model, choices, err := fit(ctx, t, target.Outcome, seed, threads)
	if err != nil {
		return nil, err
	}
	risk, err := t.trained(target.Outcome, model)
	if err != nil {
		return nil, err
	}
	risk.Settings = choices
	if target.Outcome != scoring.Variance {
		return []Trained{risk}, nil
	}
	model, err = fitSize(ctx, t, seed, threads)
	if err != nil {
		return nil, err
	}
	size, err := t.trained(scoring.Size, model)
	return []Trained{risk, size}, err
}

func (t *table) trained(outcome scoring.Outcome, m *models.Model) (Trained, error) {
	s, err := scoring.NewScorer(outcome, t.schema, m)
	if err != nil {
		return Trained{}, err
	}
	return Trained{
		Scorer: s, Sample: Sample{len(t.examples), t.positives()},
		From: t.examples[0].At, Until: t.examples[len(t.examples)-1].At,
	}, nil
}
