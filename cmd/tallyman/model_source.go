package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
)

// stdin is the name of the standard input among tables.
const stdin = "-"

// A source is a table by the name that the user gave it, and where its bytes are.
type source struct{ name, path string }

// readOnce is a source that is read once, so that it may also be a pipe.
func readOnce(name string) source { return source{name, name} }

// readTwice is a source that can be read more than once: the file itself, or a temporary
// copy of what is no file, such as a pipe, which remove deletes.
func readTwice(name string) (s source, remove func(), err error) {
	info, err := os.Stat(name)
	if name != stdin && (err != nil || info.Mode().IsRegular() || info.IsDir()) {
		return readOnce(name), func() {}, nil // where it is not there, whoever opens it says so
	}
	from, err := openTable(name)
	if err != nil {
		return s, nil, err
	}
	defer func() { _ = from.Close() }()
	to, err := os.CreateTemp("", "tallyman-*.csv")
	if err == nil {
		_, err = io.Copy(to, from)
		err = cmp.Or(err, to.Close())
		remove = func() { _ = os.Remove(to.Name()) }
	}
	if err != nil {
		if remove != nil {
			remove()
		}
		return s, nil, fmt.Errorf("%s is read twice, and copying it to a temporary file failed: %w", name, err)
	}
	return source{name, to.Name()}, remove, nil
}

// openTable opens a file or the standard input, which stays open.
func openTable(name string) (io.ReadCloser, error) {
	if name == stdin {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(name)
}
