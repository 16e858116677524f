package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tallyman/features"
	"tallyman/models"
	"tallyman/scoring"
	"tallyman/warehouse"
)

// Fewest rows that a model is fitted to.
const (
	minExamples  = 200
	minPositives = 20
)

// ErrTooLittle says that there are not enough outcomes to learn from.
var ErrTooLittle = errors.New("too few outcomes to learn from")

// A Choice says how one setting did in cross-validation.
type Choice struct {
	Setting string   `json:"setting"`
	Trees   int      `json:"trees"`
	LogLoss float64  `json:"logloss"` // mean over the later slices
	AUC     *float64 `json:"auc"`     // nil where all of the slices came out the same
	Chosen  bool     `json:"chosen"`
}

// bags is the number of models with different seeds that are averaged into
// one.
const bags = 5

// fit chooses a setting by cross-validation over time inside the table, fits
// it to the whole table and calibrates it on the predictions made for the
// later slices.
func fit(ctx context.Context, t *table, outcome scoring.Outcome, seed uint64, threads int) (*models.Model, []Choice, error) {
	if len(t.examples) < minExamples || t.positives() < minPositives {
		return nil, nil, fmt.Errorf("%d examples with %d positive, want at least %d with %d: %w",
			len(t.examples), t.positives(), minExamples, minPositives, ErrTooLittle)
	}
	folds := t.folds()
	var choices []Choice
	var best *crossValidation
	for _, s := range settings(outcome, len(t.examples)) {
		s.params.Seed, s.params.Threads = seed, threads
		cv, err := validate(ctx, t, folds, s, outcome)
		if err != nil {
			return nil, nil, err
		}
		choices = append(choices, Choice{Setting: s.name, Trees: cv.trees, LogLoss: cv.loss, AUC: cv.auc()})
		if best == nil || cv.clearlyBeats(best) {
			best = cv
		}
		if cv.drift > maxDrift {
			break // a wider setting wins on slices by knowing how the rate moved then, and loses after them
		}
	}
	for i := range choices {
		choices[i].Chosen = choices[i].Setting == best.setting.name
	}
	model, err := best.refit(ctx, t, outcome)
	if err != nil {
		return nil, nil, err
	}
	if best.drift > maxDrift {
		// A calibration would learn how far models of the past lag behind, and
		// the model of the whole table has caught up already.
		return best.anchor(t, outcome, model), choices, nil
	}
	model.Calibrator, err = best.calibrator()
	return model, choices, err
}

// calibrator fits a beta calibration to the predictions for the later slices,
// where one fitted to the earlier two thirds of them made the last third truer.
func (cv *crossValidation) calibrator() (models.Calibrator, error) {
	cut := len(cv.y) * 2 / 3
	earlier, err := models.FitBeta(cv.margins[:cut], cv.y[:cut], nil)
	if err != nil {
		return nil, err
	}
	var gain float64
	for i := cut; i < len(cv.y); i++ {
		p := earlier.Probability(cv.margins[i])
		gain += loss(cv.margins[i], cv.y[i]) - loss(float32(math.Log(p/(1-p))), cv.y[i])
	}
	if !(gain > 0) {
		return nil, nil
	}
	return models.FitBeta(cv.margins, cv.y, nil)
}

// A fold is a time: rows known before it train, rows up to the next one test.
type fold struct{ trainEnd, testEnd int }

// folds cuts the later half of the table into three slices of equal numbers
// of rows, each at a change of time.
func (t *table) folds() []fold {
	n := len(t.examples)
	cut := func(i int) int {
		for i < n && i > 0 && t.examples[i].At.Equal(t.examples[i-1].At) {
			i++
		}
		return i
	}
	cuts := []int{cut(n / 2), cut(n * 4 / 6), cut(n * 5 / 6), n}
	var folds []fold
	for i := range 3 {
		if cuts[i] > 0 && cuts[i] < cuts[i+1] {
			folds = append(folds, fold{cuts[i], cuts[i+1]})
		}
	}
	return folds
}

// crossValidation is how a setting did, with the predictions it made.
type crossValidation struct {
	setting setting
	trees   int
	loss    float64
	rows    []*features.Example // of the later slices, in order
	margins []float32           // of the rows
	y       []float32
	units   []unit
	drift   float64 // of the base rate: see oddsRatio, the farthest of the slices
}

// maxDrift is the odds ratio between a slice and what was known before it up
// to which what is chosen on the slices holds for the time after them. Real
// counts, where it held, moved by 2.8 at most; real loads, where it did not, by
// 3.7 at least.
const maxDrift = 3

// oddsRatio compares two rates, the greater odds over the lesser.
func oddsRatio(a, b float64) float64 {
	r := a * (1 - b) / (b * (1 - a))
	return max(r, 1/r)
}

// A unit is what errs together: a site or, where there are few, its week.
type unit struct {
	site warehouse.Site
	week int64
}

// manySites is the number from which sites alone are units enough.
const manySites = 20

// clearlyBeats reports whether the loss is less than another's by more than
// two standard errors, units being independent: with few outcomes the best of
// several settings is mostly luck, and the simpler one holds up better.
func (cv *crossValidation) clearlyBeats(other *crossValidation) bool {
	sites := map[warehouse.Site]bool{}
	for _, u := range cv.units {
		sites[u.site] = true
	}
	index := map[unit]int{}
	var gains []float64
	for i, y := range cv.y {
		u := cv.units[i]
		if len(sites) >= manySites {
			u.week = 0
		}
		at, known := index[u]
		if !known {
			at = len(gains)
			index[u], gains = at, append(gains, 0)
		}
		gains[at] += loss(other.margins[i], y) - loss(cv.margins[i], y)
	}
	var sum, squares float64
	for _, gain := range gains {
		sum += gain
		squares += gain * gain
	}
	return sum > 2*math.Sqrt(squares)
}

// loss is the log loss of a margin.
func loss(margin, y float32) float64 {
	return math.Log1p(math.Exp(-float64(margin) * float64(2*y-1)))
}

// auc is that of the predictions, nil where one class is absent.
func (cv *crossValidation) auc() *float64 {
	scores := make([]float64, len(cv.margins))
	for i, m := range cv.margins {
		scores[i] = float64(m)
	}
	auc := models.AUC(scores, cv.y, nil)
	if math.IsNaN(auc) {
		return nil
	}
	return &auc
}

func validate(ctx context.Context, t *table, folds []fold, s setting, outcome scoring.Outcome) (*crossValidation, error) {
	columns := s.columns(t.schema, outcome)
	s.params.Monotone = signs(t.schema, columns, outcome)
	cv := &crossValidation{setting: s}
	curve := make([]float64, s.params.Trees)
	fitted := make([]*models.Model, len(folds))
	later := make([]models.Dataset, len(folds))
	p := s.params
	p.EarlyStopping = 0
	for i, f := range folds {
		start := t.examples[f.trainEnd].At
		known := t.slice(0, f.trainEnd).where(func(i int) bool { return t.labels[i].known.Before(start) })
		if known.positives() == 0 {
			return nil, fmt.Errorf("no positive outcome is known before %s: %w", start.Format(time.DateOnly), ErrTooLittle)
		}
		slice := t.slice(f.trainEnd, f.testEnd)
		later[i] = slice.dataset(columns)
		p.BaseScore = known.rate()
		cv.drift = max(cv.drift, oddsRatio(known.rate(), slice.rate()))
		m, report, err := models.Fit(ctx, known.dataset(columns), &later[i], p, nil)
		if err != nil {
			return nil, err
		}
		fitted[i] = m
		for j, r := range report.Rounds {
			curve[j] += r.ValidLoss / float64(len(folds))
		}
	}
	cv.trees = 1 + slices.Index(curve, slices.Min(curve))
	if cv.drift > maxDrift {
		cv.trees = len(curve) // slices before and after a move want 3 trees or all
	}
	cv.loss = curve[cv.trees-1]
	for i, m := range fitted {
		m.Trees = m.Trees[:cv.trees]
		cv.add(m, &later[i], t.examples[folds[i].trainEnd:folds[i].testEnd])
	}
	return cv, nil
}

// add judges a later slice by the model that was fitted before it.
func (cv *crossValidation) add(m *models.Model, later *models.Dataset, slice []*features.Example) {
	for r := range later.X.Rows {
		cv.margins = append(cv.margins, m.Margin(later.X.Row(r)))
	}
	cv.y = append(cv.y, later.Y...)
	cv.rows = append(cv.rows, slice...)
	for _, e := range slice {
		cv.units = append(cv.units, unit{e.Position.Site, e.At.Unix() / (7 * 24 * 3600)})
	}
}

// refit fits the setting to the whole table, several times with different
// seeds, and averages.
func (cv *crossValidation) refit(ctx context.Context, t *table, outcome scoring.Outcome) (*models.Model, error) {
	columns := cv.setting.columns(t.schema, outcome)
	data := t.dataset(columns)
	p := cv.setting.params
	p.Trees, p.EarlyStopping = cv.trees, 0
	p.BaseScore = t.rate()
	p.Monotone = signs(t.schema, columns, outcome)
	all := make([]*models.Model, bags)
	for bag := range all {
		p.Seed = cv.setting.params.Seed + uint64(bag)
		var err error
		if all[bag], _, err = models.Fit(ctx, data, nil, p, nil); err != nil {
			return nil, err
		}
	}
	mean := models.Average(all...)
	widen(mean, t.schema, columns)
	return mean, nil
}

// widen makes a model of some columns one of the whole vector, so that
// whoever scores need not know which features it uses.
func widen(m *models.Model, schema *features.Schema, columns []int) {
	for _, tree := range m.Trees {
		for i := range tree.Nodes {
			if n := &tree.Nodes[i]; n.Feature >= 0 {
				n.Feature = int32(columns[n.Feature])
			}
		}
	}
	m.Features = schema.Names()
	m.Kinds = make([]models.Kind, len(m.Features))
	for i := range m.Kinds {
		if schema.Categorical(i) {
			m.Kinds[i] = models.Categorical
		}
	}
}
