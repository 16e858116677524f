package features

import (
	"container/heap"
	"fmt"
	"math"
	"slices"
	"time"

	"tallyman/warehouse"
)

// A State is everything the fold remembers. It is a function of the set of
// events added and of the instant it was advanced to. Reading vectors is safe
// from several goroutines as long as nothing is added meanwhile.
type State struct {
	coder   *Coder
	sites   []*site // by number; nil where the coder's site is not folded yet
	network network
	front   int64 // events before it are folded in; later ones wait
	waiting waiting
	intake  int64
	warmed  int64 // of what was read ahead, so that reading is not left out
}

// network holds the tallies that sites share, by scope and number.
type network [numScopes]pages[tally]

// of returns a shared tally, nil when nothing was ever put down to it.
func (n *network) of(scope scope, id uint32) *tally {
	if id >= n[scope].len() {
		return nil
	}
	if t := n[scope].at(id); len(t.tiles) > 0 {
		return t
	}
	return nil
}

// Empty returns an empty state that understands the facts of this one.
func (s *State) Empty() *State {
	return &State{coder: s.coder, front: math.MinInt64}
}

// read writes what a shared tally said at the end of the day before today.
func (n *network) read(scope scope, id uint32, today int32, s *summary) {
	if t := n.of(scope, id); t != nil {
		t.before(today, s)
		return
	}
	*s = summary{today: today}
}

// NewState returns an empty state.
func NewState() *State {
	return &State{coder: NewCoder(), front: math.MinInt64}
}

// Encode returns the event as a fact of this state, for [State.Replay].
func (s *State) Encode(e *warehouse.Event) Fact { return s.coder.Encode(e) }

// WithAttrs returns the schema of a subject with the attributes of the facts.
func (s *State) WithAttrs(subject Subject, facts []Fact) Schema {
	return s.coder.WithAttrs(subject, facts)
}

// Add folds an event in. An event before the front corrects the state; one at
// or after it waits until [State.Advance] passes it.
func (s *State) Add(e *warehouse.Event) {
	f := s.coder.Encode(e)
	if f.At >= s.front {
		s.intake++
		heap.Push(&s.waiting, waitingFact{f, s.intake})
		return
	}
	site := s.site(f.Site)
	site.apply(s.coder, &f, s.front)
	s.settle(site)
}

// Advance moves the front: every event before asOf is folded in, and so is
// what the passing of time alone makes known, such as that a load is late.
// Going back is an error, since vectors were already read beyond.
func (s *State) Advance(asOf time.Time) error {
	front := asOf.UnixMicro()
	if front < s.front {
		return fmt.Errorf("advancing to %s: the state is at %s already", asOf.Format(time.RFC3339Nano), s.Front().Format(time.RFC3339Nano))
	}
	for len(s.waiting) > 0 && s.waiting[0].At < front {
		f := heap.Pop(&s.waiting).(waitingFact).Fact
		site := s.site(f.Site)
		site.advance(s.coder, f.At)
		site.apply(s.coder, &f, f.At+1)
	}
	s.front = front
	for _, site := range s.sites {
		if site != nil {
			site.advance(s.coder, front)
			s.settle(site)
		}
	}
	return nil
}

// AsOf returns the state as [State.Advance] to an instant would leave it, where
// that is the passing of the clock and nothing else: no event waits to be
// folded in before it, and nothing falls due. Otherwise it is false. What it
// returns shares the memory of the state: it is for reading, until something is
// added or the state advances.
func (s *State) AsOf(asOf time.Time) (*State, bool) {
	front := asOf.UnixMicro()
	if front < s.front || len(s.waiting) > 0 && s.waiting[0].At < front {
		return nil, false
	}
	for _, site := range s.sites {
		if site != nil && site.timers.next() <= front {
			return nil, false
		}
	}
	view := *s
	view.front = front
	return &view, true
}

// Front returns the instant up to which events are folded in.
func (s *State) Front() time.Time { return time.UnixMicro(s.front).UTC() }

// site returns the site's state, making it when it is new.
func (s *State) site(id uint32) *site {
	for int(id) >= len(s.sites) {
		s.sites = append(s.sites, nil)
	}
	if s.sites[id] == nil {
		s.sites[id] = newSite(id)
	}
	return s.sites[id]
}

// settle moves a site's credits into the network.
func (s *State) settle(site *site) {
	for credits := range slices.Chunk(site.outbox, block) {
		s.warmed += s.network.warm(credits)
		for _, c := range credits {
			s.network[c.scope].reach(c.id).on(c.day).addAll(&c.sums)
		}
	}
	site.outbox = site.outbox[:0]
}

// waiting is a heap of facts by time and intake.
type waiting []waitingFact

type waitingFact struct {
	Fact
	intake int64
}

func (w waiting) Len() int { return len(w) }
func (w waiting) Less(i, j int) bool {
	return w[i].At < w[j].At || w[i].At == w[j].At && w[i].intake < w[j].intake
}
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *waiting) Push(x any)   { *w = append(*w, x.(waitingFact)) }
func (w *waiting) Pop() any {
	old := *w
	x := old[len(old)-1]
	*w = old[:len(old)-1]
	return x
}
