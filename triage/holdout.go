package triage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

const (
	folds      = 10      // at most this many models are trained for calibration
	heldOut    = 4000    // examples that calibration aims at
	fewHeldOut = 900     // examples that are enough where more would cost much
	muchWork   = 700_000 // examples times labels of a large set
	thoughtUp  = 20      // examples a label below which somebody probably thought them up
)

// heldOutRow is what a model that did not see an example says of it.
type heldOutRow struct {
	scores  []float32
	lead    lead
	signals signals
	label   int
}

// holdOut scores examples with models that were trained without them. Of labels
// that such a model does not know nothing is learned: the final one knows all.
func (c *corpus) holdOut(ctx context.Context, progress func(string)) ([]heldOutRow, error) {
	fold := c.deal()
	var held []heldOutRow
	aim := heldOut
	if len(c.texts)*len(c.names) > muchWork {
		aim = fewHeldOut
	}
	for f := 0; f < folds && len(held) < aim; f++ {
		progress(fmt.Sprintf("calibration: holding out part %d of %d", f+1, folds))
		var rest, out []int
		known := make([]bool, len(c.names))
		for i := range c.texts {
			if fold[i] == f {
				out = append(out, i)
			} else {
				rest = append(rest, i)
				known[c.labels[i]] = true
			}
		}
		m, err := c.fit(ctx, rest)
		if err != nil {
			return nil, err
		}
		outOfScope := slices.Index(m.Labels, m.OutOfScope)
		for _, i := range out {
			if !known[c.labels[i]] {
				continue
			}
			v, share := m.vocabulary.vector(c.texts[i])
			scores := make([]float32, len(c.names))
			m.linear.scores(v, scores)
			held = append(held, heldOutRow{scores, m.leadOf(v, scores), signalsOf(scores, share, outOfScope), c.labels[i]})
		}
	}
	return held, nil
}

// deal gives the examples of each label to the folds in turn, in random order;
// equal texts stay together. So do similar ones where there are few, unless most
// are: people who think examples up vary them, and a text of somebody else is like
// none of them.
func (c *corpus) deal() []int {
	r := rand.New(rand.NewPCG(c.settings.Seed, 0))
	order := r.Perm(len(c.texts))
	slices.SortStableFunc(order, func(a, b int) int { return c.labels[a] - c.labels[b] })
	key := func(i int) string { return strings.TrimSpace(c.texts[i]) }
	if len(c.texts) < thoughtUp*len(c.names) {
		if groups := c.similar(); largest(groups) <= len(groups)/2 {
			key = func(i int) string { return c.texts[groups[i]] }
		}
	}
	fold, seen := make([]int, len(c.texts)), map[string]int{}
	next := 0
	for _, i := range order {
		f, ok := seen[key(i)]
		if !ok {
			f = next % folds
			next++
			seen[key(i)] = f
		}
		fold[i] = f
	}
	return fold
}

// largest is the number of texts in the largest group. Alerts that a system
// writes from one template are all in one: held out together they would leave
// nothing to learn from.
func largest(groups []int) (most int) {
	size := make([]int, len(groups))
	for _, g := range groups {
		size[g]++
		most = max(most, size[g])
	}
	return most
}

// moreAlike is the similarity from which texts are more alike than not.
const moreAlike = 0.5

// similar gives each text the place of one of its group: texts are in one if a
// chain leads from one to the other of which neighbours are more alike than not.
func (c *corpus) similar() []int {
	x := NewIndex[int](&Model{vocabulary: learnVocabulary(c.texts, 1, maxGrams, c.settings.Lexicon)})
	group := make([]int, len(c.texts))
	var find func(i int) int
	find = func(i int) int {
		if group[i] != i {
			group[i] = find(group[i])
		}
		return group[i]
	}
	for i, text := range c.texts {
		group[i] = i
		for _, n := range x.Nearest(text, len(c.texts), moreAlike) {
			group[find(n.Key)] = i
		}
		x.Add(i, text)
	}
	for i := range group {
		group[i] = find(i)
	}
	return group
}
