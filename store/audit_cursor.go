package store

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tallyman/audit"
)

// readBinary calls row for each row with its values as PostgreSQL has them, whatever
// mode the database URL names: two of them send text. They are valid until the next
// row. It leaves no prepared statement behind.
func readBinary(ctx context.Context, tx pgx.Tx, sql string, row func(raw [][]byte) error) (err error) {
	rows := tx.Conn().PgConn().ExecParams(ctx, sql, nil, nil, nil, []int16{pgx.BinaryFormatCode})
	for err == nil && rows.NextRow() {
		err = row(rows.Values())
	}
	if _, failed := rows.Close(); err == nil {
		err = failed
	}
	return err
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

// placeCursor reads places from 0 on: in the order in which they are on disk as long as
// that is the order of their numbers, in which they are added, and from there on through
// the index, which costs twice as much.
type placeCursor struct {
	next          int64
	block, blocks int64 // of the table: read so far, and in all
	sorted        bool

	blocksAtOnce int64 // of the table
	placesAtOnce int64 // through the index
}

// open finds how large the table is now: what the transaction sees is in it.
func (c *placeCursor) open(ctx context.Context, tx pgx.Tx) error {
	return tx.QueryRow(ctx, `select pg_relation_size('audit_leaf') / current_setting('block_size')::int`).Scan(&c.blocks)
}

// read calls row for some more places, whose numbers follow on each other: for none
// where a part of the table has none. It reports whether there may be more.
func (c *placeCursor) read(ctx context.Context, tx pgx.Tx, row func(raw [][]byte) error) (more bool, err error) {
	const places = `select n, stream, seq, hashes from audit_leaf`
	switch next, from := c.next, c.block; {
	case c.sorted:
		err := c.take(ctx, tx, fmt.Sprintf(places+` where n >= %d order by n limit %d`, next, c.placesAtOnce), row)
		return c.next > next, err
	case from < c.blocks:
		c.block += c.blocksAtOnce
		return true, c.take(ctx, tx, fmt.Sprintf(places+` where ctid >= '(%d,0)' and ctid < '(%d,0)'`, from, c.block), row)
	}
	return false, nil
}

// take calls row for places as long as their numbers follow on each other, and goes on
// by the index where they do not.
func (c *placeCursor) take(ctx context.Context, tx pgx.Tx, sql string, row func(raw [][]byte) error) error {
	broken := false
	err := readBinary(ctx, tx, sql, func(raw [][]byte) error {
		if broken = broken || len(raw[0]) != 8 || int64(binary.BigEndian.Uint64(raw[0])) != c.next; broken {
			return nil
		}
		c.next++
		return row(raw)
	})
	c.sorted = c.sorted || broken
	return err
}

// alone reports whether it is known that there are no other places than those that were
// read: the table ends with them in the order on disk.
func (c *placeCursor) alone(ctx context.Context, tx pgx.Tx) (bool, error) {
	next := c.next
	for !c.sorted && c.next == next {
		more, err := c.read(ctx, tx, func([][]byte) error { return nil })
		if err != nil || !more {
			return err == nil, err
		}
	}
	return false, nil
}
