package triage

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/naive"
)

// bayesWords is how many words golearn's naive Bayes is given: it keeps a byte
// a word and text, and its time grows with the product.
const bayesWords = 500

// BayesLabels gives each text the label that golearn's Bernoulli naive Bayes
// learns from the examples, on the most frequent words: a baseline that a model
// must beat. golearn gives no probabilities.
func BayesLabels(examples []Example, texts []string) ([]string, error) {
	words := frequentWords(examples, bayesWords)
	b := bayes{words}
	in, err := b.instances(examples)
	if err != nil {
		return nil, err
	}
	classifier := naive.NewBernoulliNBClassifier()
	if err := classifier.Fit(in); err != nil {
		return nil, fmt.Errorf("naive bayes: %w", err)
	}
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = classifier.PredictOne(b.bits(text))
	}
	return out, nil
}

type bayes struct{ words map[string]int }

// bits says which words a text has. One more is always set: golearn's
// classifier fails on a class without any set bit.
func (b bayes) bits(text string) [][]byte {
	out := make([][]byte, len(b.words)+1)
	for i := range out {
		out[i] = []byte{0}
	}
	out[len(b.words)][0] = 1
	wordGrams(shape(Normalize(text)), func(_ block, g string) {
		if i, ok := b.words[g]; ok {
			out[i][0] = 1
		}
	})
	return out
}

func (b bayes) instances(examples []Example) (*base.DenseInstances, error) {
	in := base.NewDenseInstances()
	specs := make([]base.AttributeSpec, len(b.words)+1)
	for i := range specs {
		specs[i] = in.AddAttribute(base.NewBinaryAttribute(strconv.Itoa(i)))
	}
	class := base.NewCategoricalAttribute()
	class.SetName("label")
	classSpec := in.AddAttribute(class)
	if err := in.AddClassAttribute(class); err != nil {
		return nil, fmt.Errorf("naive bayes: %w", err)
	}
	if err := in.Extend(len(examples)); err != nil {
		return nil, fmt.Errorf("naive bayes: %w", err)
	}
	for row, e := range examples {
		for i, bit := range b.bits(e.Text) {
			in.Set(specs[i], row, bit)
		}
		in.Set(classSpec, row, class.GetSysValFromString(e.Label))
	}
	return in, nil
}

// frequentWords numbers the single words that most examples have.
func frequentWords(examples []Example, most int) map[string]int {
	counts := map[string]int{}
	for _, e := range examples {
		seen := map[string]bool{}
		wordGrams(shape(Normalize(e.Text)), func(_ block, g string) {
			if !seen[g] {
				seen[g] = true
				counts[g]++
			}
		})
	}
	words := make([]string, 0, len(counts))
	for w := range counts {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	number := map[string]int{}
	for i, w := range words[:min(most, len(words))] {
		number[w] = i
	}
	return number
}

// NeighbourLabels gives each text the label that most of its eight nearest
// examples have, weighted by similarity. golearn's nearest neighbours need C
// and look at all examples for each text, so this is our own.
func (m *Model) NeighbourLabels(examples []Example, texts []string) []string {
	x := NewIndex[int](m)
	for i, e := range examples {
		x.Add(i, e.Text)
	}
	out := make([]string, len(texts))
	for i, text := range texts {
		votes, best := map[string]float64{}, 0.0
		for _, n := range x.Nearest(text, 8, 0) {
			label := examples[n.Key].Label
			if votes[label] += n.Similarity; votes[label] > best {
				best, out[i] = votes[label], label
			}
		}
	}
	return out
}
