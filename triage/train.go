package triage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"tallyman/models"
)

// Example is a text with the label a human gave it.
type Example struct{ Text, Label string }

// Settings are the choices of a training. The zero value is not usable; start
// from [DefaultSettings].
type Settings struct {
	// OutOfScope is the label of examples about none of the others; there may
	// be none.
	OutOfScope string
	// Cost is the SVM's C: how much a wrong training example costs; 0 for what
	// suits so many examples a label.
	Cost float64
	// MinTexts is how many examples must contain an n-gram that is to count.
	MinTexts int
	// Misspelt is the share of examples that are learned a second time with
	// slips in their words, 0 to 1.
	Misspelt float64
	// Lexicon says what the texts' trade calls things; nil for none.
	Lexicon *Lexicon
	// Precision is the share of labels given without abstaining that should be
	// right.
	Precision float64
	// Seed decides all random orders: the same seed and examples give the same
	// model for any number of threads.
	Seed uint64
	// Threads is the most goroutines to use.
	Threads int
}

// DefaultSettings are good for short texts and 20 or more examples a label.
func DefaultSettings() Settings {
	return Settings{OutOfScope: "out_of_scope", MinTexts: 2, Misspelt: 0.3, Precision: 0.95, Seed: 1, Threads: 1}
}

// Limits of what a model may be, in training and in a file.
const (
	maxLabels  = 2000
	maxGrams   = 1 << 18 // of each block
	maxWeights = 1 << 26 // features times labels
	folds      = 10      // at most this many models are trained for calibration
	heldOut    = 2000    // examples that calibration aims at
	fewHeldOut = 900     // examples that are enough where more would cost much
	muchWork   = 700_000 // examples times labels of a large set
)

// Train learns a model. Progress, which may be nil, is told what begins.
//
// Probabilities and thresholds come from texts the scores were not trained on:
// a tenth of the examples at a time is held out, until 2,000 or all have been;
// of large sets one tenth.
func Train(ctx context.Context, examples []Example, s Settings, progress func(string)) (*Model, error) {
	if progress == nil {
		progress = func(string) {}
	}
	c, err := newCorpus(examples, s)
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	held, err := c.holdOut(ctx, progress)
	if err != nil {
		return nil, err
	}
	progress(fmt.Sprintf("learning from %d examples of %d labels", len(c.texts), len(c.names)))
	all := make([]int, len(c.texts))
	for i := range all {
		all[i] = i
	}
	m, err := c.fit(ctx, all)
	if err != nil {
		return nil, err
	}
	return m, m.calibrate(held, s.Precision)
}

// corpus is the examples in the form training works on.
type corpus struct {
	settings Settings
	names    []string
	texts    []string // normalised
	labels   []int
}

func newCorpus(examples []Example, s Settings) (*corpus, error) {
	c := &corpus{settings: s}
	for _, e := range examples {
		if e.Label == "" {
			return nil, fmt.Errorf("the example %.40q has no label", e.Text)
		}
		c.names = append(c.names, e.Label)
	}
	slices.Sort(c.names)
	c.names = slices.Compact(c.names)
	if len(c.names) < 2 || len(c.names) > maxLabels {
		return nil, fmt.Errorf("the examples have %d labels, want 2 to %d", len(c.names), maxLabels)
	}
	for _, e := range examples {
		label, _ := slices.BinarySearch(c.names, e.Label)
		c.texts, c.labels = append(c.texts, Normalize(e.Text)), append(c.labels, label)
	}
	return c, nil
}

// fit learns vocabulary and weights from some examples, without calibration.
func (c *corpus) fit(ctx context.Context, rows []int) (*Model, error) {
	var texts []string
	var labels []int
	for _, r := range rows {
		texts, labels = append(texts, c.texts[r]), append(labels, c.labels[r])
	}
	r := rand.New(rand.NewPCG(c.settings.Seed, misspellStream))
	for i := range rows {
		if r.Float64() < c.settings.Misspelt {
			texts, labels = append(texts, misspell(r, texts[i])), append(labels, labels[i])
		}
	}
	limit := min(maxGrams, maxWeights/len(c.names)/int(blocks))
	m := &Model{Labels: c.names, Examples: len(rows), vocabulary: learnVocabulary(texts, c.settings.MinTexts, limit, c.settings.Lexicon)}
	if slices.Contains(c.names, c.settings.OutOfScope) {
		m.OutOfScope = c.settings.OutOfScope
	}
	if len(m.vocabulary.grams) == 0 {
		return nil, errors.New("training: no word is in two examples; more examples are needed")
	}
	vectors := make([]vector, len(texts))
	parallel(c.settings.Threads, len(texts), func(i int) { vectors[i], _ = m.vocabulary.vector(texts[i]) })
	var err error
	m.linear, err = fitSVM(ctx, vectors, labels, len(m.vocabulary.grams), len(c.names), c.cost(), c.settings.Seed, c.settings.Threads)
	if err == nil {
		m.linear.quantize()
	}
	return m, err
}

// cost is the wanted one. Where a label has very many examples their errors are
// noise rather than hints: chosen on parts of the training files of public sets.
func (c *corpus) cost() float64 {
	switch {
	case c.settings.Cost > 0:
		return c.settings.Cost
	case len(c.texts) > 1000*len(c.names):
		return 0.5
	}
	return 2
}

// misspellStream keeps the random slips apart from the other random choices.
const misspellStream = 1 << 40

// heldOutRow is what a model that did not see an example says of it.
type heldOutRow struct {
	scores  []float32
	signals signals
	label   int
}

// holdOut scores examples with models that were trained without them.
func (c *corpus) holdOut(ctx context.Context, progress func(string)) ([]heldOutRow, error) {
	fold := c.foldsByLabel()
	var held []heldOutRow
	aim := heldOut
	if len(c.texts)*len(c.names) > muchWork {
		aim = fewHeldOut
	}
	for f := 0; f < folds && len(held) < aim; f++ {
		progress(fmt.Sprintf("calibration: holding out part %d of %d", f+1, folds))
		var rest, out []int
		for i := range c.texts {
			if fold[i] == f {
				out = append(out, i)
			} else {
				rest = append(rest, i)
			}
		}
		m, err := c.fit(ctx, rest)
		if err != nil {
			return nil, err
		}
		outOfScope := slices.Index(m.Labels, m.OutOfScope)
		for _, i := range out {
			v, known := m.vocabulary.vector(c.texts[i])
			scores := make([]float32, len(c.names))
			m.linear.scores(v, scores)
			held = append(held, heldOutRow{scores, signalsOf(scores, known, outOfScope), c.labels[i]})
		}
	}
	return held, nil
}

// foldsByLabel deals the examples of each label to the folds in turn, in random
// order; equal texts stay together.
func (c *corpus) foldsByLabel() []int {
	r := rand.New(rand.NewPCG(c.settings.Seed, 0))
	order := r.Perm(len(c.texts))
	slices.SortStableFunc(order, func(a, b int) int { return c.labels[a] - c.labels[b] })
	fold, seen := make([]int, len(c.texts)), map[string]int{}
	next := 0
	for _, i := range order {
		key := strings.TrimSpace(c.texts[i])
		f, ok := seen[key]
		if !ok {
			f = next % folds
			next++
			seen[key] = f
		}
		fold[i] = f
	}
	return fold
}

// calibrate learns confidence, scope and thresholds from held-out rows.
func (m *Model) calibrate(held []heldOutRow, precision float64) error {
	scores, labels := make([][]float32, len(held)), make([]int, len(held))
	for i, h := range held {
		scores[i], labels[i] = h.scores, h.label
	}
	m.confidence.sharpness = fitSharpness(scores, labels)
	m.confidence.top = models.Beta{A: 1, B: 1}
	tops, right := make([]float32, len(held)), make([]float32, len(held))
	for i, h := range held {
		p := m.confidence.probabilities(h.scores)
		best := topClasses(p, 1)[0]
		tops[i] = logit(p[best])
		if best == h.label {
			right[i] = 1
		}
	}
	if slices.Contains(right, 1) && slices.Contains(right, 0) {
		beta, err := models.FitBeta(tops, right, nil)
		if err != nil {
			return fmt.Errorf("calibration: %w", err)
		}
		m.confidence.top = beta
	}
	outOfScope := slices.Index(m.Labels, m.OutOfScope)
	var in []signals
	for _, h := range held {
		if h.label != outOfScope {
			in = append(in, h.signals)
		}
	}
	m.scope = fitScope(in)
	m.thresholds = m.fitThresholds(held, precision)
	return nil
}

// fitThresholds finds for each label the least probability from which on the
// wanted share of its held-out verdicts is right, never less than what all
// labels together need: a label with few verdicts has little to say.
func (m *Model) fitThresholds(held []heldOutRow, precision float64) []float64 {
	type verdict struct {
		p     float64
		right bool
	}
	byClass := make([][]verdict, len(m.Labels))
	var all []verdict
	for _, h := range held {
		p := m.confidence.probabilities(h.scores)
		best := topClasses(p, 1)[0]
		v := verdict{p[best], best == h.label}
		byClass[best], all = append(byClass[best], v), append(all, v)
	}
	least := func(vs []verdict, prior float64) float64 {
		slices.SortFunc(vs, func(a, b verdict) int {
			if a.p > b.p {
				return -1
			}
			if a.p < b.p {
				return 1
			}
			return 0
		})
		threshold, right := 1.0, 0.0
		for i, v := range vs {
			if v.right {
				right++
			}
			if (right+prior*precision)/(float64(i+1)+prior) >= precision {
				threshold = v.p
			}
		}
		return threshold
	}
	common := least(all, 0)
	out := make([]float64, len(m.Labels))
	for c, vs := range byClass {
		out[c] = common
		if len(vs) >= 20 {
			out[c] = max(min(least(vs, 5), 0.99), common*0.8)
		}
	}
	return out
}
