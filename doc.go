// Package tallyman holds no code, only the tests that keep the repository in
// shape: which package may import which.
//
// The program is in cmd/tallyman. What the packages are for, and the way an event
// takes through them, is in docs/design.md.
package tallyman
