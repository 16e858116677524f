package webhook

import (
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Breakers stop sending to a target that does not answer, one for each target.
type Breakers struct{ byTarget sync.Map }

// breakFor is how long a target that does not answer is left alone.
const breakFor = 15 * time.Second

var errNotAsked = errors.New("nothing was sent")

// Allow reports whether a target may be tried now. Whoever may says with done
// what came of it; an empty outcome says that nothing was sent.
func (b *Breakers) Allow(target string) (done func(Outcome), ok bool) {
	stored, _ := b.byTarget.LoadOrStore(target, sync.OnceValue(func() *gobreaker.TwoStepCircuitBreaker[struct{}] {
		return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name: target, Timeout: breakFor,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 5 },
			IsExcluded:  func(err error) bool { return errors.Is(err, errNotAsked) },
		})
	}))
	report, err := stored.(func() *gobreaker.TwoStepCircuitBreaker[struct{}])().Allow() //nolint:forcetypeassert // nothing else is stored
	if err != nil {
		return nil, false
	}
	return func(o Outcome) {
		switch o {
		case Retry, Unknown:
			report(errors.New(string(o)))
		case Applied, Refused, Paused:
			report(nil)
		default:
			report(errNotAsked)
		}
	}, true
}
