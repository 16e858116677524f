package store

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// binaryRow has values sent as PostgreSQL has them.
var binaryRow = pgx.QueryResultFormats{pgx.BinaryFormatCode}

// numbered reads a table by its number n, from 0 on: in the order in which it is on
// disk as long as that is the order of the numbers, in which rows are added, and from
// there on through the index, which costs twice as much.
type numbered struct {
	table, columns string // of which n is the first
	next           int64
	open, sorted   bool
}

// fetch calls row for so many numbers, or as many as there are without a gap.
func (c *numbered) fetch(ctx context.Context, tx pgx.Tx, count int64, row func(raw [][]byte)) error {
	for end := c.next + count; c.next < end; {
		if err := c.declare(ctx, tx); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, fmt.Sprintf(`fetch %d from %s_by_number`, end-c.next, c.table), binaryRow)
		ordered := true
		for ordered && rows.Next() {
			raw := rows.RawValues()
			if ordered = int64(binary.BigEndian.Uint64(raw[0])) == c.next; ordered {
				row(raw)
				c.next++
			}
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
		if ordered || c.sorted {
			return nil
		}
		if _, err := tx.Exec(ctx, `close `+c.table+`_by_number`); err != nil {
			return err
		}
		c.open, c.sorted = false, true
	}
	return nil
}

func (c *numbered) declare(ctx context.Context, tx pgx.Tx) error {
	if c.open {
		return nil
	}
	query := `select ` + c.columns + ` from ` + c.table
	if c.sorted {
		query += fmt.Sprintf(` where n >= %d order by n`, c.next)
	}
	_, err := tx.Exec(ctx, `declare `+c.table+`_by_number no scroll cursor for `+query)
	c.open = err == nil
	return err
}
