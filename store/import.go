package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"tallyman/warehouse"
)

// importBatch is how many events one transaction of an import takes in. More
// gains nothing in speed, and live intake waits for it.
const importBatch = 10_000

// Imported is what became of one batch of an import.
type Imported struct {
	Accepted, Duplicates int
	Conflicts            []ConflictingEvent
}

// ConflictingEvent is a record whose key another event holds.
type ConflictingEvent struct {
	Place  int `db:"-"` // of the record in the batch, from 0
	Source warehouse.Source
	ID     string
	Holder Seq
	Body   []byte // canonical JSON of the refused record
}

// Import takes in history, from next until it returns io.EOF, in batches that
// are a transaction each: whatever stops it, an import of the same events
// begins where it ended. Every event counts as known since it occurred. After
// each commit done is told what became of the batch; neither function runs
// beside itself. An error of next ends the import when what came before it is
// in.
func (db *DB) Import(ctx context.Context, next func() (warehouse.Event, error), done func(Imported)) error {
	filled, empty := make(chan *batch), make(chan *batch, 2)
	empty <- &batch{}
	empty <- &batch{}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return db.saveBatches(running, filled, empty, done) })
	readErr := fillBatches(running, next, filled, empty)
	err := errors.Join(readErr, group.Wait())
	if err != nil && ctx.Err() != nil { // the driver may only say that its connection is gone
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return nil
}

// fillBatches reads events into empty batches and hands them on.
func fillBatches(ctx context.Context, next func() (warehouse.Event, error), filled chan<- *batch, empty <-chan *batch) error {
	defer close(filled)
	for {
		var b *batch
		select {
		case b = <-empty:
		case <-ctx.Done():
			return nil // the group says why
		}
		b.reset()
		var err error
		for err == nil && len(b.rows) < importBatch {
			var e warehouse.Event
			if e, err = next(); err == nil {
				b.add(&e)
			}
		}
		if len(b.rows) > 0 {
			select {
			case filled <- b:
			case <-ctx.Done():
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// saveBatches commits one batch after the other. It takes them for new until
// one is not: looking for every key costs as much as inserting it.
func (db *DB) saveBatches(ctx context.Context, filled <-chan *batch, empty chan<- *batch, done func(Imported)) error {
	in := intake{history: true}
	for b := range filled {
		err := db.save(ctx, b, in)
		if isTaken(err) {
			in.checked = true
			err = db.save(ctx, b, in)
		}
		if err != nil {
			return err
		}
		report := b.report()
		in.checked = report.Accepted < len(b.rows)
		done(report)
		empty <- b
	}
	return ctx.Err()
}

func (b *batch) report() Imported {
	var report Imported
	for i := range b.rows {
		switch r := &b.rows[i]; r.outcome.Answer {
		case Accepted:
			report.Accepted++
		case Duplicate:
			report.Duplicates++
		case Conflict:
			report.Conflicts = append(report.Conflicts, ConflictingEvent{
				Place: i, Source: warehouse.Source(r.source), ID: r.id, Holder: r.outcome.Seq, Body: append([]byte(nil), b.body(i)...),
			})
		}
	}
	return report
}
