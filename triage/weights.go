package triage

import (
	"math"
	"slices"
)

// What an n-gram's weight is made of, chosen by cross-validation inside the
// training files of public sets.
const (
	telling = 0.4 // power of the divergence
	doubt   = 3.0 // texts with the labels of all, added to those of each n-gram
)

// learnWeights weighs each n-gram by what it tells of the label: the divergence
// (Kullback and Leibler) of the labels of the texts that have it from those of
// all texts, damped by a power. What tells nothing then costs little to ignore,
// and what tells much little to use. A few texts with the labels of all are added
// to those of each n-gram, so that rare ones are not believed too easily.
func (v *vocabulary) learnWeights(counts []vector, labels []int, classes int) {
	prior := make([]float64, classes)
	for _, l := range labels {
		prior[l] += 1 / float64(len(labels))
	}
	starts, owners := v.owners(counts, labels)
	texts := make([]float64, classes)
	for g := range v.grams {
		owned := owners[starts[g]:starts[g+1]]
		for _, l := range owned {
			texts[l]++
		}
		all := float64(len(owned)) + doubt
		divergence, others := 0.0, 1.0 // others are the labels that no text with it has
		for _, l := range owned {
			if texts[l] == 0 {
				continue // seen
			}
			p := (texts[l] + float64(doubt*prior[l])) / all
			divergence += float64(p * math.Log(p/prior[l]))
			others -= prior[l]
			texts[l] = 0
		}
		divergence += float64(max(others, 0) * doubt / all * math.Log(doubt/all))
		v.grams[g].weight = float32(math.Pow(max(divergence, 1e-6), telling))
	}
}

// owners are the labels of the texts that have n-gram g, from starts[g] to
// starts[g+1].
func (v *vocabulary) owners(counts []vector, labels []int) (starts []int, owners []int32) {
	starts = make([]int, len(v.grams)+1)
	for _, c := range counts {
		for _, at := range c.at {
			starts[at+1]++
		}
	}
	for g := range v.grams {
		starts[g+1] += starts[g]
	}
	owners = make([]int32, starts[len(v.grams)])
	next := slices.Clone(starts)
	for i, c := range counts {
		for _, at := range c.at {
			owners[next[at]] = int32(labels[i])
			next[at]++
		}
	}
	return starts, owners
}
