package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tallyman/warehouse"
)

// eventFiles reads several files, or the standard input for "-", one after
// the other.
type eventFiles struct {
	names   []string
	options warehouse.ReadOptions
	refused func(file string, r *warehouse.Refusal) error

	open   *os.File
	reader *warehouse.Reader
	name   string
}

func newEventFiles(names []string, source string, ignoreUnknown bool, refused func(string, *warehouse.Refusal) error) *eventFiles {
	if len(names) == 0 {
		names = []string{"-"}
	}
	return &eventFiles{
		names:   names,
		options: warehouse.ReadOptions{Source: warehouse.Source(source), IgnoreUnknown: ignoreUnknown, Now: time.Now()},
		refused: refused,
	}
}

// next returns the next good event, io.EOF after the last.
func (f *eventFiles) next() (warehouse.Event, error) {
	for {
		if f.reader == nil {
			if err := f.advance(); err != nil {
				return warehouse.Event{}, err
			}
		}
		e, err := f.reader.Next()
		var refusal *warehouse.Refusal
		switch {
		case err == nil:
			return e, nil
		case errors.Is(err, io.EOF):
			f.reader = nil
			_ = f.open.Close()
		case errors.As(err, &refusal):
			if err := f.refused(f.name, refusal); err != nil {
				return warehouse.Event{}, err
			}
		case errors.Is(err, io.ErrUnexpectedEOF):
			return warehouse.Event{}, fmt.Errorf("%s: %w: the file is cut off; copy it again", f.name, err)
		default:
			return warehouse.Event{}, fmt.Errorf("%s: %w", f.name, err)
		}
	}
}

func (f *eventFiles) advance() (err error) {
	if len(f.names) == 0 {
		return io.EOF
	}
	f.name, f.names = f.names[0], f.names[1:]
	f.open = os.Stdin
	if f.name == "-" {
		f.name = "standard input"
	} else if f.open, err = os.Open(f.name); err != nil {
		return err
	}
	f.reader, err = warehouse.NewReader(f.open, f.options)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}
