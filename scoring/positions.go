package scoring

import (
	"runtime"
	"sync"
	"time"

	"tallyman/models"
	"tallyman/warehouse"
)

// A Candidate is a position that could be counted, with what a ranking needs.
// Its fields are those of counting.Candidate, which it converts to.
type Candidate struct {
	warehouse.Position
	Zone        string
	Probability float64        // that a count would differ from book
	Units       float64        // expected size of the difference, if there is one, in base units
	Cost        warehouse.Cost // of one base unit; zero when unknown
	Book        warehouse.Qty
	LastCount   time.Time // zero when never counted
	Usage       float64   // base units that leave per day
}

// blockRows is how many positions are read before they are scored and before
// others get a turn at the state.
const blockRows = 2048

// A block is some positions on their way from the state to the models.
type block struct {
	candidates  []Candidate
	vectors     []float32 // of the variance model, then those of the size model where its schema differs
	sizeVectors []float32
	done        chan struct{}
}

// Positions yields every position of a site with its risk, as of now or as of
// the state where that is later. One goroutine reads vectors while others
// score them. The state moves on between blocks when events come in, so that
// a long ranking delays no receipt: ask [Engine.Evaluate] for the few that are
// shown, and keep its vectors, reasons, instant and watermark.
func (e *Engine) Positions(site warehouse.Site, now time.Time, yield func(Candidate) bool) error {
	if err := e.Advance(now); err != nil {
		return err
	}
	e.mu.RLock()
	variance, size := e.champions[Variance], e.champions[Size]
	e.mu.RUnlock()

	threads := runtime.GOMAXPROCS(0)
	ordered, todo := make(chan *block, 2*threads), make(chan *block, 2*threads)
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for range threads {
		workers.Go(func() {
			for b := range todo {
				b.score(variance.Scorer, size.Scorer)
				close(b.done)
			}
		})
	}
	workers.Go(func() {
		defer close(ordered)
		defer close(todo)
		e.readBlocks(site, variance.Scorer, size.Scorer, func(b *block) bool {
			select {
			case ordered <- b:
				todo <- b
				return true
			case <-stop:
				return false
			}
		})
	})
	deliver(ordered, stop, yield)
	workers.Wait()
	return nil
}

// deliver yields the blocks in order until yield has had enough.
func deliver(ordered <-chan *block, stop chan<- struct{}, yield func(Candidate) bool) {
	stopped := false
	for b := range ordered {
		<-b.done
		for i := 0; i < len(b.candidates) && !stopped; i++ {
			if !yield(b.candidates[i]) {
				stopped = true
				close(stop)
			}
		}
	}
}

// readBlocks reads the positions of a site, letting go of the state between
// blocks. Events folded in meanwhile may add positions, which the running
// iteration leaves out.
func (e *Engine) readBlocks(site warehouse.Site, variance, size *Scorer, send func(*block) bool) {
	width := variance.Schema.Width()
	fresh := func() *block {
		return &block{
			candidates: make([]Candidate, 0, blockRows), vectors: make([]float32, 0, blockRows*width),
			done: make(chan struct{}),
		}
	}
	b := fresh()
	e.mu.RLock()
	defer e.mu.RUnlock()
	for p := range e.state.Positions(site, &variance.Schema) {
		b.candidates = append(b.candidates, Candidate{
			Position: p.Position, Zone: p.Zone, Cost: p.Cost, Book: p.Book, LastCount: p.LastCount, Usage: p.Usage,
		})
		b.vectors = append(b.vectors, p.Vector...)
		if size.hash != variance.hash {
			vector, _ := e.state.Position(p.Position, &size.Schema)
			b.sizeVectors = append(b.sizeVectors, vector...)
		}
		if len(b.candidates) == blockRows {
			full := b
			b = fresh()
			e.mu.RUnlock()
			more := send(full)
			e.mu.RLock()
			if !more {
				return
			}
		}
	}
	if len(b.candidates) > 0 {
		send(b)
	}
}

// score fills in probabilities and sizes.
func (b *block) score(variance, size *Scorer) {
	n := len(b.candidates)
	scores := make([]float64, n)
	variance.scores(models.Matrix{Rows: n, Cols: variance.Schema.Width(), Data: b.vectors}, scores)
	for i, p := range scores {
		b.candidates[i].Probability = p
	}
	if b.sizeVectors == nil {
		b.sizeVectors = b.vectors
	}
	size.scores(models.Matrix{Rows: n, Cols: size.Schema.Width(), Data: b.sizeVectors}, scores)
	for i, s := range scores {
		b.candidates[i].Units = expectedUnits(s)
	}
	b.vectors, b.sizeVectors = nil, nil
}
