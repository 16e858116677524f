// Package features turns facts into numbers as of an instant. One fold of the
// event stream, [State], is the only implementation: serving, ranking and
// training all read their vectors from it.
//
// Two promises hold everything else up.
//
// The state is a function of the set of events it was given, not of the order
// they came in: a late or back-dated event corrects the state, and any
// shuffle of the same events ends in the same state. Ties in time are broken
// by the order of intake.
//
// A vector as of an instant reads nothing that happened at or after it. What
// a key shares with other sites is read as of the end of the day before (UTC),
// which is also what lets sites be folded in parallel with the same result to
// the last bit.
//
// Sums are kept in integers, so no order of addition can change them; floats
// appear only when a vector is written. What is not known is NaN, never zero.
package features
