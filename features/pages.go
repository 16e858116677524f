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

// An arena hands out lists that grow, and takes back the blocks that they
// outgrow: millions of short lists in few allocations, with little slack.
type arena[T any] struct {
	free [len(blocks)][][]T // by size
	slab []T
}

// blocks are the sizes that lists grow by; longer ones grow by themselves.
var blocks = [...]int{1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128}

// append appends to a list of this arena.
func (a *arena[T]) append(list []T, x T) []T {
	if len(list) < cap(list) {
		return append(list, x)
	}
	size := 0
	for size < len(blocks) && blocks[size] <= len(list) {
		size++
	}
	if size == len(blocks) {
		return append(list, x)
	}
	grown := append(a.block(size), list...)
	if size > 0 && cap(list) == blocks[size-1] {
		a.free[size-1] = append(a.free[size-1], list[:0])
	}
	return append(grown, x)
}

func (a *arena[T]) block(size int) []T {
	if free := a.free[size]; len(free) > 0 {
		last := len(free) - 1
		a.free[size] = free[:last]
		return free[last]
	}
	n := blocks[size]
	if len(a.slab) < n {
		a.slab = make([]T, 512)
	}
	b := a.slab[:0:n]
	a.slab = a.slab[n:]
	return b
}
