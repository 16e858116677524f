package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"tallyman/audit"
)

// What is stored under the numbers from 0 on is read one by one, which finds a number
// that is missing. When no table has more rows than numbers, none has another row.

// countPlaces returns how many places there are, the last one included, or what is
// wrong where there are more rows than that.
func countPlaces(ctx context.Context, tx pgx.Tx) (size int64, err error) {
	var rows int64
	err = tx.QueryRow(ctx, `select coalesce(max(n) + 1, 0), count(*) from audit_leaf`).Scan(&size, &rows)
	if err != nil || rows <= size {
		return size, err
	}
	twice, err := storedTwice(ctx, tx, "audit_leaf")
	switch {
	case err != nil:
		return 0, err
	case twice >= 0:
		return 0, &audit.Fault{Index: twice, What: "its place is stored twice: one of the two was put there"}
	}
	return 0, &audit.Fault{Index: -1, What: fmt.Sprintf("%d places are stored and %d have a number from 0 on: the others were put there", rows, size)}
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
