package triage

import (
	"slices"
	"sync"
)

// Limits of a memory.
const (
	generation  = 2500 // tickets after which the oldest are forgotten
	overlapping = 100  // numbers of the newest tickets that are known one by one
)

// Memory knows the newest tickets of one site, 2,500 to 5,000 of them, by their
// numbers, and finds those that a text is like. It is safe for concurrent use.
type Memory struct {
	mu          sync.Mutex
	model       *Model
	older, news *Index[int64]
	kept        int
	recent      []int64 // numbers of the newest tickets, rising
}

// NewMemory makes an empty memory over a model's vocabulary.
func NewMemory(m *Model) *Memory {
	return &Memory{model: m, older: NewIndex[int64](m), news: NewIndex[int64](m)}
}

// Recent are the numbers of the newest tickets that are known. Tickets commit
// in another order than they get their numbers, so that what is missing may lie
// between them.
func (m *Memory) Recent() []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.recent)
}

// Add adds a ticket unless it is known.
func (m *Memory) Add(n int64, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, known := slices.BinarySearch(m.recent, n)
	if known || len(m.recent) == overlapping && at == 0 {
		return
	}
	m.recent = slices.Insert(m.recent, at, n)
	m.recent = m.recent[max(0, len(m.recent)-overlapping):]
	if m.kept == generation {
		m.older, m.news, m.kept = m.news, NewIndex[int64](m.model), 0
	}
	m.news.Add(n, text)
	m.kept++
}

// Nearest returns the k most similar tickets of at least the given similarity.
func (m *Memory) Nearest(text string, k int, least float64) []Neighbour[int64] {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := append(m.older.Nearest(text, k, least), m.news.Nearest(text, k, least)...)
	slices.SortStableFunc(found, func(a, b Neighbour[int64]) int {
		switch {
		case a.Similarity > b.Similarity:
			return -1
		case a.Similarity < b.Similarity:
			return 1
		}
		return 0
	})
	return found[:min(k, len(found))]
}
