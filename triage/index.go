package triage

import (
	"cmp"
	"slices"
)

// Index finds texts that are like a text, by the cosine of their vectors in a
// model's vocabulary. It is for one goroutine at a time.
type Index[K cmp.Ordered] struct {
	model    *Model
	keys     []K
	postings map[int32][]posting
}

type posting struct {
	row   int32
	value float32
}

// Neighbour is a text that was added, and how alike it is: 1 for the same
// words, 0 for none in common.
type Neighbour[K cmp.Ordered] struct {
	Key        K
	Similarity float64
}

// NearDuplicate is the similarity from which two tickets probably tell of the
// same event.
const NearDuplicate = 0.8

// NewIndex makes an empty index.
func NewIndex[K cmp.Ordered](m *Model) *Index[K] {
	return &Index[K]{model: m, postings: map[int32][]posting{}}
}

// Add adds a text under a key.
func (x *Index[K]) Add(key K, text string) {
	row := int32(len(x.keys))
	x.keys = append(x.keys, key)
	v := x.model.vocabulary.likeness(Normalize(text))
	for i, at := range v.at {
		x.postings[at] = append(x.postings[at], posting{row, v.value[i]})
	}
}

// Nearest returns the k most similar texts of at least the given similarity,
// the most similar first, then by key.
func (x *Index[K]) Nearest(text string, k int, least float64) []Neighbour[K] {
	v := x.model.vocabulary.likeness(Normalize(text))
	sums := make([]float32, len(x.keys))
	for i, at := range v.at {
		for _, p := range x.postings[at] {
			sums[p.row] += float32(v.value[i] * p.value)
		}
	}
	var found []Neighbour[K]
	for row, s := range sums {
		if s > 0 && float64(s) >= least {
			found = append(found, Neighbour[K]{x.keys[row], min(float64(s), 1)})
		}
	}
	slices.SortFunc(found, func(a, b Neighbour[K]) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.Key, b.Key))
	})
	return found[:min(k, len(found))]
}
