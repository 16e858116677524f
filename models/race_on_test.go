//go:build race

package models

// Under the race detector a sync.Pool drops what it is given at random, so
// that counts of allocations mean nothing.
const raceDetector = true
