// Package guardrails says what may be done: the closed set of actions that a
// recommendation can ask for, and the life of the workflow step behind each,
// which waits for a human. It is pure: no I/O, no clock, no storage.
package guardrails

// Action is what a recommendation asks for.
type Action string

// The actions.
const (
	CountPosition Action = "count_position" // count one SKU at one location
	VerifyLoad    Action = "verify_load"    // check an inbound load a second time
)

// Actions lists every action.
var Actions = []Action{CountPosition, VerifyLoad}
