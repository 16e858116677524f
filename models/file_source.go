package models

import (
	"errors"
	"fmt"
	"io"
)

// Limits of a model file. They are far above any model that serves a request
// and low enough that a hostile file cannot hold the process.
const (
	maxFileBytes    = 1 << 30
	maxFeatures     = 1 << 16
	maxTreeNodes    = 1 << 24
	maxDepth        = 512 // of a tree; explaining a row takes memory of its square
	maxNesting      = 64
	firstAllocation = 1 << 10 // elements allocated before any of an announced array has arrived
)

// A source walks the values of a model file; the schema is read the same way
// from JSON text and from UBJSON. Each method consumes one whole value and
// fails when the value at hand is of another kind.
type source interface {
	// object calls field for each member; field consumes the member's value.
	object(field func(name string) error) error
	// list calls element for each element of an array; element consumes it.
	list(element func() error) error
	text() (string, error)
	integers() ([]int32, error)
	floats() ([]float32, error)
	skip() error
	// end fails unless the file ends here.
	end() error
	// offset is the number of bytes consumed, for error messages.
	offset() int64
}

// errTooLarge is returned once a model file passes maxFileBytes.
var errTooLarge = fmt.Errorf("model file is larger than %d MiB", maxFileBytes>>20)

// errEndsEarly replaces io.EOF inside a value.
var errEndsEarly = errors.New("the file ends in the middle of a value")

// boundedReader fails, rather than ends, when the limit is passed.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

// inside turns an end of file inside a value into an error that says so.
func inside(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errEndsEarly
	}
	return err
}
