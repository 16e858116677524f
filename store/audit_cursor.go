package store

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
)

// queryBinary asks for values as PostgreSQL has them, whatever mode the database URL
// names: two of them send text. It leaves no prepared statement behind.
func queryBinary(ctx context.Context, tx pgx.Tx, sql string) pgx.Rows {
	rows, _ := tx.Query(ctx, sql, pgx.QueryExecModeDescribeExec, pgx.QueryResultFormats{pgx.BinaryFormatCode})
	return rows
}

// number decodes an integer or bigint of a column. Only where the column's not null
// was dropped is there none, which is a fault of the log at an index.
func number(raw []byte, column string, index int64) (int64, error) {
	switch {
	case raw == nil:
		return 0, &audit.Fault{Index: index, What: "a row has no " + column + ": it was taken out"}
	case len(raw) == 8:
		return int64(binary.BigEndian.Uint64(raw)), nil
	case len(raw) == 4:
		return int64(int32(binary.BigEndian.Uint32(raw))), nil
	}
	return 0, fmt.Errorf("%s: PostgreSQL sent %d bytes, and an integer has 4 or 8: compare the table with the schema of this program", column, len(raw))
}

// numbered reads a table by its number n, from 0 on: in the order in which it is on
// disk as long as that is the order of the numbers, in which rows are added, and from
// there on through the index, which costs twice as much.
type numbered struct {
	table, columns string // of which n is the first
	next           int64
	open, sorted   bool
}

// fetch calls row for so many numbers, or as many as there are without a gap.
func (c *numbered) fetch(ctx context.Context, tx pgx.Tx, count int64, row func(raw [][]byte) error) error {
	for end := c.next + count; c.next < end; {
		if err := c.declare(ctx, tx); err != nil {
			return err
		}
		ordered, err := c.take(queryBinary(ctx, tx, fmt.Sprintf(`fetch %d from %s_by_number`, end-c.next, c.table)), row)
		if err != nil {
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

// take calls row for rows as long as their numbers follow on each other, and reports
// whether all do.
func (c *numbered) take(rows pgx.Rows, row func(raw [][]byte) error) (ordered bool, err error) {
	defer rows.Close()
	for rows.Next() {
		raw := rows.RawValues()
		n, err := number(raw[0], c.table+".n", -1)
		if err != nil || n != c.next {
			return false, err
		}
		if err := row(raw); err != nil {
			return false, err
		}
		c.next++
	}
	return true, rows.Err()
}

// alone reports whether it is known that the table has no other row than those that
// were fetched: it was read in the order on disk and ends here.
func (c *numbered) alone(ctx context.Context, tx pgx.Tx) (bool, error) {
	if !c.open || c.sorted {
		return false, nil
	}
	next, err := tx.Exec(ctx, `fetch 1 from `+c.table+`_by_number`)
	return next.RowsAffected() == 0, err
}

func (c *numbered) declare(ctx context.Context, tx pgx.Tx) error {
	if c.open {
		return nil
	}
	query := `select ` + c.columns + ` from ` + c.table
	if c.sorted {
		query = fmt.Sprintf(`select distinct on (n) %s from %s where n >= %d order by n`, c.columns, c.table, c.next)
	}
	_, err := tx.Exec(ctx, `declare `+c.table+`_by_number no scroll cursor for `+query)
	c.open = err == nil
	return err
}
