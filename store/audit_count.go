package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"tallyman/audit"
)

// noOthers holds, after all places and hashes were read, that their tables have no
// other rows. They are counted only where the reading does not tell. As every number
// from 0 on was found, none has another row where none has more rows than numbers.
func (p *placedEntries) noOthers(ctx context.Context) error {
	alone, err := p.places.alone(ctx, p.tx)
	if err == nil && !alone {
		err = countPlaces(ctx, p.tx, p.size)
	}
	if err != nil {
		return err
	}
	if alone, err = p.nodes.alone(ctx, p.tx); err == nil && !alone {
		err = countHashes(ctx, p.tx, p.size)
	}
	return err
}

// countPlaces holds that there are so many places.
func countPlaces(ctx context.Context, tx pgx.Tx, size int64) error {
	var rows int64
	err := tx.QueryRow(ctx, `select count(*) from audit_leaf`).Scan(&rows)
	if err != nil || rows <= size {
		return err
	}
	twice, err := storedTwice(ctx, tx, "audit_leaf")
	switch {
	case err != nil:
		return err
	case twice >= 0:
		return &audit.Fault{Index: twice, What: "its place is stored twice: one of the two was put there"}
	}
	return &audit.Fault{Index: -1, What: fmt.Sprintf("%d places are stored and %d have a number from 0 on: the others were put there", rows, size)}
}

// countHashes holds that a tree of so many entries has no hash too many.
func countHashes(ctx context.Context, tx pgx.Tx, size int64) error {
	var rows, beyond int64
	hashes := tlog.StoredHashCount(size)
	err := tx.QueryRow(ctx, `select count(*), count(*) filter (where n >= $1) from audit_node`, hashes).Scan(&rows, &beyond)
	if err != nil || rows <= hashes {
		return err
	}
	if beyond > 0 {
		return &audit.Fault{Index: size, What: "the tree has hashes from here on and the log no entries: they were removed from its end"}
	}
	twice, err := storedTwice(ctx, tx, "audit_node")
	switch {
	case err != nil:
		return err
	case twice >= 0:
		return hashFault(twice, "is stored twice: one of the two was put there")
	}
	return &audit.Fault{Index: -1, What: fmt.Sprintf("%d hashes of the tree are stored and %d have a number from 0 on: the others were put there", rows, hashes)}
}

// storedTwice returns the least number that several rows of a table have, or -1.
func storedTwice(ctx context.Context, tx pgx.Tx, table string) (n int64, err error) {
	err = tx.QueryRow(ctx, `
		select coalesce(min(n), -1)
		from (
			select n
			from `+table+`
			where n >= 0
			group by n
			having count(*) > 1) twice`).Scan(&n)
	return n, err
}

func errHashGone(n int64) error { return hashFault(n, "is gone: it was removed") }

// hashFault says what is wrong with a stored hash, at the first entry below it.
func hashFault(n int64, what string) error {
	level, place := tlog.SplitStoredHashIndex(n)
	return &audit.Fault{Index: place << level, What: "a hash of the tree above it " + what}
}
