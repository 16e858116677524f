package scoring

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"tallyman/features"
	"tallyman/warehouse"
)

// An Engine holds the live state and the models in force. It is safe for
// concurrent use.
type Engine struct {
	mu        sync.RWMutex
	state     *features.State
	watermark int64
	heard     time.Time // every event recorded before is folded in; zero when nobody follows
	champions map[Outcome]champion
}

// A champion is the scorer in force; its id is 0 where that is a rate.
type champion struct {
	id int64
	*Scorer
}

// A Version names the model in force for an outcome and what its vectors mean.
type Version struct {
	Outcome    Outcome
	Model      int64 // id; 0 when no model is in force
	SchemaHash string
}

// NewEngine takes over a state. Until models are adopted, rates answer.
func NewEngine(state *features.State) *Engine {
	e := &Engine{state: state, champions: map[Outcome]champion{}}
	position, load := features.NewSchema(features.PositionSubject), features.NewSchema(features.LoadSubject)
	for outcome, schema := range map[Outcome]features.Schema{Variance: position, Size: position, Discrepancy: load, Late: load} {
		e.champions[outcome] = champion{Scorer: newScorer(outcome, schema)}
	}
	return e
}

// Adopt puts a model in force, ready to give reasons.
func (e *Engine) Adopt(outcome Outcome, id int64, s *Scorer) {
	if s.Model != nil {
		s.explainer()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.champions[outcome] = champion{id, s}
}

// Versions lists what is in force, by outcome.
func (e *Engine) Versions() []Version {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.versions(Discrepancy, Late, Size, Variance)
}

func (e *Engine) versions(outcomes ...Outcome) []Version {
	var out []Version
	for _, o := range outcomes {
		c := e.champions[o]
		out = append(out, Version{o, c.id, c.hash})
	}
	slices.SortFunc(out, func(a, b Version) int { return cmp.Compare(a.Outcome, b.Outcome) })
	return out
}

// Fold adds events, says that everything up to the watermark is in, and
// advances to now.
func (e *Engine) Fold(events []warehouse.Event, watermark int64, now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range events {
		e.state.Add(&events[i])
	}
	e.watermark = max(e.watermark, watermark)
	return e.advance(now)
}

// maxLag is how far the facts may lie behind before an answer says so.
const maxLag = time.Minute

// Heard says that every event recorded before an instant is folded in.
func (e *Engine) Heard(until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if until.After(e.heard) {
		e.heard = until
	}
}

func (e *Engine) lags(now time.Time) bool { return !e.heard.IsZero() && now.Sub(e.heard) > maxLag }

// Advance moves the state to now. A time before the state's is no error: the
// state stays where it is.
func (e *Engine) Advance(now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.advance(now)
}

func (e *Engine) advance(now time.Time) error {
	if now.UnixMicro() <= e.state.Front().UnixMicro() {
		return nil
	}
	return e.state.Advance(now)
}

// read takes the lock for reading, which the caller gives back, and returns the
// state as of now, or as it stands where that is later. The state is moved, which
// has to wait for all readers, only where time has brought something.
func (e *Engine) read(now time.Time) (state *features.State, err error) {
	e.mu.RLock()
	if !now.After(e.state.Front()) {
		return e.state, nil
	}
	if state, ok := e.state.AsOf(now); ok {
		return state, nil
	}
	e.mu.RUnlock()
	err = e.Advance(now)
	e.mu.RLock()
	return e.state, err
}

// Watermark is the last event that is folded in.
func (e *Engine) Watermark() int64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.watermark
}
