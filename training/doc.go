// Package training turns history into models and judges them: examples by
// replay, splits by time, settings chosen by time-ordered cross-validation
// inside the training period, calibration on held-out time, and a backtest
// that compares the result with what a warehouse would have done without it.
//
// Time runs one way here. Nothing that became known after the end of the
// training period takes part in a fit, and settings are never chosen on the
// period that is reported.
package training

import (
	"fmt"
	"time"

	"tallyman/features"
	"tallyman/scoring"
	"tallyman/warehouse"
)

// A Target is a question a model answers.
type Target struct {
	Subject   features.Subject
	Outcome   scoring.Outcome
	Tolerance warehouse.Qty // differences up to it do not count
}

// Check refuses a pair of subject and outcome that does not exist.
func (t Target) Check() error {
	switch {
	case t.Tolerance < 0:
		return fmt.Errorf("tolerance %s is negative", t.Tolerance)
	case t.Subject == features.PositionSubject && t.Outcome == scoring.Variance,
		t.Subject == features.LoadSubject && (t.Outcome == scoring.Discrepancy || t.Outcome == scoring.Late):
		return nil
	}
	return fmt.Errorf("there is no outcome %q of subject %q; a position has variance, a load has discrepancy and late", t.Outcome, t.Subject)
}

// A label is the answer for one example.
type label struct {
	positive bool
	size     warehouse.Qty // of the difference
	known    time.Time     // when the answer became known
}

// label returns the answer, and false while it is not known or the example
// was read at a stage at which the question is no longer open.
func (t Target) label(e *features.Example) (label, bool) {
	switch t.Outcome {
	case scoring.Variance:
		return label{e.Variance.Abs() > t.Tolerance, e.Variance.Abs(), e.Counted}, true
	case scoring.Discrepancy:
		return label{e.Inbound.Short.Abs() > t.Tolerance, e.Inbound.Short.Abs(), e.Inbound.Settled}, !e.Inbound.Settled.IsZero()
	case scoring.Late:
		return label{positive: e.Inbound.Late, known: e.Inbound.LateKnown}, !e.Inbound.LateKnown.IsZero()
	case scoring.Size: // follows from a variance
	}
	return label{}, false
}
