package store

import "errors"

// Errors that callers branch on.
var (
	ErrNotFound            = errors.New("not found")
	ErrUnauthorized        = errors.New("unauthorized")
	ErrIdempotencyMismatch = errors.New("the idempotency key stands for another request")
	ErrStaleRanking        = errors.New("a newer ranking is in force")
	ErrExists              = errors.New("is there already")
	ErrDelegation          = errors.New("this cannot be delegated")
	ErrStepLive            = errors.New("people are at work on this already")
)
