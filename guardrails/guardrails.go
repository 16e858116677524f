// Package guardrails says what may be done: the closed set of actions that a
// recommendation can ask for, what each requires of humans, and the life of the
// workflow step that waits for them. [Decide] is the one function that moves a
// step; nothing reaches another system except as the execution of a step that
// it let through. The package is pure: no I/O, no clock, no storage. Whoever
// calls it holds the step's row locked and has read the database's clock after
// taking the lock.
package guardrails
