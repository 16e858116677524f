package features

// pages is a list that grows without moving what it holds, by pages of 64.
type pages[T any] struct {
	page []*[pageSize]T
	n    uint32
}

const pageSize = 64

func (p *pages[T]) len() uint32 { return p.n }

func (p *pages[T]) at(i uint32) *T { return &p.page[i/pageSize][i%pageSize] }

// add returns a new element at the end, and its index.
func (p *pages[T]) add() (*T, uint32) {
	i := p.n
	return p.reach(i), i
}

// reach returns an element, lengthening the list to it.
func (p *pages[T]) reach(i uint32) *T {
	for int(i/pageSize) >= len(p.page) {
		p.page = append(p.page, new([pageSize]T))
	}
	p.n = max(p.n, i+1)
	return p.at(i)
}

// roomFor returns the list with room for n more. Most lists of the fold are
// short and there are millions of them, so it grows by a quarter, not by half
// as append does.
func roomFor[T any](n int, list []T) []T {
	if need := len(list) + n; need > cap(list) {
		return append(make([]T, 0, need+1+need/4), list...)
	}
	return list
}
