package triage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
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
	return Settings{OutOfScope: "out_of_scope", MinTexts: 2, Misspelt: 0.3, Precision: 0.98, Seed: 1, Threads: 1}
}

// Limits of what a model may be, in training and in a file.
const (
	maxLabels  = 2000
	maxGrams   = 1 << 18 // of each block
	maxWeights = 1 << 26 // features times labels
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
	return m, m.calibrate(ctx, held, s.Precision)
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
	parallel(c.settings.Threads, len(texts), func(i int) { vectors[i], _ = m.vocabulary.count(texts[i]) })
	if m.vocabulary.lexicon == nil {
		if many(len(rows), len(c.names)) {
			m.vocabulary.shares = manyShares
		}
		m.vocabulary.learnWeights(vectors, labels, len(c.names))
	}
	parallel(c.settings.Threads, len(texts), func(i int) { m.vocabulary.weigh(vectors[i]) })
	var err error
	m.linear, err = fitSVM(ctx, vectors, labels, len(m.vocabulary.grams), len(c.names), c.cost(), c.settings.Seed, c.settings.Threads)
	if err == nil {
		m.linear.quantize()
	}
	return m, err
}

// cost is the wanted one, or what did best on parts of the training files of
// public sets.
func (c *corpus) cost() float64 {
	switch {
	case c.settings.Cost > 0:
		return c.settings.Cost
	case many(len(c.texts), len(c.names)):
		return 0.5
	}
	return 2
}

// misspellStream keeps the random slips apart from the other random choices.
const misspellStream = 1 << 40

// calibrate learns confidence, scope and thresholds from held-out rows.
func (m *Model) calibrate(ctx context.Context, held []heldOutRow, precision float64) (err error) {
	if m.confidence, err = fitConfidence(ctx, held); err != nil {
		return err
	}
	outOfScope := slices.Index(m.Labels, m.OutOfScope)
	var in []signals
	for _, h := range held {
		if h.label != outOfScope {
			in = append(in, h.signals)
		}
	}
	if len(in) == 0 {
		return errors.New("training: no label has two examples that differ enough to hold one out, and what cannot be held out cannot be measured; give labels more examples")
	}
	m.scope = fitScope(in)
	m.threshold = m.fitThreshold(held, precision)
	return nil
}

// fitThreshold finds the least probability from which on the wanted share of
// the held-out verdicts is right, with a standard error to spare; 1 if there is
// none. It is the same for all labels: probabilities are calibrated, and what
// is held out of one label alone says little about so few mistakes.
func (m *Model) fitThreshold(held []heldOutRow, precision float64) float64 {
	type verdict struct {
		p     float64
		right bool
	}
	verdicts := make([]verdict, len(held))
	for i, h := range held {
		p := m.confidence.probabilities(h.scores, h.lead)
		best := topClasses(p, 1)[0]
		verdicts[i] = verdict{p[best], best == h.label}
	}
	slices.SortStableFunc(verdicts, func(a, b verdict) int { return cmp.Compare(b.p, a.p) })
	threshold, right := 1.0, 0
	for i, v := range verdicts {
		right += one(v.right)
		if surely(right, i+1) >= precision {
			threshold = v.p
		}
	}
	return threshold
}

// surely is the share of right verdicts with a standard error to spare.
func surely(right, of int) float64 {
	n := float64(of)
	share := float64(right+1) / (n + 2)
	return share - math.Sqrt(share*(1-share)/n)
}

// LeastExamples is how many examples it takes at least until a model can be seen to
// be right in so large a share, 0 to 1, of what it answers: that many are held out in
// turn, and all of them right. With fewer it answers nothing.
func LeastExamples(precision float64) int {
	const most = 1 << 40
	return 1 + sort.Search(most, func(n int) bool { return surely(n+1, n+1) >= precision })
}
